//! Makes the SDK take the ids and the sampling decision of the facade.
//!
//! A `SpanBuilder` of OpenTelemetry 0.33 takes no ids. The SDK asks its id generator and
//! its sampler on the thread that starts the span, so what they answer lies on that thread.

use std::cell::Cell;

use opentelemetry::trace::{Link, SpanId, SpanKind, TraceContextExt, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator, SamplingDecision, SamplingResult, ShouldSample};

use crate::context;

thread_local! {
    static NEXT: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Calls `start`; the span that it starts gets these ids and is sampled.
pub(crate) fn with<R>(trace_id: TraceId, span_id: SpanId, start: impl FnOnce() -> R) -> R {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            NEXT.set(None);
        }
    }
    let _reset = Reset;
    NEXT.set(Some((trace_id, span_id)));
    start()
}

/// Gives the ids of the facade, and random ones to spans that others start.
#[derive(Debug, Default)]
pub(crate) struct GivenIds(RandomIdGenerator);

impl IdGenerator for GivenIds {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get().map_or_else(|| self.0.new_trace_id(), |(trace_id, _)| trace_id)
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get().map_or_else(|| self.0.new_span_id(), |(_, span_id)| span_id)
    }
}

/// Samples every span of the facade, which has decided already, and asks another sampler
/// about spans that others start.
#[derive(Debug, Clone)]
pub(crate) struct DecidedSampler {
    pub(crate) others: Box<dyn ShouldSample>,
}

impl ShouldSample for DecidedSampler {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        // The SDK asks for ids before. Taken, because a processor may start spans of its own
        // when it hears of this one.
        if NEXT.take().is_none() {
            let parent_context = parent_context.filter(|context| !context::begins_trace(context));
            return self.others.should_sample(parent_context, trace_id, name, span_kind, attributes, links);
        }
        let trace_state = parent_context.map(|context| context.span().span_context().trace_state().clone());
        SamplingResult {
            decision: SamplingDecision::RecordAndSample,
            attributes: Vec::new(),
            trace_state: trace_state.unwrap_or_default(),
        }
    }
}
