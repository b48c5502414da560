#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod config;
mod exporter;
mod store;

pub use config::MemoryConfig;
pub use exporter::{MemoryExporter, MemoryFactory};
pub use store::MemoryStore;
