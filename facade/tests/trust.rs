//! Traces that come in: what they count for, and for how many.

use std::num::NonZeroUsize;
use std::time::Duration;

use spandrel::provider::{Event, Link, SpanStart, SpanState, Timestamp};
use spandrel::testing::{Trace, capture};
use spandrel::{
    self as tracing, Attribute, Builder, CarrierMut, Error, InSpanExt, Sampler, SpanContext, SpanData, Status,
    TracingProvider, Trust, assert_trace,
};
use spandrel_provider_memory::{MemoryExporter, MemoryStore};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN_ID: &str = "00f067aa0ba902b7";

fn incoming() -> Vec<(String, String)> {
    let traceparent = format!("00-{TRACE_ID}-{SPAN_ID}-01");
    vec![("traceparent".to_owned(), traceparent), ("baggage".to_owned(), "plan=gold".to_owned())]
}

/// A request handled as a server does it, with a child span and an outgoing request.
fn handled(trust: Trust) -> (Trace, Vec<(String, String)>) {
    let mut sent = Vec::new();
    let trace = capture(|| {
        let context = tracing::extract_with(&incoming(), trust).with_attribute("session.id", "s-1");
        tracing::span("handle").parent(&context).run(|_| {
            tracing::with_span("query", |_| tracing::inject(&mut sent));
        });
    });
    (trace, sent)
}

#[test]
fn a_trusted_trace_goes_on() {
    let (trace, sent) = handled(Trust::Continue);
    assert_trace!(trace, "handle" ("session.id" = "s-1") { "query" ("session.id" = "s-1") {} });
    assert_eq!(trace.span("handle").trace_id.to_string(), TRACE_ID);
    assert!(trace.span("handle").links.is_empty());
    assert!(sent.contains(&("baggage".to_owned(), "plan=gold".to_owned())), "{sent:?}");
}

#[test]
fn a_linked_trace_begins_anew_and_only_its_root_has_the_link() {
    let (trace, sent) = handled(Trust::Link);
    assert_trace!(trace, "handle" ("session.id" = "s-1") { "query" ("session.id" = "s-1") {} });
    let root = trace.span("handle");
    assert_ne!(root.trace_id.to_string(), TRACE_ID);
    assert!(root.parent_span_id.is_none_or(|id| !id.is_valid()));
    let links: Vec<_> = root.links.iter().map(|link| (link.trace_id.to_string(), link.span_id.to_string())).collect();
    assert_eq!(links, [(TRACE_ID.to_owned(), SPAN_ID.to_owned())]);
    assert!(trace.span("query").links.is_empty());
    let ids = format!("00-{}-{}-03", root.trace_id, trace.span("query").span_id);
    assert_eq!(sent, [("traceparent".to_owned(), ids)], "no baggage either");
}

#[test]
fn an_ignored_trace_leaves_nothing() {
    let (trace, sent) = handled(Trust::Ignore);
    assert_ne!(trace.span("handle").trace_id.to_string(), TRACE_ID);
    assert!(trace.spans().iter().all(|span| span.links.is_empty()));
    assert_eq!(sent.len(), 1);
}

#[test]
fn a_span_by_name_within_the_context_is_linked_too() {
    let trace = capture(|| {
        tracing::extract_with(&incoming(), Trust::Link).within(|| tracing::with_span("work", |_| ()));
        let context = tracing::extract_with(&incoming(), Trust::Link);
        let ready = std::pin::pin!(async { tracing::with_span("task", |_| ()) }.in_context(context));
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(Future::poll(ready, &mut task).is_ready());
        tracing::with_span("later", |_| ());
    });
    for (name, links) in [("work", 1), ("task", 1), ("later", 0)] {
        assert_eq!(trace.span(name).links.len(), links, "{name}");
    }
}

#[test]
fn an_entry_point_that_ignores_is_not_linked_to_an_outer_caller() {
    let trace = capture(|| {
        tracing::extract_with(&incoming(), Trust::Link).within(|| {
            let inner = tracing::extract_with(&incoming(), Trust::Ignore);
            inner.within(|| tracing::with_span("inner", |_| ()));
        });
    });
    assert!(trace.span("inner").links.is_empty());
}

