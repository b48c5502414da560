#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

// What services call.
mod builder;
mod client;
mod error;
mod events;
mod request;
mod response;
mod retry;

// What happens to a call.
mod call;
mod exchange;
mod redirect;
mod send;

// What is known on the way.
mod attributes;
mod budget;
mod connect;
mod headers;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "metrics_absent.rs"]
mod metrics;
mod url;

pub use builder::ApiClientBuilder;
pub use client::ApiClient;
pub use connect::Timings;
pub use error::{ClientError, ClientErrorKind};
pub use events::{Event, Events};
pub use request::Request;
pub use response::Response;
pub use retry::Retry;

pub use bytes::Bytes;
pub use reqwest;
pub use reqwest::{Method, StatusCode, header};
