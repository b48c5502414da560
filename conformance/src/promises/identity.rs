use spandrel_plugin_api::{
    InstrumentationScope, OwnedAttribute, Resource, SpanContext, SpanData, SpanId, SpanKind, SpanStart, TraceFlags,
    TraceId, TraceState,
};

use crate::fixture::{END, check_attributes, context, context_in, name, record, record_with, resource, start};
use crate::subject::Subject;

/// Trace id, span id and W3C flags are those that the facade chose.
///
/// Source: [`SpanStart::context`](SpanStart); OpenTelemetry protocol, `Span.flags`:
/// "Bits 0-7 (8 least significant bits) are the trace flags", "the high 22 bits
/// MUST be set to zero".
pub fn ids_and_flags_arrive(subject: &Subject) {
    subject.promises("ids and flags arrive", |trial| {
        let random = TraceFlags::from_bits(TraceFlags::SAMPLED.bits() | TraceFlags::RANDOM.bits());
        let contexts = [
            (TraceId::from_bytes(1_u128.to_be_bytes()), SpanId::from_bytes(1_u64.to_be_bytes()), random),
            (TraceId::from_bytes([0x0a; 16]), SpanId::from_bytes([0xa0; 8]), random),
            (TraceId::from_bytes([0xff; 16]), SpanId::from_bytes([0xff; 8]), TraceFlags::SAMPLED),
        ];
        let provider = trial.provider();
        for (trace_id, span_id, flags) in contexts {
            let context = SpanContext::new(trace_id, span_id, flags);
            provider.end_span(provider.start_span(&start("ids", &context)), END);
        }
        let Some(spans) = trial.delivered() else { return };
        let found: Vec<_> = spans.iter().map(|span| (span.trace_id, span.span_id, span.flags & 0xff)).collect();
        let expected = contexts.map(|(trace_id, span_id, flags)| (trace_id, span_id, u32::from(flags.bits())));
        assert_eq!(found, expected, "trace id, span id and flags");
        assert!(spans.iter().all(|span| span.flags >> 10 == 0), "flags that OTLP does not have");
    });
}

/// The parent's span id arrives, and whether the parent is in another process.
///
/// Source: [`SpanStart::parent`](SpanStart); OpenTelemetry protocol, `Span.flags`:
/// "Bits 8 and 9 represent the 3 states of whether a span's parent is remote".
pub fn the_parent_arrives_and_whether_it_is_remote(subject: &Subject) {
    subject.promises("the parent arrives, and whether it is remote", |trial| {
        let parents = [None, Some(context_in(1, 7)), Some(context_in(1, 8).with_remote(true))];
        let provider = trial.provider();
        for (n, parent) in (1..).zip(&parents) {
            let id = context_in(1, n);
            provider.end_span(provider.start_span(&SpanStart { parent: parent.as_ref(), ..start("x", &id) }), END);
        }
        let Some(spans) = trial.delivered() else { return };
        let found: Vec<_> = spans.iter().map(|span| (span.parent_span_id, span.has_remote_parent)).collect();
        let expected = parents.map(|parent| (parent.as_ref().map(SpanContext::span_id), is_remote(parent.as_ref())));
        assert_eq!(found, expected, "parent and whether it is remote");
    });
}

/// The trace state arrives with all its members in their order.
///
/// Source: [`SpanStart::context`](SpanStart); OpenTelemetry protocol,
/// `Span.trace_state`.
pub fn the_trace_state_arrives(subject: &Subject) {
    subject.promises("the trace state arrives", |trial| {
        let many: Vec<String> = (0..TraceState::MAX_MEMBERS).map(|n| format!("vendor{n}@x/y=~ \"{n}!")).collect();
        let states = [String::new(), "a=1".to_owned(), many.join(",")];
        let provider = trial.provider();
        for (n, text) in (1..).zip(&states) {
            let state = TraceState::parse(text).expect("a trace state by the rules");
            let id = context(n).with_trace_state(state);
            provider.end_span(provider.start_span(&start("state", &id)), END);
        }
        let Some(spans) = trial.delivered() else { return };
        let found: Vec<_> = spans.iter().map(|span| span.trace_state.as_str()).collect();
        assert_eq!(found, states, "trace state");
    });
}

