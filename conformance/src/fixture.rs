//! Spans to try a provider with.

use spandrel_plugin_api::{
    InstrumentationScope, OwnedAttribute, OwnedValue, Resource, SpanContext, SpanData, SpanId, SpanKind, SpanStart,
    SpanState, Timestamp, TraceFlags, TraceId, TracingProvider,
};

pub(crate) const START: Timestamp = at(1_700_000_000_123_456_789);
pub(crate) const LATER: Timestamp = at(1_700_000_000_223_456_790);
pub(crate) const END: Timestamp = at(1_700_000_001_987_654_321);

pub(crate) const fn at(nanos: u64) -> Timestamp {
    Timestamp::from_unix_nanos(nanos)
}

/// The service that is traced.
pub(crate) fn resource() -> Resource {
    Resource::new().with("service.name", "conformance").with("service.version", "1.2.3").with("process.pid", 42)
}

/// The context of span `n`, the root of trace `n`.
pub(crate) fn context(n: u64) -> SpanContext {
    context_in(n, n)
}

/// The context of span `n` in a trace.
pub(crate) fn context_in(trace: u64, n: u64) -> SpanContext {
    let mut bytes = [0xc0; 16];
    bytes[8..].copy_from_slice(&trace.to_be_bytes());
    SpanContext::new(TraceId::from_bytes(bytes), span_id(n), TraceFlags::SAMPLED)
}

/// The id of span `n`.
pub(crate) fn span_id(n: u64) -> SpanId {
    SpanId::from_bytes((n | 1 << 60).to_be_bytes())
}

/// A root span without anything.
pub(crate) fn start<'a>(name: &'a str, context: &'a SpanContext) -> SpanStart<'a> {
    SpanStart {
        name,
        context,
        parent: None,
        kind: SpanKind::Internal,
        time: START,
        attributes: &[],
        links: &[],
        scope: InstrumentationScope { name: "conformance", version: "0.1" },
    }
}

/// Records span `n`, named after its number.
pub(crate) fn record(provider: &dyn TracingProvider, n: u64) {
    record_with(provider, n, |_| ());
}

/// Records span `n`; `write` writes on it.
pub(crate) fn record_with(provider: &dyn TracingProvider, n: u64, write: impl FnOnce(&mut SpanState)) {
    let context = context(n);
    let mut span = provider.start_span(&start(&name(n), &context));
    write(&mut span);
    provider.end_span(span, END);
}

/// The name that [`record`] gives.
pub(crate) fn name(n: u64) -> String {
    format!("span {n}")
}

/// Fails unless `found` is `expected` in any order, doubles compared by their bits.
pub(crate) fn check_attributes(found: &[OwnedAttribute], expected: &[OwnedAttribute]) {
    for OwnedAttribute { key, value } in expected {
        let matching: Vec<_> = found.iter().filter(|attribute| attribute.key == *key).collect();
        match matching.as_slice() {
            [attribute] if is_same(&attribute.value, value) => {}
            [attribute] => panic!("{key:?} is {}, was {}", shown(&attribute.value), shown(value)),
            [] => panic!("{key:?} is missing, was {}", shown(value)),
            several => panic!("{key:?} is there {} times", several.len()),
        }
    }
    let strange = found.iter().find(|a| expected.iter().all(|e| e.key != a.key));
    assert!(strange.is_none(), "an attribute that nobody set: {strange:?}");
}

/// Fails unless two branches have delivered the same spans.
pub(crate) fn check_same(spans: &[SpanData], others: &[SpanData]) {
    assert_eq!(spans.len(), others.len(), "spans that two branches have delivered");
    for (span, other) in spans.iter().zip(others) {
        // By their texts, as a NaN is equal to nothing.
        assert_eq!(format!("{span:?}"), format!("{other:?}"), "two branches have delivered another span");
    }
}

/// Whether two values are equal to the bit: `NaN` is `NaN`, and 0 is not -0. The
/// type of an empty array is not known to OTLP.
fn is_same(a: &OwnedValue, b: &OwnedValue) -> bool {
    match (a, b) {
        (OwnedValue::F64(a), OwnedValue::F64(b)) => a.to_bits() == b.to_bits(),
        (OwnedValue::F64Array(a), OwnedValue::F64Array(b)) => {
            a.iter().map(|v| v.to_bits()).eq(b.iter().map(|v| v.to_bits()))
        }
        (a, b) => a == b || is_empty_array(a) && is_empty_array(b),
    }
}

fn is_empty_array(value: &OwnedValue) -> bool {
    match value {
        OwnedValue::BoolArray(v) => v.is_empty(),
        OwnedValue::I64Array(v) => v.is_empty(),
        OwnedValue::F64Array(v) => v.is_empty(),
        OwnedValue::StrArray(v) => v.is_empty(),
        OwnedValue::Bool(_) | OwnedValue::I64(_) | OwnedValue::F64(_) | OwnedValue::Str(_) => false,
    }
}

/// A value for a message; long ones are cut.
fn shown(value: &OwnedValue) -> String {
    let mut shown = format!("{value:?}");
    if let Some((end, _)) = shown.char_indices().nth(100) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}
