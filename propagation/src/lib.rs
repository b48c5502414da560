#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod propagator;

mod baggage;
mod tracecontext;

pub use baggage::{Baggage, BaggageEntry, BaggagePropagator};
pub use propagator::{Extracted, NAMES, Outgoing, Propagator, by_name};
pub use tracecontext::TraceContextPropagator;
