#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod endpoint;
mod settings;

mod client;
mod delivery;

mod answer;
mod failure;
mod retry_after;
mod text;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_unsupported.rs"]
mod tls;

mod tags;

#[cfg(feature = "testing")]
pub mod testing;

pub use client::{Client, Server};
pub use delivery::{Delivery, Encode};
pub use endpoint::Endpoint;
pub use settings::Settings;
pub use tags::{Tags, json_of, text_of};
pub use ureq::http::HeaderMap;
