#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod ids;
mod json;
mod logger;

pub use ids::{Ids, SPAN_ID, TRACE_FLAGS, TRACE_ID, ids};
pub use json::write_json;
pub use logger::Logger;
