#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod config;
mod exporter;

mod encode;
mod endpoint;
mod split;

mod failure;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "tls_unsupported.rs"]
mod tls;
mod transport;

mod answer;
mod grpc;
mod http;

pub use config::{Compression, OtlpConfig, Protocol};
pub use exporter::{OtlpExporter, OtlpFactory};
pub use reqwest::header::HeaderMap;
