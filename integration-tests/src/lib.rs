//! What the tests of whole systems share.

pub mod otlp_json;
pub mod process;
pub mod trace_file;
