use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spandrel_plugin_api::{
    Attribute, Error, Event, Host, Link, Provider, ProviderFactory, SpanStart, SpanState, Stats, Status, Timestamp,
    TracingProvider,
};

/// Makes [`Counting`]s.
pub(crate) struct CountingFactory;

/// Counts spans and the bytes of their names and attributes, and keeps a box for each.
#[derive(Default)]
pub(crate) struct Counting {
    ended: AtomicU64,
    bytes: AtomicU64,
}

/// What it keeps of a span.
struct Running {
    bytes: u64,
}

impl ProviderFactory for CountingFactory {
    fn name(&self) -> &str {
        "counting"
    }

    fn create(&self, _: &str, _: &Host<'_>) -> Result<Provider, Error> {
        Ok(Provider::Live(Box::new(Counting::default())))
    }
}

impl TracingProvider for Counting {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        let bytes = start.name.len() + start.attributes.iter().map(|a| a.key.len()).sum::<usize>();
        SpanState::boxed(Box::new(Running { bytes: bytes as u64 }))
    }

    fn end_span(&self, span: SpanState, _: Timestamp) {
        let running = span.downcast::<Running>();
        self.ended.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(running.map_or(0, |running| running.bytes), Ordering::Relaxed);
    }

    fn set_span_status(&self, _: &mut SpanState, _: Status<'_>) {}

    fn set_span_name(&self, _: &mut SpanState, _: &str) {}

    fn add_span_attributes(&self, span: &mut SpanState, attributes: &[Attribute<'_>]) {
        if let Some(running) = span.downcast_mut::<Running>() {
            running.bytes += attributes.iter().map(|a| a.key.len() as u64).sum::<u64>();
        }
    }

    fn add_span_event(&self, span: &mut SpanState, event: &Event<'_>) {
        if let Some(running) = span.downcast_mut::<Running>() {
            running.bytes += event.name.len() as u64;
        }
    }

    fn add_span_link(&self, _: &mut SpanState, _: &Link<'_>) {}

    fn force_flush(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }

    fn shutdown(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }

    fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        stats.recorded = self.ended.load(Ordering::Relaxed);
        stats
    }
}
