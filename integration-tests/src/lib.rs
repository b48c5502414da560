//! What the tests of whole systems share.

pub mod process;
pub mod trace_file;
