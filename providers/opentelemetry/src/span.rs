use std::borrow::Cow;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanContext, Status};
use opentelemetry_sdk::trace::Span as SdkSpan;
use spandrel_plugin_api as api;

use crate::processor::{self, Completion, Processors};

/// A span of the facade that runs; what its `SpanState` keeps.
///
/// Dropped without an end it is exported nowhere, whoever still has its context.
#[derive(Debug)]
pub(crate) struct RunningSpan(Arc<SharedSpan>);

/// A span of the facade as OpenTelemetry sees it: entered, it is the span of the current
/// context, so that instrumented libraries can write on it and make it a parent.
#[derive(Debug)]
pub(crate) struct SharedSpan {
    pub(crate) facade_context: api::SpanContext,
    context: SpanContext,
    processors: Arc<Processors>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once it has ended.
    span: Option<SdkSpan>,
    start: SystemTime,
    status: Status,
    /// Those set after the start.
    attributes: Vec<KeyValue>,
    dropped_attributes: u32,
}

/// A reference to it that OpenTelemetry takes for a span.
#[derive(Debug)]
pub(crate) struct SpanHandle(pub(crate) Arc<SharedSpan>);

impl RunningSpan {
    pub(crate) fn new(start: &api::SpanStart<'_>, context: SpanContext, span: SdkSpan, to: Arc<Processors>) -> Self {
        let state = State {
            span: Some(span),
            start: crate::encode::time(start.time),
            status: Status::Unset,
            attributes: Vec::new(),
            dropped_attributes: 0,
        };
        Self(Arc::new(SharedSpan {
            facade_context: start.context.clone(),
            context,
            processors: to,
            state: Mutex::new(state),
        }))
    }

    pub(crate) const fn shared(&self) -> &Arc<SharedSpan> {
        &self.0
    }

    /// The process in which it started.
    pub(crate) fn process(&self) -> u32 {
        self.0.processors.process
    }

    /// Leaves it alone for ever: it belongs to the parent of this process, with locks
    /// that nobody here may release.
    pub(crate) fn forget(self) {
        let _ = ManuallyDrop::new(self);
    }
}

impl Drop for RunningSpan {
    fn drop(&mut self) {
        if let Some(span) = self.0.lock().span.take() {
            processor::discard(|| drop(span));
        }
    }
}

impl SharedSpan {
    pub(crate) fn set_attribute(&self, attribute: KeyValue) {
        let limit = self.processors.limits.max_attributes_per_span as usize;
        let state = &mut *self.lock();
        if let Some(known) = state.attributes.iter_mut().find(|known| known.key == attribute.key) {
            known.value = attribute.value;
        } else if state.attributes.len() < limit {
            state.attributes.push(attribute);
        } else {
            state.dropped_attributes += 1;
        }
    }

    /// `Ok` is final, `Unset` says nothing, and the last error counts; if it has no
    /// text, that of an earlier one says more.
    pub(crate) fn set_status(&self, status: Status) {
        let mut state = self.lock();
        match (&state.status, &status) {
            (Status::Ok, _) | (_, Status::Unset) => {}
            (Status::Error { .. }, Status::Error { description }) if description.is_empty() => {}
            _ => state.status = status,
        }
    }

    /// Calls `edit` with the span of the SDK, unless it has ended.
    pub(crate) fn edit(&self, edit: impl FnOnce(&mut SdkSpan)) {
        if let Some(span) = &mut self.lock().span {
            edit(span);
        }
    }

    /// Ends it, unless somebody has already.
    pub(crate) fn end(&self, end: SystemTime) {
        let mut state = self.lock();
        let Some(mut span) = state.span.take() else { return };
        let completion = Completion {
            context: self.context.clone(),
            status: std::mem::take(&mut state.status),
            attributes: std::mem::take(&mut state.attributes),
            dropped_attributes: state.dropped_attributes,
        };
        // A clock that was set back makes no negative duration.
        let end = end.max(state.start);
        drop(state);
        if !processor::complete(completion, || span.end_with_timestamp(end)) {
            self.processors.ledger.record_late();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl opentelemetry::trace::Span for SpanHandle {
    fn add_event_with_timestamp<T>(&mut self, name: T, timestamp: SystemTime, attributes: Vec<KeyValue>)
    where
        T: Into<Cow<'static, str>>,
    {
        self.0.edit(|span| span.add_event_with_timestamp(name, timestamp, attributes));
    }

    fn span_context(&self) -> &SpanContext {
        &self.0.context
    }

    fn is_recording(&self) -> bool {
        self.0.lock().span.as_ref().is_some_and(SdkSpan::is_recording)
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        self.0.set_attribute(attribute);
    }

    fn set_status(&mut self, status: Status) {
        self.0.set_status(status);
    }

    fn update_name<T>(&mut self, new_name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        self.0.edit(|span| span.update_name(new_name));
    }

    fn add_link(&mut self, span_context: SpanContext, attributes: Vec<KeyValue>) {
        self.0.edit(|span| span.add_link(span_context, attributes));
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        self.0.end(timestamp);
    }
}
