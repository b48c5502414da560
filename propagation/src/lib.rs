#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod propagator;

mod b3;
mod baggage;
mod datadog;
mod jaeger;
mod tracecontext;
mod xray;

mod header;
mod hex;

pub use b3::B3Propagator;
pub use baggage::{Baggage, BaggageEntry, BaggagePropagator};
pub use datadog::DatadogPropagator;
pub use jaeger::JaegerPropagator;
pub use propagator::{DEFAULT_NAMES, Extracted, NAMES, Outgoing, Propagator, by_name};
pub use tracecontext::TraceContextPropagator;
pub use xray::XRayPropagator;
