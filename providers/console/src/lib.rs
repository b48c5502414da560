#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod config;
mod exporter;
mod pending;

mod encode;
mod pen;
mod text;
mod tree;

#[cfg(test)]
mod tests;

pub use config::{Color, ConsoleConfig, Format, Output};
pub use exporter::{ConsoleExporter, ConsoleFactory};
