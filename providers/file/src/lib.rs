#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod config;
mod exporter;

mod compress;
mod encode;
mod recover;
mod rotate;
mod sync;
mod time;
mod trace_file;

pub use config::{Compression, Durability, FileConfig, Format, Rotation};
pub use exporter::{FileExporter, FileFactory};