/// The spans of `f` with these settings.
fn spans_with(builder: Builder, f: impl FnOnce()) -> Vec<SpanData> {
    let store = MemoryStore::new(NonZeroUsize::new(10_000).unwrap());
    let shared = store.clone();
    let tracer = builder.exporter("memory", move || MemoryExporter::new(shared.clone())).build().unwrap();
    tracer.context().within(f);
    tracer.flush(Duration::from_secs(60)).unwrap();
    store.spans()
}

#[test]
fn the_setting_holds_for_extract() {
    let spans = spans_with(spandrel::builder().trust(Trust::Link), || {
        tracing::span("handle").parent(&tracing::extract(&incoming())).run(|_| ());
    });
    assert_eq!((spans.len(), spans[0].links.len()), (1, 1));
}

#[test]
fn without_recording_a_stranger_is_not_passed_on() {
    let tracer = spandrel::builder().build().unwrap();
    tracer.context().within(|| {
        for (trust, headers) in [(Trust::Continue, 2), (Trust::Link, 0), (Trust::Ignore, 0)] {
            let mut sent: Vec<(String, String)> = Vec::new();
            tracing::extract_with(&incoming(), trust).inject(&mut sent);
            assert_eq!(sent.len(), headers, "{trust:?}");
        }
    });
}

/// How many of 1,000 sampled requests are recorded.
fn recorded(builder: Builder) -> usize {
    let spans = spans_with(builder, || {
        for n in 1..=1000 {
            let headers = vec![("traceparent".to_owned(), format!("00-{:032x}-{SPAN_ID}-01", u128::MAX - n))];
            tracing::span("handle").parent(&tracing::extract(&headers)).run(|_| {
                tracing::with_span("query", |_| ());
            });
        }
    });
    let whole = spans.iter().filter(|span| span.name == "handle").count();
    assert_eq!(spans.len(), 2 * whole, "traces are recorded as a whole or not at all");
    whole
}

#[test]
fn callers_force_as_many_traces_as_they_may() {
    let off = || spandrel::builder().sampler(Sampler::parent_based(Sampler::always_off()));
    assert_eq!(recorded(off()), 1000);
    assert_eq!(recorded(off().forced_traces_per_second(0)), 0);
    let some = recorded(off().forced_traces_per_second(10));
    // One second's worth at once, and then ten a second, on however slow a machine.
    assert!((10..1000).contains(&some), "{some}");
    // What the sampler takes anyway is not forced.
    assert_eq!(recorded(spandrel::builder().forced_traces_per_second(0)), 1000);
    assert_eq!(recorded(spandrel::builder().sampler(Sampler::always_on()).forced_traces_per_second(0)), 1000);
}

/// A provider that writes headers of its own.
#[derive(Debug)]
struct Careless;

impl TracingProvider for Careless {
    fn start_span(&self, _: &SpanStart<'_>) -> SpanState {
        SpanState::none()
    }
    fn end_span(&self, _: SpanState, _: Timestamp) {}
    fn set_span_status(&self, _: &mut SpanState, _: Status<'_>) {}
    fn set_span_name(&self, _: &mut SpanState, _: &str) {}
    fn add_span_attributes(&self, _: &mut SpanState, _: &[Attribute<'_>]) {}
    fn add_span_event(&self, _: &mut SpanState, _: &Event<'_>) {}
    fn add_span_link(&self, _: &mut SpanState, _: &Link<'_>) {}
    fn force_flush(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }
    fn shutdown(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }
    fn inject_context(&self, _: &SpanContext, carrier: &mut dyn CarrierMut) -> bool {
        carrier.set("x-good", "1");
        carrier.set("x-bad", "1\r\nx-evil: 2");
        carrier.set_named("x-\0", "1");
        true
    }
}

#[test]
fn a_provider_cannot_send_control_characters() {
    let tracer = spandrel::builder().provider("careless", || Careless).build().unwrap();
    let mut sent: Vec<(String, String)> = Vec::new();
    tracer.context().within(|| tracing::with_span("x", |_| tracing::inject(&mut sent)));
    assert_eq!(sent, [("x-good".to_owned(), "1".to_owned())]);
}
