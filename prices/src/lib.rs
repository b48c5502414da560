#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

// What was used.
mod answer;
mod usage;

// What it costs.
mod cost;
mod model;
mod money;
mod rates;
mod table;

// Where the prices come from and how they are found.
mod file;
mod matcher;
mod names;
mod recent;

// What that needs.
mod decimal;
mod error;
mod time;

pub use answer::Answer;
pub use cost::{Call, Cost};
pub use error::{Error, ErrorKind};
pub use model::Model;
pub use money::NanoUsd;
pub use rates::Rates;
pub use table::PriceTable;
pub use usage::Usage;
