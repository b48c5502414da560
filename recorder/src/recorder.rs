use std::sync::{Arc, OnceLock};
use std::time::Duration;

use spandrel_plugin_api::wire::{self, field};
use spandrel_plugin_api::{
    Attribute, Deadline, Error, Event, Link, Resource, SpanExporter, SpanStart, SpanState, Stats, Status, Timestamp,
    TracingProvider,
};

use crate::branch::LossReason;
use crate::config::RecorderConfig;
use crate::core::Core;
use crate::span::RunningSpan;
use crate::{fork, writers};

/// A provider that records spans and hands them to one or more exporters.
///
/// Dropping it shuts it down, with a deadline of one second.
pub struct Recorder {
    process: Process,
}

/// The core of this process, and those of the forked children below it.
struct Process {
    core: Arc<Core>,
    child: OnceLock<Box<Process>>,
}

impl Recorder {
    /// A recorder over these exporters; each has a name for statistics and messages.
    #[must_use]
    pub fn new(config: RecorderConfig, resource: &Resource, exporters: Vec<(String, Box<dyn SpanExporter>)>) -> Self {
        fork::install();
        let core = Arc::new(Core::new(config, resource, exporters));
        Self { process: Process { core, child: OnceLock::new() } }
    }

    #[inline]
    fn core(&self) -> &Arc<Core> {
        let mut process = &self.process;
        let generation = fork::generation();
        while process.core.generation() != generation {
            process = process.child.get_or_init(|| {
                let core = Arc::new(Core::after_fork(&process.core));
                Box::new(Process { core, child: OnceLock::new() })
            });
        }
        &process.core
    }
}

impl TracingProvider for Recorder {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        let core = self.core();
        let scope = core.scope(&start.scope);
        SpanState::boxed(RunningSpan::start(start, scope, &core.config.limits))
    }

    fn end_span(&self, span: SpanState, end: Timestamp) {
        let Some(span) = span.downcast::<RunningSpan>() else { return };
        let core = self.core();
        if !span.is_ours() {
            return core.lose(LossReason::Forked);
        }
        if core.is_closed() {
            return core.lose(LossReason::AfterShutdown);
        }
        span.finish(end, |scope, head, body| {
            let (tag, tag_len) = span_head(head.len() + body.len());
            let parts = [&tag[..tag_len], head, body];
            let len = parts.iter().map(|part| part.len()).sum::<usize>();
            if len > core.config.batch.queue_bytes {
                core.lose(LossReason::TooLarge);
            } else {
                writers::record(core, scope, parts);
            }
        });
        if core.is_retired() {
            core.ensure_workers();
        }
        if core.is_closed() {
            // Shutdown came in between and may have collected already.
            core.collect();
        }
    }

    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>) {
        if let Some(span) = span.downcast_mut::<RunningSpan>() {
            span.set_status(status);
        }
    }

    fn set_span_name(&self, span: &mut SpanState, name: &str) {
        if let Some(span) = span.downcast_mut::<RunningSpan>() {
            span.set_name(name);
        }
    }

    fn add_span_attributes(&self, span: &mut SpanState, attributes: &[Attribute<'_>]) {
        if let Some(span) = span.downcast_mut::<RunningSpan>() {
            span.set_attributes(attributes, &self.core().config.limits);
        }
    }

    fn add_span_event(&self, span: &mut SpanState, event: &Event<'_>) {
        if let Some(span) = span.downcast_mut::<RunningSpan>() {
            span.add_event(event, &self.core().config.limits);
        }
    }

    fn add_span_link(&self, span: &mut SpanState, link: &Link<'_>) {
        if let Some(span) = span.downcast_mut::<RunningSpan>() {
            span.add_link(link, &self.core().config.limits);
        }
    }

    /// Spans of the parent are left to it, and the child gets a worker of its own.
    fn on_fork(&self) -> bool {
        true
    }

    fn force_flush(&self, deadline: Duration) -> Result<(), Error> {
        self.core().flush(Deadline::after(deadline))
    }

    fn retire(&self) {
        self.core().retire();
    }

    fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        self.core().shutdown(Deadline::after(deadline))
    }

    fn stats(&self) -> Stats {
        self.core().stats()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // There is nobody to tell; what was lost can be read before.
        let _ = self.shutdown(Duration::from_secs(1));
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorder({})", self.stats())
    }
}

/// The head of a span of `len` bytes as a field of `ScopeSpans`, and its length.
fn span_head(len: usize) -> ([u8; 11], usize) {
    const TAG: u8 = (field::SCOPE_SPANS_SPANS << 3 | 2) as u8;
    let mut head = [TAG; 11];
    let digits = wire::varint_len(len as u64);
    for (i, byte) in head[1..=digits].iter_mut().enumerate() {
        let more = if i + 1 < digits { 0x80 } else { 0 };
        *byte = (len >> (7 * i)) as u8 & 0x7f | more;
    }
    (head, 1 + digits)
}
