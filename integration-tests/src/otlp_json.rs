//! Reads OTLP/JSON back: to protobuf by the names of the fields, and from there
//! with the reader that every exporter uses.
//!
//! Written from the protocol and not from our writer, and strict: a field that
//! has another name, form or place is a panic.
//!
//! Source: OTLP specification 1.x, section "JSON Protobuf Encoding"; ProtoJSON.

use std::path::Path;

use serde_json::{Map, Value};
use spandrel_plugin_api::wire::{field, put_bytes, put_fixed32, put_fixed64, put_uint};
use spandrel_plugin_api::{SpanData, SpanId, SpanReader, TraceId};

/// All spans of a file with one OTLP/JSON object in each line.
///
/// # Panics
///
/// If there is no such file, or if anything in it is not what OTLP/JSON says.
#[must_use]
pub fn read(path: &Path) -> Vec<SpanData> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is torn");
    text.split_terminator('\n').flat_map(read_line).collect()
}

/// The spans of one OTLP/JSON object.
///
/// # Panics
///
/// If it is not what OTLP/JSON says.
#[must_use]
pub fn spans(value: &Value) -> Vec<SpanData> {
    let bytes = message(value, |out, name, value| match name {
        "resourceSpans" => list(out, field::REQUEST_RESOURCE_SPANS, value, resource_spans),
        _ => unknown("TracesData", name),
    });
    let parts = [&bytes[..]];
    SpanReader::new(&parts).map(|span| SpanData::from(&span.expect("bytes written by the rules"))).collect()
}

