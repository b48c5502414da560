#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod config;
mod exporter;

mod encode;
mod thrift;

mod otlp;

pub use config::JaegerConfig;
pub use exporter::{JaegerExporter, JaegerFactory};
pub use spandrel_post::{HeaderMap, Settings};
