#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

// What is found.
mod category;
mod found;

// Secrets that a key before them tells.
mod forms;
mod json;
mod keys;
mod lists;
mod told;
mod value;

// Secrets that their shape tells.
#[cfg(feature = "patterns")]
mod patterns;

mod text;

pub use category::{Category, UnknownCategory};
pub use found::{Found, replace};
pub use keys::Keys;
#[cfg(feature = "patterns")]
pub use patterns::{BadRule, Patterns};