/// Each of the five kinds arrives.
///
/// Source: [`SpanKind`]; OpenTelemetry specification, Trace API, "SpanKind".
pub fn every_kind_arrives(subject: &Subject) {
    subject.promises("every kind arrives", |trial| {
        let kinds = [SpanKind::Internal, SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
        let provider = trial.provider();
        for (n, kind) in (1..).zip(kinds) {
            let id = context(n);
            provider.end_span(provider.start_span(&SpanStart { kind, ..start("kind", &id) }), END);
        }
        let Some(spans) = trial.delivered() else { return };
        assert_eq!(spans.iter().map(|span| span.kind).collect::<Vec<_>>(), kinds);
    });
}

/// Name and version of the instrumentation scope arrive, also when spans of
/// several scopes take turns.
///
/// Source: [`SpanStart::scope`](SpanStart); OpenTelemetry specification, Common,
/// "Instrumentation Scope".
pub fn the_instrumentation_scope_arrives(subject: &Subject) {
    subject.promises("the instrumentation scope arrives", |trial| {
        let scopes = [("one", "1.0"), ("two", ""), ("one", "2.0"), ("", ""), ("two", "1.0")];
        let scope_of = |n: u64| scopes[n as usize % scopes.len()];
        let provider = trial.provider();
        for n in 0..100 {
            let (scope, version) = scope_of(n);
            let id = context(n);
            let scope = InstrumentationScope { name: scope, version };
            provider.end_span(provider.start_span(&SpanStart { scope, ..start(&name(n), &id) }), END);
        }
        let Some(spans) = trial.delivered() else { return };
        assert_eq!(spans.len(), 100, "spans delivered");
        for n in 0..100 {
            let span = find(&spans, n);
            let found = (span.scope_name.as_str(), span.scope_version.as_str());
            assert_eq!(found, scope_of(n), "scope of span {n}");
        }
    });
}

/// The resource arrives with each span; the provider may add to it.
///
/// Source: [`Host::resource`](spandrel_plugin_api::Host); OpenTelemetry
/// specification, Resource SDK: "all Spans produced by any Tracer from the
/// provider MUST be associated with this Resource".
pub fn the_resource_arrives(subject: &Subject) {
    subject.promises("the resource arrives", |trial| {
        let other =
            Resource::new().with("service.name", "other").with("list", ["a", "b"]).with("none", Vec::<i64>::new());
        let empty = Resource::new();
        for (trial, resource) in
            [(trial.another(), resource()), (trial.another_for(&other), other), (trial.another_for(&empty), empty)]
        {
            (1..=3).for_each(|n| record(trial.provider(), n));
            let Some(spans) = trial.delivered() else { continue };
            assert_eq!(spans.len(), 3, "spans delivered");
            let expected: Vec<OwnedAttribute> = resource.attributes().map(|a| a.to_owned()).collect();
            let is_expected = |key: &str| resource.get(key).is_some();
            for span in &spans {
                let found = span.resource.iter().filter(|a| is_expected(&a.key)).cloned().collect::<Vec<_>>();
                check_attributes(&found, &expected);
            }
        }
    });
}

/// The name is the one that was set last.
///
/// Source: [`set_span_name`](spandrel_plugin_api::TracingProvider::set_span_name);
/// OpenTelemetry specification, Trace API, "UpdateName".
pub fn the_name_set_last_arrives(subject: &Subject) {
    subject.promises("the name set last arrives", |trial| {
        let long = "name ".repeat(1000);
        let names: [&[&str]; 5] = [&[], &["second"], &["second", "a much longer third name", "4"], &[""], &[&long]];
        let provider = trial.provider();
        for (n, names) in (1..).zip(names) {
            record_with(provider, n, |span| names.iter().for_each(|name| provider.set_span_name(span, name)));
        }
        let Some(spans) = trial.delivered() else { return };
        let found: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
        assert_eq!(found, [&name(1), "second", "4", "", &long]);
    });
}

fn is_remote(parent: Option<&SpanContext>) -> bool {
    parent.is_some_and(SpanContext::is_remote)
}

fn find(spans: &[SpanData], n: u64) -> &SpanData {
    let id = context(n).span_id();
    spans.iter().find(|span| span.span_id == id).unwrap_or_else(|| panic!("span {n} was not delivered"))
}
