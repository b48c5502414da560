use std::borrow::Cow;
use std::time::Duration;

use crate::{Error, SpanReader};

/// Where finished spans go.
///
/// A recorder collects the spans of all threads and calls the exporter from one
/// worker thread, one call at a time. Calls may block; tracing calls made
/// inside them do nothing. A panic is caught and counted, and after three the
/// exporter is taken out of service.
pub trait SpanExporter: Send {
    /// Delivers one batch of finished spans, in one attempt.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if it may work later: the same spans
    /// come again, perhaps in another batch, after [`Error::retry_after`] or a time that the recorder
    /// chooses. Any other error is final and counts all spans of the batch as lost, or with
    /// [`ErrorKind::SpansLost`](crate::ErrorKind::SpansLost) as many as [`Error::spans_lost`] says.
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error>;

    /// Makes sure that exported batches have left this process, within `deadline`.
    ///
    /// # Errors
    ///
    /// What kept it from doing so.
    fn flush(&mut self, deadline: Duration) -> Result<(), Error> {
        let _ = deadline;
        Ok(())
    }

    /// Where spans go, for messages: a URL without secrets. Empty if there is nothing to say.
    fn destination(&self) -> String {
        String::new()
    }

    /// Called about once per batch interval while nothing is exported.
    fn on_idle(&mut self) {}

    /// Called in the child after a fork, before the first export there.
    fn on_fork(&mut self) {}

    /// How many panics were caught below this exporter, as those in a plugin are. Each
    /// counts as one of the exporter.
    fn panics(&self) -> u32 {
        0
    }

    /// Flushes and releases everything, within `deadline`. Nothing is exported afterwards.
    ///
    /// # Errors
    ///
    /// What kept it from doing so.
    fn shutdown(&mut self, deadline: Duration) -> Result<(), Error> {
        self.flush(deadline)
    }
}

/// Finished spans as OTLP protobuf.
///
/// The parts, concatenated, are one `ExportTraceServiceRequest`, which is on the
/// wire the same as `TracesData`. No span, resource or scope crosses from one
/// part into the next.
///
/// Source: opentelemetry-proto, `trace.proto`, version 1.x.
#[derive(Debug, Clone, Copy)]
pub struct SpanBatch<'a> {
    parts: &'a [&'a [u8]],
    spans: usize,
}

impl<'a> SpanBatch<'a> {
    /// A batch of `spans` spans in these parts.
    #[must_use]
    pub const fn new(parts: &'a [&'a [u8]], spans: usize) -> Self {
        Self { parts, spans }
    }

    /// The message in pieces, ready for a vectored write.
    #[must_use]
    pub const fn parts(&self) -> &'a [&'a [u8]] {
        self.parts
    }

    /// How many spans there are.
    #[must_use]
    pub const fn span_count(&self) -> usize {
        self.spans
    }

    /// How many bytes the message has.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.parts.iter().map(|part| part.len()).sum()
    }

    /// The message in one piece; copies only if there is more than one part.
    #[must_use]
    pub fn to_bytes(&self) -> Cow<'a, [u8]> {
        match self.parts {
            [part] => Cow::Borrowed(part),
            parts => Cow::Owned(parts.concat()),
        }
    }

    /// Reads the spans without copying them.
    ///
    /// # Errors
    ///
    /// Each item is an error if the bytes are malformed; it is the last one then.
    #[must_use]
    pub fn spans(&self) -> SpanReader<'a> {
        SpanReader::new(self.parts)
    }
}
