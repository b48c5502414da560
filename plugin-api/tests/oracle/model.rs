//! A span as plain data, made from each of the sides that must agree.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue as ProtoAny, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::{Event as ProtoEvent, Link as ProtoLink};
use opentelemetry_proto::tonic::trace::v1::{Span as ProtoSpan, Status as ProtoStatus};
use serde_json::Value as Json;
use spandrel_plugin_api::{AnyValue, Attributes, EventView, LinkView, SpanKind, SpanView, Status, StatusData, Value};

/// Everything that can be read of a span.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Span {
    pub(crate) resource: Pairs,
    pub(crate) scope: (String, String),
    pub(crate) trace_id: Vec<u8>,
    pub(crate) span_id: Vec<u8>,
    pub(crate) parent: Option<Vec<u8>>,
    pub(crate) trace_state: String,
    pub(crate) flags: u32,
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attributes: Pairs,
    pub(crate) events: Vec<Event>,
    pub(crate) links: Vec<Link>,
    pub(crate) dropped: (u32, u32, u32),
    pub(crate) status: StatusData,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    time: u64,
    name: String,
    attributes: Pairs,
    dropped: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Link {
    trace_id: Vec<u8>,
    span_id: Vec<u8>,
    trace_state: String,
    attributes: Pairs,
    dropped: u32,
    flags: u32,
}

pub(crate) type Pairs = Vec<(String, Any)>;

/// A value; doubles by their bits, so that a NaN equals itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Any {
    Empty,
    Str(String),
    Bool(bool),
    I64(i64),
    F64(u64),
    Bytes(Vec<u8>),
    Array(Vec<Any>),
    Map(Pairs),
}

/// What the official messages say.
pub(crate) fn expected(request: &ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource_spans in &request.resource_spans {
        let resource = resource_spans.resource.as_ref().map(|r| from_pairs(&r.attributes)).unwrap_or_default();
        for scope_spans in &resource_spans.scope_spans {
            let scope = scope_spans.scope.as_ref();
            let scope = scope.map(|s| (s.name.clone(), s.version.clone())).unwrap_or_default();
            let all = scope_spans.spans.iter();
            spans.extend(all.map(|span| from_span(span, resource.clone(), scope.clone())));
        }
    }
    spans
}

fn from_span(span: &ProtoSpan, resource: Pairs, scope: (String, String)) -> Span {
    Span {
        resource,
        scope,
        trace_id: padded(&span.trace_id, 16),
        span_id: padded(&span.span_id, 8),
        parent: Some(span.parent_span_id.clone()).filter(|id| id.iter().any(|byte| *byte != 0)),
        trace_state: span.trace_state.clone(),
        flags: span.flags,
        name: span.name.clone(),
        kind: from_kind(span.kind.into()),
        start: span.start_time_unix_nano,
        end: span.end_time_unix_nano,
        attributes: from_pairs(&span.attributes),
        events: span.events.iter().map(from_event).collect(),
        links: span.links.iter().map(from_link).collect(),
        dropped: (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count),
        status: from_status(span.status.as_ref()),
    }
}

fn from_event(event: &ProtoEvent) -> Event {
    Event {
        time: event.time_unix_nano,
        name: event.name.clone(),
        attributes: from_pairs(&event.attributes),
        dropped: event.dropped_attributes_count,
    }
}

fn from_link(link: &ProtoLink) -> Link {
    Link {
        trace_id: padded(&link.trace_id, 16),
        span_id: padded(&link.span_id, 8),
        trace_state: link.trace_state.clone(),
        attributes: from_pairs(&link.attributes),
        dropped: link.dropped_attributes_count,
        flags: link.flags,
    }
}

/// An id that was never set is the invalid one.
fn padded(id: &[u8], len: usize) -> Vec<u8> {
    if id.is_empty() { vec![0; len] } else { id.to_vec() }
}

fn from_kind(kind: i64) -> SpanKind {
    match kind {
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => SpanKind::Internal,
    }
}

fn from_status(status: Option<&ProtoStatus>) -> StatusData {
    match status.map(|status| (status.code, &status.message)) {
        Some((1, _)) => StatusData::Ok,
        Some((2, message)) => StatusData::Error(message.clone()),
        _ => StatusData::Unset,
    }
}

pub(crate) fn from_pairs(pairs: &[KeyValue]) -> Pairs {
    pairs.iter().map(|pair| (pair.key.clone(), pair.value.as_ref().map_or(Any::Empty, from_any))).collect()
}

