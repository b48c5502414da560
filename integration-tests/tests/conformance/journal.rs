//! Reads the lines of `examples/plugins/rust/journal` back, by way of OTLP/JSON.

use std::path::Path;

use serde_json::{Value, json};
use spandrel_integration_tests::otlp_json;
use spandrel_plugin_api::SpanData;

/// All spans of a journal.
pub(crate) fn read(path: &Path) -> Vec<SpanData> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is torn");
    text.lines().flat_map(|line| otlp_json::spans(&otlp(&serde_json::from_str(line).unwrap()))).collect()
}

fn otlp(line: &Value) -> Value {
    let service = line["resource"].get("service.name").map_or("unknown_service", |name| name["text"].as_str().unwrap());
    assert_eq!(line["service"], service);
    let span = json!({
        "traceId": line["trace_id"],
        "spanId": line["span_id"],
        "traceState": line["trace_state"],
        "flags": flags(&line["flags"], &line["parent_is_remote"]),
        "name": line["name"],
        "kind": 1 + position(&["internal", "server", "client", "producer", "consumer"], &line["kind"]),
        "startTimeUnixNano": line["start_ns"].to_string(),
        "endTimeUnixNano": line["end_ns"].to_string(),
        "attributes": attributes(&line["attributes"]),
        "droppedAttributesCount": line["dropped_attributes"],
        "events": each(&line["events"], |event| json!({
            "timeUnixNano": event["time_ns"].to_string(),
            "name": event["name"],
            "attributes": attributes(&event["attributes"]),
            "droppedAttributesCount": event["dropped_attributes"],
        })),
        "droppedEventsCount": line["dropped_events"],
        "links": each(&line["links"], |link| json!({
            "traceId": link["trace_id"],
            "spanId": link["span_id"],
            "traceState": link["trace_state"],
            "flags": flags(&link["flags"], &link["is_remote"]),
            "attributes": attributes(&link["attributes"]),
            "droppedAttributesCount": link["dropped_attributes"],
        })),
        "droppedLinksCount": line["dropped_links"],
        "status": status(&line["status"]),
    });
    let span = with(span, "parentSpanId", &line["parent_id"]);
    let scope = json!({ "scope": line["scope"], "spans": [span] });
    let resource = json!({ "attributes": attributes(&line["resource"]) });
    json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [scope] }] })
}

fn status(status: &Value) -> Value {
    with(json!({ "code": position(&["unset", "ok", "error"], &status["code"]) }), "message", &status["text"])
}

/// With one more field, if it has a value.
fn with(mut object: Value, name: &str, value: &Value) -> Value {
    if !value.is_null() {
        object[name] = value.clone();
    }
    object
}

/// Source: OTLP, `SpanFlags`.
fn flags(flags: &Value, is_remote: &Value) -> u64 {
    const HAS_IS_REMOTE: u64 = 0x100;
    const IS_REMOTE: u64 = 0x200;
    let is_remote = if is_remote.as_bool().unwrap() { IS_REMOTE } else { 0 };
    flags.as_u64().unwrap() | HAS_IS_REMOTE | is_remote
}

fn attributes(attributes: &Value) -> Value {
    let attributes = attributes.as_object().unwrap().iter();
    attributes.map(|(key, typed)| json!({ "key": key, "value": value(typed) })).collect()
}

fn value(typed: &Value) -> Value {
    let (kind, value) = typed.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "bool" => json!({ "boolValue": value }),
        "int" => json!({ "intValue": value.to_string() }),
        "double" => json!({ "doubleValue": value }),
        "text" => json!({ "stringValue": value }),
        "bools" => array("bool", value),
        "ints" => array("int", value),
        "doubles" => array("double", value),
        "texts" => array("text", value),
        other => panic!("no kind of value: {other}"),
    }
}

fn array(kind: &str, values: &Value) -> Value {
    json!({ "arrayValue": { "values": each(values, |one| value(&json!({ kind: one }))) } })
}

fn each(values: &Value, f: impl Fn(&Value) -> Value) -> Value {
    values.as_array().unwrap().iter().map(f).collect()
}

fn position(words: &[&str], word: &Value) -> usize {
    words.iter().position(|known| *word == **known).unwrap_or_else(|| panic!("{word} is none of {words:?}"))
}
