//! Messages with arbitrary contents.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use spandrel_plugin_api::OwnedValue;

pub(crate) fn request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    vec(resource_spans(), 0..4).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

/// A value of every kind that an attribute can have.
pub(crate) fn owned_value() -> impl Strategy<Value = OwnedValue> {
    prop_oneof![
        any::<bool>().prop_map(OwnedValue::Bool),
        integer().prop_map(OwnedValue::I64),
        double().prop_map(OwnedValue::F64),
        text().prop_map(OwnedValue::Str),
        vec(any::<bool>(), 0..5).prop_map(OwnedValue::BoolArray),
        vec(integer(), 0..5).prop_map(OwnedValue::I64Array),
        vec(double(), 0..5).prop_map(OwnedValue::F64Array),
        vec(text(), 0..5).prop_map(OwnedValue::StrArray),
    ]
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z.]{1,12}",
        vec(any::<char>(), 1..12).prop_map(String::from_iter),
        // Longer than one byte of length can say.
        (any::<char>(), 128..300_usize).prop_map(|(c, n)| c.to_string().repeat(n)),
    ]
}

fn resource_spans() -> impl Strategy<Value = ResourceSpans> {
    let resource = (attributes(), any::<u32>()).prop_map(|(attributes, dropped_attributes_count)| Resource {
        attributes,
        dropped_attributes_count,
        entity_refs: Vec::new(),
    });
    (prop::option::of(resource), vec(scope_spans(), 0..3), schema_url())
        .prop_map(|(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url })
}

fn scope_spans() -> impl Strategy<Value = ScopeSpans> {
    let scope = (text(), text(), attributes(), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    );
    (prop::option::of(scope), vec(span(), 0..4), schema_url()).prop_map(|(scope, spans, schema_url)| ScopeSpans {
        scope,
        spans,
        schema_url,
    })
}

fn span() -> impl Strategy<Value = Span> {
    let ids = (id(16), id(8), prop_oneof![Just(Vec::new()), id(8)], text(), any::<u32>());
    let what = (text(), prop_oneof![4 => 0..6, 1 => any::<i32>()], fixed64(), fixed64());
    let more = (attributes(), vec(event(), 0..3), vec(link(), 0..3), prop::option::of(status()));
    let dropped = (any::<u32>(), 0..3_u32, any::<u32>());
    (ids, what, more, dropped).prop_map(|(ids, what, more, dropped)| Span {
        trace_id: ids.0,
        span_id: ids.1,
        parent_span_id: ids.2,
        trace_state: ids.3,
        flags: ids.4,
        name: what.0,
        kind: what.1,
        start_time_unix_nano: what.2,
        end_time_unix_nano: what.3,
        attributes: more.0,
        events: more.1,
        links: more.2,
        status: more.3,
        dropped_attributes_count: dropped.0,
        dropped_events_count: dropped.1,
        dropped_links_count: dropped.2,
    })
}

fn event() -> impl Strategy<Value = Event> {
    (fixed64(), text(), attributes(), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    )
}

fn link() -> impl Strategy<Value = Link> {
    (id(16), id(8), text(), attributes(), any::<u32>(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    )
}

fn status() -> impl Strategy<Value = Status> {
    (text(), prop_oneof![4 => 0..3, 1 => any::<i32>()]).prop_map(|(message, code)| Status { message, code })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(key_value(prop::option::of(any_value()).boxed()), 0..4)
}

fn key_value(value: BoxedStrategy<Option<AnyValue>>) -> impl Strategy<Value = KeyValue> {
    (text(), value).prop_map(|(key, value)| KeyValue { key, value, key_strindex: 0 })
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        text().prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        integer().prop_map(Value::IntValue),
        double().prop_map(Value::DoubleValue),
        vec(any::<u8>(), 0..20).prop_map(Value::BytesValue),
    ];
    let leaf = prop::option::weighted(0.9, leaf).prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 12, 3, |inner| {
        let array = vec(inner.clone(), 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values }));
        let pair = key_value(prop::option::of(inner).boxed());
        let list = vec(pair, 0..4).prop_map(|values| Value::KvlistValue(KeyValueList { values }));
        prop_oneof![array, list].prop_map(|value| AnyValue { value: Some(value) })
    })
}

/// Bytes of an id, all zero at times.
fn id(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![8 => vec(any::<u8>(), len), 1 => Just(vec![0; len])]
}

fn integer() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), -300..300_i64, prop::sample::select(vec![i64::MIN, -1, 0, i64::MAX])]
}

/// Doubles by their bits: infinities, subnormal numbers and many a NaN.
fn double() -> impl Strategy<Value = f64> {
    let special =
        vec![0.0, -0.0, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324, 1e23];
    prop_oneof![any::<u64>().prop_map(f64::from_bits), any::<f64>(), prop::sample::select(special)]
}

fn fixed64() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)]
}

fn schema_url() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("https://opentelemetry.io/schemas/1.40.0".to_owned())]
}
