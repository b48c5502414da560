#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod config;
mod exporter;

mod encode;
mod remote;

pub use config::ZipkinConfig;
pub use exporter::{ZipkinExporter, ZipkinFactory};
pub use spandrel_post::{HeaderMap, Settings};
