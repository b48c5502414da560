#![doc = include_str!("docs.md")]
#![deny(unsafe_code)]

// What services call.
mod attributes;
mod attrs;
mod builder;
mod closures;
mod context;
mod current;
mod future;
mod operations;
mod propagation;
mod runtime;
mod span;

// What happens on the way to the provider.
mod accompanied;
mod chain;
mod clock;
mod fanout;
mod id;
mod open_spans;
mod redaction;
mod sampler;
mod tracer;

// How it is set up and taken down.
#[cfg(feature = "config")]
mod config;
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
mod exit;
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
#[path = "exit_unsupported.rs"]
mod exit;
mod global;
#[cfg(feature = "dylib")]
mod loader;
#[cfg(feature = "dylib")]
mod plugins;
#[cfg(not(feature = "dylib"))]
#[path = "plugins_unsupported.rs"]
mod plugins;
mod prometheus;
mod registry;
mod report;
mod setup;

pub mod bridge;
#[cfg(feature = "config")]
#[doc(hidden)]
pub mod inspect;
pub mod provider;
#[cfg(feature = "tokio")]
mod spawn;
#[cfg(feature = "memory")]
pub mod testing;
#[cfg(feature = "macros")]
mod traced;

pub use builder::{Parent, SpanBuilder, span};
pub use closures::{try_with_span, with_span};
pub use context::{Context, ContextGuard, ambient_attribute, extension, with_attributes};
pub use current::{
    add_event, add_event_at, add_link, current, is_recording, record_error, set_attribute, set_attribute_lazy,
    set_attributes, set_name, set_status,
};
pub use future::{InContext, InSpan, InSpanExt, InSpanMut, TryInSpan, try_with_span_async, with_span_async};
pub use open_spans::OpenSpan;
pub use prometheus::prometheus;
pub use propagation::{Trust, extract, extract_with, inject};
pub use redaction::{REDACTED, redactions};
pub use report::{Report, ShutdownError};
pub use runtime::{disable, enable, flush, is_enabled, open_spans, reload, set_provider, shutdown, stats, tracer};
pub use sampler::{Sampler, SamplerRule, SamplingInput};
#[cfg(feature = "config")]
pub use setup::init;
pub use setup::{Builder, Guard, builder};
pub use span::{Entered, Span, SpanRef, start_span};
#[cfg(feature = "tokio")]
pub use spawn::{spawn, spawn_blocking};
pub use tracer::Tracer;

pub use provider::{Provider, ProviderFactory, SpanExporter, TracingProvider};
#[cfg(feature = "macros")]
pub use spandrel_macros::traced;
pub use spandrel_plugin_api::diagnostics;
pub use spandrel_plugin_api::{
    Attribute, BranchStats, Carrier, CarrierMut, Dropped, Error, ErrorKind, EventData, InstrumentationScope, LinkData,
    OwnedAttribute, OwnedValue, SpanContext, SpanData, SpanId, SpanKind, Stats, Status, StatusData, ToValue,
    TraceFlags, TraceId, TraceState, Value,
};
pub use spandrel_propagation::Baggage;
pub use spandrel_recorder::{BatchConfig, OverflowPolicy, SpanLimits};

#[doc(hidden)]
pub mod __private {
    #[cfg(feature = "macros")]
    pub use crate::traced::{
        Call, MAX_BYTES, Outcome, RETURN, call, capture, debug_text, expected, in_span, in_span_mut, record, start,
        start_as,
    };
    pub use spandrel_plugin_api::suggest::nearest;
    pub use spandrel_plugin_api::{Attribute, SpanKind, ToValue};
}
