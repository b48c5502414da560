//! The one processor that the SDK knows: it counts, completes the spans of the facade and
//! hands them to all others.

use std::cell::Cell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use opentelemetry::trace::{SpanContext, Status};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanLimits, SpanProcessor};
use spandrel_plugin_api::diagnostics::{Level, report};
use spandrel_plugin_api::panics;

use crate::ledger::Ledger;

/// All processors of a pipeline.
pub(crate) struct Processors {
    /// The process that made it. Its threads and locks are of no use to a forked one.
    pub(crate) process: u32,
    pub(crate) ledger: Arc<Ledger>,
    /// Those of the branches.
    pub(crate) names: Vec<String>,
    pub(crate) limits: SpanLimits,
    /// By the numbers of their branches.
    pub(crate) batches: Vec<BatchSpanProcessor>,
    pub(crate) others: Vec<Other>,
}

/// A processor of the user's, of which nothing is counted.
pub(crate) struct Other {
    pub(crate) processor: Box<dyn SpanProcessor>,
    panics: AtomicU32,
}

/// What the SDK is given of [`Processors`].
#[derive(Debug, Clone)]
pub(crate) struct SharedProcessors(pub(crate) Arc<Processors>);

/// What the SDK does not keep of a span as the facade wants it.
pub(crate) struct Completion {
    /// With the flags and the trace state of the facade; a root of the SDK has no random flag.
    pub(crate) context: SpanContext,
    /// The SDK compares errors by their texts.
    pub(crate) status: Status,
    /// The SDK keeps equal keys twice.
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) dropped_attributes: u32,
}

/// How a span of the facade comes to its end on this thread.
enum Ending {
    Complete(Completion),
    /// It was dropped without an end.
    Discard,
}

thread_local! {
    /// Without a destructor, as spans end during the destruction of thread-locals, too.
    static ENDING: Cell<Option<ManuallyDrop<Box<Ending>>>> = const { Cell::new(None) };
}

/// Ends a span of the SDK by `end`; false if the SDK was shut down and ignored it.
pub(crate) fn complete(completion: Completion, end: impl FnOnce()) -> bool {
    during(Ending::Complete(completion), end)
}

/// Drops a span of the SDK by `drop` so that it is exported nowhere.
pub(crate) fn discard(drop: impl FnOnce()) {
    during(Ending::Discard, drop);
}

/// Whether [`Processors::on_end`] heard of it.
fn during(ending: Ending, end: impl FnOnce()) -> bool {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            drop(take_ending());
        }
    }
    ENDING.set(Some(ManuallyDrop::new(Box::new(ending))));
    let _reset = Reset;
    end();
    take_ending().is_none()
}

fn take_ending() -> Option<Box<Ending>> {
    ENDING.take().map(ManuallyDrop::into_inner)
}

impl Processors {
    /// Asks the workers of the SDK once more to end.
    pub(crate) fn shutdown_batches(&self, timeout: Duration) {
        for batch in &self.batches {
            // The ledger knows better what came of it.
            let _ = batch.shutdown_with_timeout(timeout);
        }
    }

    fn on_start(&self, span: &mut Span, context: &Context) {
        for other in &self.others {
            other.call(|processor| processor.on_start(span, context));
        }
    }

    fn on_end(&self, mut span: SpanData) {
        let ending = take_ending();
        if self.process != std::process::id() {
            return;
        }
        match ending.map(|ending| *ending) {
            Some(Ending::Discard) => return,
            Some(Ending::Complete(completion)) => completion.apply(&mut span, self.limits),
            None => {}
        }
        let taken = self.ledger.record();
        for other in &self.others {
            other.call(|processor| processor.on_end(span.clone()));
        }
        let mut batches = self.batches.iter().zip(taken).filter(|(_, taken)| *taken).map(|(batch, _)| batch);
        let Some(last) = batches.next_back() else { return };
        batches.for_each(|batch| batch.on_end(span.clone()));
        last.on_end(span);
    }

    /// Calls every processor, so that none is left out because of another, and says what
    /// went wrong with those of the user.
    fn for_each(
        &self,
        batch: impl Fn(&BatchSpanProcessor),
        other: impl Fn(&dyn SpanProcessor) -> OTelSdkResult,
    ) -> OTelSdkResult {
        self.batches.iter().for_each(batch);
        let results: Vec<OTelSdkResult> = self.others.iter().filter_map(|o| o.call(&other)).collect();
        results.into_iter().collect()
    }
}

impl Completion {
    fn apply(self, span: &mut SpanData, limits: SpanLimits) {
        span.span_context = self.context;
        if self.status != Status::Unset {
            span.status = self.status;
        }
        span.dropped_attributes_count += self.dropped_attributes;
        for attribute in self.attributes {
            if let Some(known) = span.attributes.iter_mut().find(|known| known.key == attribute.key) {
                known.value = attribute.value;
            } else if span.attributes.len() < limits.max_attributes_per_span as usize {
                span.attributes.push(attribute);
            } else {
                span.dropped_attributes_count += 1;
            }
        }
    }
}

impl Other {
    const MAX_PANICS: u32 = 3;

    pub(crate) fn new(processor: Box<dyn SpanProcessor>) -> Self {
        Self { processor, panics: AtomicU32::new(0) }
    }

    /// `None` if it panics, and always after three times.
    fn call<R>(&self, call: impl FnOnce(&dyn SpanProcessor) -> R) -> Option<R> {
        if self.panics.load(Ordering::Relaxed) >= Self::MAX_PANICS {
            return None;
        }
        let result = panics::contained(|| call(&*self.processor));
        if result.is_none() && self.panics.fetch_add(1, Ordering::Relaxed) + 1 == Self::MAX_PANICS {
            let text = format!("a span processor panicked {} times and is out of service now", Self::MAX_PANICS);
            report(Level::Warning, &text);
        }
        result
    }
}

impl SpanProcessor for SharedProcessors {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.0.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        self.0.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.for_each(|batch| drop(batch.force_flush()), |other| other.force_flush())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.ledger.close();
        let shutdown = |other: &dyn SpanProcessor| match other.shutdown_with_timeout(timeout) {
            Err(OTelSdkError::AlreadyShutdown) => Ok(()),
            result => result,
        };
        self.0.for_each(|batch| drop(batch.shutdown_with_timeout(timeout)), shutdown)
    }
}

impl fmt::Debug for Processors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Processors({} batches, {} others)", self.batches.len(), self.others.len())
    }
}
