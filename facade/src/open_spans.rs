use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use spandrel_plugin_api::{SpanContext, SpanId};
use spandrel_recorder::fork;

/// A span that has started and not ended, for people who look for a leak.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OpenSpan {
    /// The name that it started with.
    pub name: String,
    /// Its ids.
    pub context: SpanContext,
    /// Its parent.
    pub parent: Option<SpanId>,
    /// How long it has been open.
    pub age: Duration,
    /// The thread that started it.
    pub thread: String,
}

/// The open spans, kept only where the configuration asks for it.
#[derive(Debug)]
pub(crate) struct OpenSpans {
    /// A forked child may inherit the lock in the locked state.
    generation: u64,
    spans: Mutex<HashMap<SpanId, (OpenSpan, Instant)>>,
}

impl OpenSpans {
    pub(crate) fn new() -> Self {
        Self { generation: fork::generation(), spans: Mutex::default() }
    }

    pub(crate) fn insert(&self, name: &str, context: &SpanContext, parent: Option<&SpanContext>) {
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let parent = parent.map(SpanContext::span_id);
        let span = OpenSpan { name: name.to_owned(), context: context.clone(), parent, age: Duration::ZERO, thread };
        if let Some(mut spans) = self.lock() {
            spans.insert(context.span_id(), (span, Instant::now()));
        }
    }

    pub(crate) fn remove(&self, id: SpanId) {
        if let Some(mut spans) = self.lock() {
            spans.remove(&id);
        }
    }

    /// The open spans, the oldest first.
    pub(crate) fn list(&self) -> Vec<OpenSpan> {
        let Some(spans) = self.lock() else { return Vec::new() };
        // One moment for all, as the ages make the order.
        let now = Instant::now();
        let aged = |(span, began): &(OpenSpan, Instant)| OpenSpan { age: now.duration_since(*began), ..span.clone() };
        let mut spans: Vec<OpenSpan> = spans.values().map(aged).collect();
        spans.sort_by_key(|span| std::cmp::Reverse(span.age));
        spans
    }

    fn lock(&self) -> Option<MutexGuard<'_, HashMap<SpanId, (OpenSpan, Instant)>>> {
        let is_ours = self.generation == fork::generation();
        is_ours.then(|| self.spans.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