fn from_any(value: &ProtoAny) -> Any {
    match &value.value {
        None | Some(ProtoValue::StringValueStrindex(_)) => Any::Empty,
        Some(ProtoValue::StringValue(v)) => Any::Str(v.clone()),
        Some(ProtoValue::BoolValue(v)) => Any::Bool(*v),
        Some(ProtoValue::IntValue(v)) => Any::I64(*v),
        Some(ProtoValue::DoubleValue(v)) => Any::F64(v.to_bits()),
        Some(ProtoValue::BytesValue(v)) => Any::Bytes(v.clone()),
        Some(ProtoValue::ArrayValue(v)) => Any::Array(v.values.iter().map(from_any).collect()),
        Some(ProtoValue::KvlistValue(v)) => Any::Map(from_pairs(&v.values)),
    }
}

/// What the reader of this crate says.
pub(crate) fn seen(span: &SpanView<'_>) -> Span {
    Span {
        resource: seen_pairs(span.resource()),
        scope: (span.scope().name.to_owned(), span.scope().version.to_owned()),
        trace_id: span.trace_id().to_bytes().to_vec(),
        span_id: span.span_id().to_bytes().to_vec(),
        parent: span.parent_span_id().map(|id| id.to_bytes().to_vec()),
        trace_state: span.trace_state().to_owned(),
        flags: span.flags(),
        name: span.name().to_owned(),
        kind: span.kind(),
        start: span.start().unix_nanos(),
        end: span.end().unix_nanos(),
        attributes: seen_pairs(span.attributes()),
        events: span.events().map(seen_event).collect(),
        links: span.links().map(seen_link).collect(),
        dropped: span.dropped_counts(),
        status: match span.status() {
            Status::Unset => StatusData::Unset,
            Status::Ok => StatusData::Ok,
            Status::Error(message) => StatusData::Error(message.to_owned()),
        },
    }
}

fn seen_event(event: EventView<'_>) -> Event {
    Event {
        time: event.time().unix_nanos(),
        name: event.name().to_owned(),
        attributes: seen_pairs(event.attributes()),
        dropped: event.dropped_attributes(),
    }
}

fn seen_link(link: LinkView<'_>) -> Link {
    Link {
        trace_id: link.trace_id().to_bytes().to_vec(),
        span_id: link.span_id().to_bytes().to_vec(),
        trace_state: link.trace_state().to_owned(),
        attributes: seen_pairs(link.attributes()),
        dropped: link.dropped_attributes(),
        flags: link.flags(),
    }
}

fn seen_pairs(attributes: Attributes<'_>) -> Pairs {
    attributes.into_iter().map(|(key, value)| (key.to_owned(), seen_any(value))).collect()
}

fn seen_any(value: AnyValue<'_>) -> Any {
    match value {
        AnyValue::Empty => Any::Empty,
        AnyValue::Str(v) => Any::Str(v.to_owned()),
        AnyValue::Bool(v) => Any::Bool(v),
        AnyValue::I64(v) => Any::I64(v),
        AnyValue::F64(v) => Any::F64(v.to_bits()),
        AnyValue::Bytes(v) => Any::Bytes(v.to_vec()),
        AnyValue::Array(values) => Any::Array(values.into_iter().map(seen_any).collect()),
        AnyValue::KeyValueList(list) => Any::Map(seen_pairs(list)),
    }
}

/// What is written for a value whose texts are cut to `max_chars` characters.
pub(crate) fn written(value: &Value<'_>, max_chars: usize) -> Any {
    let cut = |text: &str| Any::Str(text.chars().take(max_chars).collect());
    match *value {
        Value::Bool(v) => Any::Bool(v),
        Value::I64(v) => Any::I64(v),
        Value::F64(v) => Any::F64(v.to_bits()),
        Value::Str(v) => cut(v),
        Value::BoolArray(v) => Any::Array(v.iter().map(|v| Any::Bool(*v)).collect()),
        Value::I64Array(v) => Any::Array(v.iter().map(|v| Any::I64(*v)).collect()),
        Value::F64Array(v) => Any::Array(v.iter().map(|v| Any::F64(v.to_bits())).collect()),
        Value::StrArray(v) => Any::Array(v.iter().map(cut).collect()),
    }
}

/// What OTLP/JSON says: the inverse of the mapping in the OTLP specification.
pub(crate) fn from_json(request: &Json) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource_spans in list(request, "resourceSpans") {
        let resource = json_pairs(list(&resource_spans["resource"], "attributes"));
        for scope_spans in list(resource_spans, "scopeSpans") {
            let scope = (string(scope_spans["scope"].get("name")), string(scope_spans["scope"].get("version")));
            let all = list(scope_spans, "spans").iter();
            spans.extend(all.map(|span| json_span(span, resource.clone(), scope.clone())));
        }
    }
    spans
}