fn read_line(line: &str) -> Vec<SpanData> {
    spans(&serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON: {error}: {line:.200}")))
}

fn resource_spans(value: &Value) -> Vec<u8> {
    message(value, |out, name, value| match name {
        "resource" => put_bytes(out, field::RESOURCE_SPANS_RESOURCE, &resource(value)),
        "scopeSpans" => list(out, field::RESOURCE_SPANS_SCOPE_SPANS, value, scope_spans),
        _ => unknown("ResourceSpans", name),
    })
}

fn resource(value: &Value) -> Vec<u8> {
    message(value, |out, name, value| match name {
        "attributes" => list(out, field::RESOURCE_ATTRIBUTES, value, key_value),
        _ => unknown("Resource", name),
    })
}

fn scope_spans(value: &Value) -> Vec<u8> {
    message(value, |out, name, value| match name {
        "scope" => put_bytes(out, field::SCOPE_SPANS_SCOPE, &scope(value)),
        "spans" => list(out, field::SCOPE_SPANS_SPANS, value, span),
        _ => unknown("ScopeSpans", name),
    })
}

fn scope(value: &Value) -> Vec<u8> {
    message(value, |out, name, value| match name {
        "name" => put_bytes(out, field::SCOPE_NAME, text(value).as_bytes()),
        "version" => put_bytes(out, field::SCOPE_VERSION, text(value).as_bytes()),
        _ => unknown("InstrumentationScope", name),
    })
}

fn span(value: &Value) -> Vec<u8> {
    message(value, |out, name, value| match name {
        "traceId" => put_bytes(out, field::SPAN_TRACE_ID, &trace_id(value)),
        "spanId" => put_bytes(out, field::SPAN_SPAN_ID, &span_id(value)),
        "traceState" => put_bytes(out, field::SPAN_TRACE_STATE, text(value).as_bytes()),
        "parentSpanId" => put_bytes(out, field::SPAN_PARENT_SPAN_ID, &span_id(value)),
        "flags" => put_fixed32(out, field::SPAN_FLAGS, number(value)),
        "name" => put_bytes(out, field::SPAN_NAME, text(value).as_bytes()),
        "kind" => put_uint(out, field::SPAN_KIND, number(value).into()),
        "startTimeUnixNano" => put_fixed64(out, field::SPAN_START, digits(value)),
        "endTimeUnixNano" => put_fixed64(out, field::SPAN_END, digits(value)),
        "attributes" => list(out, field::SPAN_ATTRIBUTES, value, key_value),
        "droppedAttributesCount" => put_uint(out, field::SPAN_DROPPED_ATTRIBUTES, number(value).into()),
        "events" => list(out, field::SPAN_EVENTS, value, event),
        "droppedEventsCount" => put_uint(out, field::SPAN_DROPPED_EVENTS, number(value).into()),
        "links" => list(out, field::SPAN_LINKS, value, link),
        "droppedLinksCount" => put_uint(out, field::SPAN_DROPPED_LINKS, number(value).into()),
        "status" => put_bytes(out, field::SPAN_STATUS, &status(value)),
        _ => unknown("Span", name),
    })
}

fn event(value: &Value) -> Vec<u8> {
    message(value, |out, name, value| match name {
        "timeUnixNano" => put_fixed64(out, field::EVENT_TIME, digits(value)),
        "name" => put_bytes(out, field::EVENT_NAME, text(value).as_bytes()),
        "attributes" => list(out, field::EVENT_ATTRIBUTES, value, key_value),
        "droppedAttributesCount" => put_uint(out, field::EVENT_DROPPED_ATTRIBUTES, number(value).into()),
        _ => unknown("Event", name),
    })
}

fn link(value: &Value) -> Vec<u8> {
    message(value, |out, name, value| match name {
        "traceId" => put_bytes(out, field::LINK_TRACE_ID, &trace_id(value)),
        "spanId" => put_bytes(out, field::LINK_SPAN_ID, &span_id(value)),
        "traceState" => put_bytes(out, field::LINK_TRACE_STATE, text(value).as_bytes()),
        "attributes" => list(out, field::LINK_ATTRIBUTES, value, key_value),
        "droppedAttributesCount" => put_uint(out, field::LINK_DROPPED_ATTRIBUTES, number(value).into()),
        "flags" => put_fixed32(out, field::LINK_FLAGS, number(value)),
        _ => unknown("Link", name),
    })
}

fn status(value: &Value) -> Vec<u8> {
    assert!(value["message"].is_null() || value["code"] == 2, "only an error has a text: {value}");
    message(value, |out, name, value| match name {
        "message" => put_bytes(out, field::STATUS_MESSAGE, text(value).as_bytes()),
        "code" => put_uint(out, field::STATUS_CODE, number(value).into()),
        _ => unknown("Status", name),
    })
}

fn key_value(value: &Value) -> Vec<u8> {
    message(value, |out, name, value| match name {
        "key" => put_bytes(out, field::KEY_VALUE_KEY, text(value).as_bytes()),
        "value" => put_bytes(out, field::KEY_VALUE_VALUE, &any_value(value)),
        _ => unknown("KeyValue", name),
    })
}

fn any_value(value: &Value) -> Vec<u8> {
    assert!(object(value).len() <= 1, "a value has one type: {value}");
    message(value, |out, name, value| match name {
        "stringValue" => put_bytes(out, field::ANY_STRING, text(value).as_bytes()),
        "boolValue" => put_uint(out, field::ANY_BOOL, value.as_bool().expect("a boolean").into()),
        "intValue" => put_uint(out, field::ANY_INT, text(value).parse::<i64>().expect("an integer").cast_unsigned()),
        "doubleValue" => put_fixed64(out, field::ANY_DOUBLE, double(value).to_bits()),
        "arrayValue" => put_bytes(out, field::ANY_ARRAY, &array(value)),
        // The attribute model of the API has neither bytes nor maps.
        _ => unknown("AnyValue", name),
    })
}

fn array(value: &Value) -> Vec<u8> {
    message(value, |out, name, value| match name {
        "values" => list(out, field::LIST_VALUES, value, any_value),
        _ => unknown("ArrayValue", name),
    })
}

/// A message, made by a call for each of the fields.
fn message(value: &Value, mut put: impl FnMut(&mut Vec<u8>, &str, &Value)) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in object(value) {
        put(&mut out, name, value);
    }
    out
}

/// A repeated field of messages.
fn list(out: &mut Vec<u8>, number: u32, value: &Value, item: impl Fn(&Value) -> Vec<u8>) {
    let items = value.as_array().unwrap_or_else(|| panic!("not an array: {value}"));
    items.iter().for_each(|value| put_bytes(out, number, &item(value)));
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap_or_else(|| panic!("not an object: {value}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

/// A 32-bit integer, which is a number.
fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|v| v.try_into().ok()).unwrap_or_else(|| panic!("not a 32-bit number: {value}"))
}

/// A 64-bit integer, which is a text.
fn digits(value: &Value) -> u64 {
    text(value).parse().unwrap_or_else(|_| panic!("not digits: {value}"))
}

fn double(value: &Value) -> f64 {
    match value.as_str() {
        Some("NaN") => f64::NAN,
        Some("Infinity") => f64::INFINITY,
        Some("-Infinity") => f64::NEG_INFINITY,
        _ => value.as_f64().unwrap_or_else(|| panic!("not a double: {value}")),
    }
}

fn trace_id(value: &Value) -> [u8; 16] {
    text(value).parse::<TraceId>().unwrap_or_else(|error| panic!("{error}: {value}")).to_bytes()
}

fn span_id(value: &Value) -> [u8; 8] {
    text(value).parse::<SpanId>().unwrap_or_else(|error| panic!("{error}: {value}")).to_bytes()
}

fn unknown(message: &str, name: &str) {
    panic!("{message} has no field {name:?}, or none that is expected here");
}
