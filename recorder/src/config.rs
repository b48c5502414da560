use std::time::Duration;

use spandrel_plugin_api::InstrumentationScope;

/// How a [`Recorder`](crate::Recorder) records.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RecorderConfig {
    /// What a span may hold.
    pub limits: SpanLimits,
    /// How finished spans travel.
    pub batch: BatchConfig,
    /// The scope of nearly all spans, which is found the quickest.
    pub scope: InstrumentationScope<'static>,
}

/// What one span may hold; what is over is dropped and counted in the span.
///
/// Source: OpenTelemetry specification, Trace SDK, "Span Limits".
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanLimits {
    /// Attributes of a span; default 128.
    pub attributes: usize,
    /// Events of a span; default 128.
    pub events: usize,
    /// Links of a span; default 128.
    pub links: usize,
    /// Attributes of an event; default 128.
    pub event_attributes: usize,
    /// Attributes of a link; default 128.
    pub link_attributes: usize,
    /// Characters of a text value, the rest is cut off; default no limit.
    pub value_chars: usize,
}

/// How finished spans travel to the exporters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchConfig {
    /// A batch is exported once it has this many bytes; default 256 KiB.
    pub max_bytes: usize,
    /// A smaller batch is exported after this time; default 1 s.
    pub delay: Duration,
    /// Finished spans that wait for an exporter, in bytes; default 16 MiB. Each
    /// recording thread has one block of 64 KiB besides.
    pub queue_bytes: usize,
    /// What happens when the queue is full.
    pub on_full: OverflowPolicy,
}

/// What happens to a finished span when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OverflowPolicy {
    /// It is lost and counted: the service is never delayed.
    #[default]
    Drop,
    /// The service waits for room: nothing is lost while the exporter works.
    Block,
}

impl Default for SpanLimits {
    fn default() -> Self {
        Self {
            attributes: 128,
            events: 128,
            links: 128,
            event_attributes: 128,
            link_attributes: 128,
            value_chars: usize::MAX,
        }
    }
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            max_bytes: 256 << 10,
            delay: Duration::from_secs(1),
            queue_bytes: 16 << 20,
            on_full: OverflowPolicy::Drop,
        }
    }
}
