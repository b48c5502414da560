#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod layer;

mod attributes;
mod fields;
mod guests;
mod origin;
mod spans;
mod transport;

#[cfg(feature = "fmt")]
mod format;

#[cfg(feature = "fmt")]
pub use format::WithIds;
pub use layer::{SpandrelLayer, layer};
