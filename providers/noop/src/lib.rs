#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod provider;

pub use provider::{NoopFactory, NoopProvider};
