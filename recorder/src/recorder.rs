use std::cell::RefCell;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use spandrel_plugin_api::diagnostics::Level;
use spandrel_plugin_api::{
    Attribute, Deadline, Error, Event, Link, Resource, SpanContext, SpanExporter, SpanStart, SpanState, Stats, Status,
    Timestamp, TracingProvider,
};

use crate::branch::tell;
use crate::config::RecorderConfig;
use crate::core::Core;
use crate::losses::LossReason;
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

impl Recorder {
    /// Begins a span that the caller keeps.
    #[inline]
    pub fn start(&self, span: &mut RunningSpan, start: &SpanStart<'_>) {
        let core = self.core();
        let scope = core.scopes.number(&start.scope);
        span.begin(start, scope, &core.config.limits);
    }

    /// As [`start`](Self::start), for an internal span of the usual scope that has only a name.
    #[inline(always)]
    pub fn start_named(
        &self,
        span: &mut RunningSpan,
        name: &str,
        context: &SpanContext,
        parent: Option<&SpanContext>,
        time: Timestamp,
    ) {
        span.begin_named(name, context, parent, time, &self.core().config.limits);
    }

    /// Ends it; what the caller keeps is empty then.
    #[inline(always)]
    pub fn end(&self, span: &mut RunningSpan, end: Timestamp) {
        let core = self.core();
        if !span.is_ours() {
            core.lose(LossReason::Forked);
        } else if core.is_closed() {
            core.lose(LossReason::AfterShutdown);
        } else {
            let (scope, bytes) = span.finish(end);
            if bytes.len() > core.config.batch.queue_bytes {
                core.lose(LossReason::TooLarge);
            } else {
                writers::record(core, scope, bytes);
            }
            if core.is_retired() {
                core.ensure_workers();
            }
            if core.is_closed() {
                // Shutdown came in between and may have collected already.
                core.collect();
            }
        }
        span.clear();
    }

    /// Sets the outcome, as [`TracingProvider::set_span_status`] does.
    pub fn set_status(&self, span: &mut RunningSpan, status: Status<'_>) {
        span.set_status(status);
    }

    /// Replaces the name.
    pub fn set_name(&self, span: &mut RunningSpan, name: &str) {
        span.set_name(name);
    }

    /// Sets attributes; a key that is there already gets the new value.
    #[inline]
    pub fn add_attributes(&self, span: &mut RunningSpan, attributes: &[Attribute<'_>]) {
        span.set_attributes(attributes);
    }

    /// Adds something that happened.
    #[inline]
    pub fn add_event(&self, span: &mut RunningSpan, event: &Event<'_>) {
        span.add_event(event, &self.core().config.limits);
    }

    /// Adds a relation to another span.
    pub fn add_link(&self, span: &mut RunningSpan, link: &Link<'_>) {
        span.add_link(link, &self.core().config.limits);
    }
}

impl TracingProvider for Recorder {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        let pooled = POOL.try_with(|pool| pool.try_borrow_mut().ok()?.pop()).ok().flatten();
        let mut span = pooled.unwrap_or_default();
        self.start(&mut span, start);
        SpanState::boxed(span)
    }

    fn end_span(&self, span: SpanState, end: Timestamp) {
        let Some(mut span) = span.downcast::<RunningSpan>() else { return };
        self.end(&mut span, end);
        // While the thread-locals of an ending thread are destroyed there is no pool.
        let _ = POOL.try_with(|pool| {
            if let Ok(mut pool) = pool.try_borrow_mut()
                && pool.len() < MAX_POOLED
            {
                pool.push(span);
            }
        });
    }

    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>) {
        if let Some(span) = span.downcast_mut::<RunningSpan>() {
            self.set_status(span, status);
        }
    }

    fn set_span_name(&self, span: &mut SpanState, name: &str) {
        if let Some(span) = span.downcast_mut::<RunningSpan>() {
            self.set_name(span, name);
        }
    }

    fn add_span_attributes(&self, span: &mut SpanState, attributes: &[Attribute<'_>]) {
        if let Some(span) = span.downcast_mut::<RunningSpan>() {
            self.add_attributes(span, attributes);
        }
    }

    fn add_span_event(&self, span: &mut SpanState, event: &Event<'_>) {
        if let Some(span) = span.downcast_mut::<RunningSpan>() {
            self.add_event(span, event);
        }
    }

    fn add_span_link(&self, span: &mut SpanState, link: &Link<'_>) {
        if let Some(span) = span.downcast_mut::<RunningSpan>() {
            self.add_link(span, link);
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
        let was_told = self.core().is_closed();
        if let Err(error) = self.shutdown(Duration::from_secs(1))
            && !was_told
        {
            // Nobody else hears it.
            tell(Level::Warning, &error.to_string());
        }
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recorder({})", self.stats())
    }
}

const MAX_POOLED: usize = 64;

thread_local! {
    /// Spans of hosts that keep a [`SpanState`].
    #[expect(clippy::vec_box, reason = "the boxes travel in and out, their contents stay")]
    static POOL: RefCell<Vec<Box<RunningSpan>>> = const { RefCell::new(Vec::new()) };
}
