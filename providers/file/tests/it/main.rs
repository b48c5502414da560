//! The file provider on a real file system.

mod faults;
mod formats;
mod rotation;
mod support;
mod writers;
