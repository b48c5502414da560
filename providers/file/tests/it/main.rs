//! The file provider on a real file system.

mod faults;
mod formats;
mod rotation;
#[path = "../support/mod.rs"]
mod support;
