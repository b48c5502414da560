#![doc = include_str!("docs.md")]
#![deny(unsafe_code)]

mod carrier;
mod context;
mod deadline;
mod error;
mod exporter;
mod factory;
mod provider;
mod resource;
mod span;
mod stats;
mod value;

mod any_value;
mod reader;
mod span_data;
mod view;
pub mod wire;

pub mod diagnostics;
pub mod json;
pub mod panics;
pub mod suggest;
pub mod suppression;

#[cfg(feature = "abi")]
pub mod abi;
#[cfg(feature = "config")]
pub mod config;

pub use any_value::{AnyValue, Attributes, AttributesIter, Values, ValuesIter};
pub use carrier::{Carrier, CarrierMut};
pub use context::{ParseIdError, SpanContext, SpanId, TraceFlags, TraceId, TraceState};
pub use deadline::Deadline;
pub use error::{Error, ErrorKind};
pub use exporter::{SpanBatch, SpanExporter};
pub use factory::{Host, Provider, ProviderFactory};
pub use provider::{Extraction, TracingProvider};
pub use reader::SpanReader;
pub use resource::Resource;
pub use span::{Event, InstrumentationScope, Link, SpanKind, SpanStart, SpanState, Status, Timestamp};
pub use span_data::{EventData, LinkData, SpanData, StatusData};
pub use stats::{BranchStats, Dropped, Stats};
pub use value::{Attribute, OwnedAttribute, OwnedValue, StrArray, ToValue, Value};
pub use view::{EventView, LinkView, ScopeView, SpanView};
