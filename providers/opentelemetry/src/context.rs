//! The spans of the facade that this thread is in, as contexts of OpenTelemetry.
//!
//! The guard of an attached context cannot leave its thread, and the facade leaves spans in
//! any order, so the guards lie on a stack of the thread.

use std::cell::RefCell;
use std::sync::Arc;

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, ContextGuard};
use spandrel_plugin_api::SpanContext;

use crate::encode;
use crate::span::{SharedSpan, SpanHandle};

/// Makes a span current.
pub(crate) fn enter(span: &Arc<SharedSpan>) {
    let attach = || Context::current_with_span(SpanHandle(Arc::clone(span))).attach();
    push(Key::of(span), &span.facade_context, attach);
}

pub(crate) fn exit(span: &Arc<SharedSpan>) {
    leave(&Key::of(span), None);
}

/// Makes a context current that is recorded nowhere here: spans of others become its
/// children, sampled or not as it is; under an invalid one they begin new traces.
pub(crate) fn enter_unrecorded(context: &SpanContext) {
    let attach = || {
        let current = Context::current();
        let current = if context.is_valid() { current } else { current.with_value(TraceBegins) };
        current.with_remote_span_context(encode::context(context)).attach()
    };
    push(Key::Unrecorded, context, attach);
}

/// In a context in which there is no span on purpose. OpenTelemetry can only put an invalid
/// one there, which its samplers take for a parent that is not sampled.
struct TraceBegins;

/// Whether a span that starts in the context begins a trace.
pub(crate) fn begins_trace(context: &Context) -> bool {
    context.get::<TraceBegins>().is_some() && !context.span().span_context().is_valid()
}

pub(crate) fn exit_unrecorded(context: &SpanContext) {
    leave(&Key::Unrecorded, Some(context));
}

/// The current span, the facade's or another's.
pub(crate) fn current() -> Option<SpanContext> {
    // Fails while the thread ends, and then there is no current span any more.
    let top = STACK.try_with(|stack| stack.0.borrow().last().map(|entry| entry.context.clone())).ok()?;
    Context::map_current(|context| {
        let span = context.span();
        let current = span.span_context();
        if !current.is_valid() {
            return None;
        }
        let is_top = |top: &SpanContext| {
            top.span_id().to_bytes() == current.span_id().to_bytes()
                && top.trace_id().to_bytes() == current.trace_id().to_bytes()
        };
        // OpenTelemetry may have left something of the facade's own context out.
        Some(top.filter(is_top).unwrap_or_else(|| encode::facade_context(current)))
    })
}

/// The context that a span of the facade starts in, whose span the facade chooses.
pub(crate) fn surrounding() -> Context {
    STACK.try_with(|_| Context::current()).unwrap_or_default()
}

thread_local! {
    static STACK: Stack = Stack::new();
}

struct Stack(RefCell<Vec<Entry>>);

struct Entry {
    key: Key,
    context: SpanContext,
    guard: ContextGuard,
}

#[derive(PartialEq, Eq)]
enum Key {
    /// The address of the span, which its entry keeps alive.
    Span(usize),
    Unrecorded,
}

impl Key {
    fn of(span: &Arc<SharedSpan>) -> Self {
        Self::Span(Arc::as_ptr(span).addr())
    }
}

impl Stack {
    /// Thread-locals are destroyed in the reverse order of their first use: as long as
    /// this one is there, so is that of OpenTelemetry.
    fn new() -> Self {
        Context::map_current(|_| ());
        Self(RefCell::default())
    }
}

impl Drop for Stack {
    /// Its guards may have nothing left to restore.
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(|entry| std::mem::forget(entry.guard));
    }
}

fn push(key: Key, context: &SpanContext, attach: impl FnOnce() -> ContextGuard) {
    let _ = STACK.try_with(|stack| {
        let guard = attach();
        stack.0.borrow_mut().push(Entry { key, context: context.clone(), guard });
    });
}

/// Leaves the innermost entry with this key, and this context if one is given.
fn leave(key: &Key, context: Option<&SpanContext>) {
    let is_it = |entry: &Entry| entry.key == *key && context.is_none_or(|context| entry.context == *context);
    let left = STACK.try_with(|stack| {
        let mut entries = stack.0.borrow_mut();
        let position = entries.iter().rposition(is_it)?;
        Some(entries.remove(position))
    });
    // Dropped after the borrow, as the last reference to a span of others ends it.
    drop(left);
}
