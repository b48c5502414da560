//! OTLP as protobuf, by the messages of `opentelemetry-proto`.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Map, Value, json};

use crate::json::put_once;

/// The spans of a request.
pub(crate) fn spans(message: &[u8]) -> Vec<Value> {
    let request = ExportTraceServiceRequest::decode(message).unwrap();
    let mut spans = Vec::new();
    for resource in &request.resource_spans {
        let attributes = attributes(&resource.resource.as_ref().unwrap().attributes);
        for scope_spans in &resource.scope_spans {
            let scope = scope_spans.scope.clone().unwrap_or_default();
            for one in &scope_spans.spans {
                let mut one = span(one);
                one["scope"] = json!({ "name": scope.name, "version": scope.version });
                one["resource"] = attributes.clone();
                spans.push(one);
            }
        }
    }
    spans
}

fn span(span: &Span) -> Value {
    let status = span.status.clone().unwrap_or_default();
    let event = |event: &opentelemetry_proto::tonic::trace::v1::span::Event| {
        json!({
            "name": event.name,
            "time": event.time_unix_nano,
            "attributes": attributes(&event.attributes),
            "dropped": event.dropped_attributes_count,
        })
    };
    let link = |link: &opentelemetry_proto::tonic::trace::v1::span::Link| {
        json!({
            "trace": hex(&link.trace_id),
            "span": hex(&link.span_id),
            "state": link.trace_state,
            "flags": link.flags,
            "attributes": attributes(&link.attributes),
            "dropped": link.dropped_attributes_count,
        })
    };
    json!({
        "trace": hex(&span.trace_id),
        "span": hex(&span.span_id),
        "parent": hex(&span.parent_span_id),
        "state": span.trace_state,
        "flags": span.flags,
        "name": span.name,
        "kind": span.kind,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "status": { "code": status.code, "message": status.message },
        "attributes": attributes(&span.attributes),
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "links": span.links.iter().map(link).collect::<Vec<_>>(),
        "dropped": {
            "attributes": span.dropped_attributes_count,
            "events": span.dropped_events_count,
            "links": span.dropped_links_count,
        },
    })
}

fn attributes(pairs: &[KeyValue]) -> Value {
    let mut object = Map::new();
    pairs.iter().for_each(|pair| put_once(&mut object, &pair.key, any_value(pair.value.as_ref().unwrap())));
    object.into()
}

fn any_value(value: &AnyValue) -> Value {
    match value.value.as_ref().expect("a value") {
        Kind::StringValue(value) => format!("string {value}").into(),
        Kind::BoolValue(value) => format!("bool {value}").into(),
        Kind::IntValue(value) => format!("int {value}").into(),
        Kind::DoubleValue(value) => double(*value).into(),
        Kind::ArrayValue(array) => array.values.iter().map(any_value).collect(),
        other => panic!("the attributes of spans have no {other:?}"),
    }
}

/// As Python shows it.
pub(crate) fn double(value: f64) -> String {
    if value.is_infinite() {
        return format!("double {}Infinity", if value < 0.0 { "-" } else { "" });
    }
    format!("double {value:?}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
