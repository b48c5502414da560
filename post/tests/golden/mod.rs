//! A batch with everything that OTLP can say of a span, made with the Protobuf types of
//! OpenTelemetry. The tests of the providers `zipkin` and `jaeger` include this file.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

pub(crate) const TRACE_ID: [u8; 16] = [0xff, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
pub(crate) const START: u64 = 1_755_358_027_000_001_999;

pub(crate) fn text(text: &str) -> Value {
    Value::StringValue(text.to_owned())
}

pub(crate) fn list(values: Vec<Value>) -> Value {
    Value::ArrayValue(ArrayValue { values: values.into_iter().map(any).collect() })
}

pub(crate) fn map(values: Vec<(&str, Value)>) -> Value {
    Value::KvlistValue(KeyValueList { values: key_values(values) })
}

pub(crate) fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

pub(crate) fn key_values(values: Vec<(&str, Value)>) -> Vec<KeyValue> {
    let pair =
        |(key, value): (&str, Value)| KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() };
    values.into_iter().map(pair).collect()
}

/// A span without anything that may be left out.
pub(crate) fn plain(id: u8, name: &str) -> Span {
    Span {
        trace_id: TRACE_ID.to_vec(),
        span_id: vec![0, 0, 0, 0, 0, 0, 0, id],
        name: name.to_owned(),
        kind: 1,
        start_time_unix_nano: START,
        end_time_unix_nano: START + 999,
        ..Span::default()
    }
}

/// A span with everything.
pub(crate) fn full() -> Span {
    let mut attributes = key_values(vec![
        ("text", text("käse \"🧀\"\n")),
        ("yes", Value::BoolValue(true)),
        ("no", Value::BoolValue(false)),
        ("whole", Value::IntValue(i64::MIN)),
        ("half", Value::DoubleValue(0.5)),
        ("bytes", Value::BytesValue(vec![0, 0xff, 0x80])),
        ("texts", list(vec![text("a"), text("b\"")])),
        ("numbers", list(vec![Value::IntValue(1), Value::DoubleValue(2.5), Value::BoolValue(true)])),
        ("map", map(vec![("k", list(vec![text("v")]))])),
        ("error", Value::BoolValue(false)),
        ("shared", text("span")),
        ("server.address", text("10.0.0.7")),
        ("server.port", Value::IntValue(5432)),
    ]);
    attributes.push(KeyValue { key: "none".to_owned(), value: None, ..KeyValue::default() });
    let events = vec![
        Event { time_unix_nano: START + 1000, name: "plain".to_owned(), ..Event::default() },
        Event {
            time_unix_nano: START + 2000,
            name: "pa\"id".to_owned(),
            attributes: key_values(vec![
                ("amount", Value::DoubleValue(9.5)),
                ("items", list(vec![Value::IntValue(3)])),
            ]),
            dropped_attributes_count: 4,
        },
        Event {
            time_unix_nano: START + 3000,
            name: "named".to_owned(),
            attributes: key_values(vec![("event", text("by attribute"))]),
            dropped_attributes_count: 0,
        },
    ];
    let links = vec![
        Link { trace_id: vec![0xaa; 16], span_id: vec![0xbb; 8], ..Link::default() },
        Link {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            trace_state: "l=1".to_owned(),
            attributes: key_values(vec![("why", text("batch"))]),
            dropped_attributes_count: 5,
            flags: 1,
        },
    ];
    Span {
        parent_span_id: vec![0x80, 0, 0, 0, 0, 0, 0, 9],
        trace_state: "a=1,b=2".to_owned(),
        // Sampled, a random trace id, and a parent in another process.
        flags: 0x0303,
        kind: 3,
        end_time_unix_nano: START + 4_283_000_500,
        attributes,
        dropped_attributes_count: 1,
        events,
        dropped_events_count: 2,
        links,
        dropped_links_count: 3,
        status: Some(Status { message: "card declined".to_owned(), code: 2 }),
        ..plain(1, "Charge Card")
    }
}

/// The bytes of a request with these spans, all of one resource and scope.
pub(crate) fn request(resource: Vec<(&str, Value)>, spans: Vec<Span>) -> Vec<u8> {
    let scope = Some(InstrumentationScope { name: "shop".to_owned(), version: "1.2".to_owned(), ..Default::default() });
    let scope_spans = vec![ScopeSpans { scope, spans, ..ScopeSpans::default() }];
    let resource = Some(Resource { attributes: key_values(resource), ..Resource::default() });
    let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

pub(crate) fn shop() -> Vec<(&'static str, Value)> {
    vec![
        ("service.name", text("shop")),
        ("service.namespace", text("berlin")),
        ("host.cores", Value::IntValue(8)),
        ("shared", text("resource")),
    ]
}
