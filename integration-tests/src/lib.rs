//! What the tests of whole systems share.

pub mod backend;
pub mod compiler;
pub mod otlp_json;
pub mod otlp_sink;
pub mod plugins;
pub mod process;
pub mod requests;
pub mod seeds;
pub mod stage;
pub mod trace_file;

/// The README's snippets compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