fn json_span(span: &Json, resource: Pairs, scope: (String, String)) -> Span {
    let event = |event: &Json| Event {
        time: long(event.get("timeUnixNano")),
        name: string(event.get("name")),
        attributes: json_pairs(list(event, "attributes")),
        dropped: count(event.get("droppedAttributesCount")),
    };
    let link = |link: &Json| Link {
        trace_id: hex(link.get("traceId")),
        span_id: hex(link.get("spanId")),
        trace_state: string(link.get("traceState")),
        attributes: json_pairs(list(link, "attributes")),
        dropped: count(link.get("droppedAttributesCount")),
        flags: count(link.get("flags")),
    };
    Span {
        resource,
        scope,
        trace_id: hex(span.get("traceId")),
        span_id: hex(span.get("spanId")),
        parent: span.get("parentSpanId").map(|id| hex(Some(id))),
        trace_state: string(span.get("traceState")),
        flags: count(span.get("flags")),
        name: string(span.get("name")),
        kind: from_kind(span["kind"].as_i64().expect("an enumeration is a number")),
        start: long(span.get("startTimeUnixNano")),
        end: long(span.get("endTimeUnixNano")),
        attributes: json_pairs(list(span, "attributes")),
        events: list(span, "events").iter().map(event).collect(),
        links: list(span, "links").iter().map(link).collect(),
        dropped: (
            count(span.get("droppedAttributesCount")),
            count(span.get("droppedEventsCount")),
            count(span.get("droppedLinksCount")),
        ),
        status: match span["status"].get("code").map(|code| code.as_i64().expect("an enumeration is a number")) {
            Some(1) => StatusData::Ok,
            Some(2) => StatusData::Error(string(span["status"].get("message"))),
            _ => StatusData::Unset,
        },
    }
}

fn json_pairs(pairs: &[Json]) -> Pairs {
    pairs.iter().map(|pair| (string(pair.get("key")), json_any(&pair["value"]))).collect()
}

fn json_any(value: &Json) -> Any {
    let fields = value.as_object().expect("a value is an object");
    assert!(fields.len() <= 1, "a value is one of several: {value}");
    let Some((kind, value)) = fields.iter().next() else { return Any::Empty };
    match kind.as_str() {
        "stringValue" => Any::Str(string(Some(value))),
        "boolValue" => Any::Bool(value.as_bool().expect("a boolean")),
        "intValue" => Any::I64(string(Some(value)).parse().expect("an integer in a text")),
        "doubleValue" => Any::F64(double(value).to_bits()),
        "bytesValue" => Any::Bytes(base64(&string(Some(value)))),
        "arrayValue" => Any::Array(list(value, "values").iter().map(json_any).collect()),
        "kvlistValue" => Any::Map(json_pairs(list(value, "values"))),
        other => panic!("no value of OTLP: {other}"),
    }
}

fn double(value: &Json) -> f64 {
    match value {
        Json::String(name) => match name.as_str() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            other => panic!("no double: {other}"),
        },
        number => number.as_f64().expect("a double"),
    }
}

fn list<'a>(message: &'a Json, field: &str) -> &'a [Json] {
    message.get(field).map_or(&[], |list| list.as_array().expect("a repeated field is an array"))
}

fn string(text: Option<&Json>) -> String {
    text.map_or("", |text| text.as_str().expect("a text")).to_owned()
}

fn long(number: Option<&Json>) -> u64 {
    string(number).parse().expect("an integer of 64 bits is a text")
}

fn count(number: Option<&Json>) -> u32 {
    number.map_or(0, |number| number.as_u64().and_then(|n| n.try_into().ok()).expect("an integer of 32 bits"))
}

fn hex(id: Option<&Json>) -> Vec<u8> {
    let text = string(id);
    assert!(text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "an id is in lower case: {text}");
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("two digits")).collect()
}

fn base64(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 4, 0, "is padded: {text}");
    let digits = text.trim_end_matches('=').bytes().map(|byte| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("not of the alphabet: {text}"),
    });
    let bits: String = digits.map(|digit| format!("{digit:06b}")).collect();
    let whole = bits.len() / 8;
    (0..whole).map(|i| u8::from_str_radix(&bits[8 * i..8 * i + 8], 2).expect("eight bits")).collect()
}

/// The same spans with all NaNs alike: JSON has a single one.
pub(crate) fn with_one_nan(mut spans: Vec<Span>) -> Vec<Span> {
    for span in &mut spans {
        let events = span.events.iter_mut().map(|event| &mut event.attributes);
        let links = span.links.iter_mut().map(|link| &mut link.attributes);
        let all = events.chain(links).chain([&mut span.resource, &mut span.attributes]);
        all.flatten().for_each(|(_, value)| one_nan(value));
    }
    spans
}

fn one_nan(value: &mut Any) {
    match value {
        Any::F64(bits) if f64::from_bits(*bits).is_nan() => *bits = f64::NAN.to_bits(),
        Any::Array(values) => values.iter_mut().for_each(one_nan),
        Any::Map(pairs) => pairs.iter_mut().for_each(|(_, value)| one_nan(value)),
        _ => {}
    }
}
