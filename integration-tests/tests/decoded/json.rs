//! OTLP as JSON, by the names of its fields.

use serde_json::{Map, Value, json};

use crate::messages::double;

/// A value, with any text behind it refused.
pub(crate) fn parse(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)))
}

/// The spans of a request.
pub(crate) fn spans(request: &Value) -> Vec<Value> {
    let mut spans = Vec::new();
    let [resources] = fields(request, ["resourceSpans"]);
    for resource_spans in list(&resources) {
        let [resource, scopes] = fields(resource_spans, ["resource", "scopeSpans"]);
        let [resource] = fields(&resource, ["attributes"]);
        for scope_spans in list(&scopes) {
            let [scope, in_scope] = fields(scope_spans, ["scope", "spans"]);
            let [name, version] = fields(&scope, ["name", "version"]);
            for one in list(&in_scope) {
                let mut one = span(one);
                one["scope"] = json!({ "name": text(&name), "version": text(&version) });
                one["resource"] = attributes(&resource);
                spans.push(one);
            }
        }
    }
    spans
}

fn span(span: &Value) -> Value {
    let ids = ["traceId", "spanId", "parentSpanId", "traceState", "flags", "name", "kind"];
    let rest = ["startTimeUnixNano", "endTimeUnixNano", "status", "attributes", "events", "links"];
    let dropped = ["droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"];
    let names: [&str; 16] = [&ids[..], &rest, &dropped].concat().try_into().unwrap();
    let [trace, id, parent, state, flags, name, kind, start, end, status, own, events, links, left @ ..] =
        fields(span, names);
    let [code, message] = fields(&status, ["code", "message"]);
    let left = left.map(|left| number(&left));
    json!({
        "trace": text(&trace),
        "span": text(&id),
        "parent": text(&parent),
        "state": text(&state),
        "flags": number(&flags),
        "name": text(&name),
        "kind": number(&kind),
        "start": nanos(&start),
        "end": nanos(&end),
        "status": { "code": number(&code), "message": text(&message) },
        "attributes": attributes(&own),
        "events": list(&events).iter().map(event).collect::<Vec<_>>(),
        "links": list(&links).iter().map(link).collect::<Vec<_>>(),
        "dropped": { "attributes": left[0], "events": left[1], "links": left[2] },
    })
}

fn event(event: &Value) -> Value {
    let [name, time, own, dropped] = fields(event, ["name", "timeUnixNano", "attributes", "droppedAttributesCount"]);
    json!({ "name": text(&name), "time": nanos(&time), "attributes": attributes(&own), "dropped": number(&dropped) })
}

fn link(link: &Value) -> Value {
    let names = ["traceId", "spanId", "traceState", "flags", "attributes", "droppedAttributesCount"];
    let [trace, span, state, flags, own, dropped] = fields(link, names);
    json!({
        "trace": text(&trace),
        "span": text(&span),
        "state": text(&state),
        "flags": number(&flags),
        "attributes": attributes(&own),
        "dropped": number(&dropped),
    })
}

fn attributes(pairs: &Value) -> Value {
    let mut object = Map::new();
    for pair in list(pairs) {
        let [key, value] = fields(pair, ["key", "value"]);
        put_once(&mut object, text(&key), any_value(&value));
    }
    object.into()
}

fn any_value(value: &Value) -> Value {
    let object = value.as_object().unwrap();
    assert_eq!(object.len(), 1, "a value has one type: {value}");
    let (kind, value) = object.iter().next().unwrap();
    match kind.as_str() {
        "stringValue" => format!("string {}", text(value)).into(),
        "boolValue" => format!("bool {}", value.as_bool().unwrap()).into(),
        "intValue" => format!("int {}", text(value).parse::<i64>().unwrap()).into(),
        "doubleValue" => match value {
            Value::String(value) if ["NaN", "Infinity", "-Infinity"].contains(&&**value) => {
                format!("double {value}").into()
            }
            value => double(value.as_f64().unwrap()).into(),
        },
        "arrayValue" => {
            let [values] = fields(value, ["values"]);
            list(&values).iter().map(any_value).collect()
        }
        other => panic!("the attributes of spans have no {other}"),
    }
}

/// The fields of an object, which has no others; null for one that it does not have.
fn fields<const N: usize>(object: &Value, names: [&str; N]) -> [Value; N] {
    let mut object = if object.is_null() { Map::new() } else { object.as_object().unwrap().clone() };
    let fields = names.map(|name| object.remove(name).unwrap_or_default());
    assert!(object.is_empty(), "more than OTLP has: {object:?}");
    fields
}

/// The items of a list, if it is there.
pub(crate) fn list(value: &Value) -> &[Value] {
    if value.is_null() { &[] } else { value.as_array().unwrap() }
}

/// A text, or an empty one.
pub(crate) fn text(value: &Value) -> &str {
    if value.is_null() { "" } else { value.as_str().unwrap() }
}

fn number(value: &Value) -> u64 {
    if value.is_null() { 0 } else { value.as_u64().unwrap() }
}

/// A number of 64 bits is a text.
fn nanos(value: &Value) -> u64 {
    text(value).parse().unwrap()
}

/// Another key; one that is there already is an error.
pub(crate) fn put_once(object: &mut Map<String, Value>, key: &str, value: Value) {
    assert!(object.insert(key.to_owned(), value).is_none(), "{key} is there twice");
}
