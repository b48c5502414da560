use std::path::PathBuf;
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
    /// Where finished spans lie while they cannot be exported; default in memory alone.
    pub spool: Option<SpoolConfig>,
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
    /// Finished spans that wait for an exporter, in bytes of memory; default 16 MiB. Each
    /// recording thread has one block of 64 KiB besides, and the exporter the batch in hand.
    pub queue_bytes: usize,
    /// What happens when the queue is full.
    pub on_full: OverflowPolicy,
    /// The longest time that [`OverflowPolicy::Block`] keeps a thread waiting, for a block of
    /// spans; they are lost then. `None`, the default, is for as long as it takes.
    pub block_limit: Option<Duration>,
    /// While the backend is unavailable, the next attempt follows after a random part of this
    /// time, of twice this time, and so on; default 1 s. A backend that says when decides itself,
    /// up to a minute.
    pub retry_first: Duration,
    /// The longest time that [`retry_first`](Self::retry_first) grows to; default 30 s.
    pub retry_max: Duration,
}

/// A folder on disk for spans that cannot be exported now.
///
/// What is written there survives the end of the process, however it ends: the next one with the same folder
/// exports it. That is at least once: after a kill one batch may come twice.
///
/// A folder is for one service, and for any number of processes of it: each has a
/// sub-directory of its own for each exporter, and takes over those that nobody has any more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpoolConfig {
    /// The folder; it is made if it is missing.
    pub dir: PathBuf,
    /// Most bytes on disk for each exporter of a process; default 1 GiB. Beyond it the oldest are lost.
    pub max_bytes: u64,
    /// Spans that lay there for longer are lost; default one day.
    pub max_age: Duration,
}

impl SpoolConfig {
    /// The defaults with this folder.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), max_bytes: 1 << 30, max_age: Duration::from_secs(24 * 60 * 60) }
    }
}

/// What happens to a finished span when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OverflowPolicy {
    /// It is lost and counted: the service is never delayed.
    #[default]
    Drop,
    /// The oldest in the queue are lost and counted instead.
    DropOldest,
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
            block_limit: None,
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_secs(30),
        }
    }
}
