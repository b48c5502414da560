#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod settings;
pub mod text;

mod progress;
pub mod retry_after;
mod taken;

#[cfg(feature = "client")]
mod client;

mod tags;

#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "client")]
pub use client::{Client, Delivery, Encode, Endpoint, Server};
pub use http::HeaderMap;
pub use progress::{Progress, Unfinished};
pub use settings::{Settings, check_timeout, invalid};
pub use tags::{Tags, json_of, text_of};
pub use taken::Taken;
