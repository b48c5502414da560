#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod server;

// What a request is and what is answered.
mod asked;
mod reply;
mod script;

// As the vendors write it.
mod anthropic;
mod openai;
mod responses;
mod wire;

pub use server::{ModelServer, Received};
