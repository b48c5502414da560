#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod client;
mod error;
mod request;
mod response;

mod attributes;
mod retry;
mod span;
mod url;

pub use client::{ApiClient, ApiClientBuilder};
pub use error::{ClientError, ClientErrorKind};
pub use request::Request;
pub use response::Response;

pub use reqwest;
pub use reqwest::{Method, StatusCode, header};
