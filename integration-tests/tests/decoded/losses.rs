//! What the formats cannot hold, in the words of the pages of their providers.
//!
//! For each format there is a reader of what was recorded, back to what OTLP has of a span, and a list of
//! losses. The spans as OTLP has them, less the losses, are what is read back: nothing else is lost.

mod jaeger;
mod log;
mod zipkin;

use serde_json::{Map, Value, json};

use crate::recorded;

/// Something that a format does not keep.
struct Loss {
    /// What the page of the provider says.
    said: &'static str,
    /// Takes it away from a span.
    take: fn(&mut Value),
}

#[test]
fn zipkin_loses_what_its_page_says() {
    let page = include_str!("../../../providers/zipkin/src/docs.md");
    check(page, zipkin::LOSSES, recorded::zipkin(), zipkin::read);
}

#[test]
fn jaeger_loses_what_its_page_says() {
    let page = include_str!("../../../providers/jaeger/src/docs.md");
    check(page, jaeger::LOSSES, recorded::jaeger(), jaeger::read);
}

#[test]
fn lines_for_log_pipelines_lose_what_the_page_says() {
    let page = include_str!("../../../providers/file/src/docs.md");
    check(page, log::LOSSES, recorded::log(), log::read);
}

#[track_caller]
fn check(page: &str, losses: &[Loss], found: Map<String, Value>, read: fn(&Value) -> Value) {
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut expected = recorded::otlp();
    for loss in losses {
        assert!(page.contains(loss.said), "the page does not say: {}", loss.said);
        let so_far = expected.clone();
        expected.values_mut().for_each(loss.take);
        assert_ne!(expected, so_far, "nothing to lose: {}", loss.said);
    }
    let found = found.iter().map(|(name, span)| (name.clone(), read(span))).collect();
    let differences = recorded::differences(&expected, &found);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// What the SDK of OpenTelemetry makes of the same spans.
pub(crate) fn opentelemetry(mut spans: Map<String, Value>) -> Map<String, Value> {
    let page = include_str!("../../../providers/opentelemetry/src/docs.md");
    assert!(page.contains("adds `telemetry.sdk.name`, `telemetry.sdk.language` and `telemetry.sdk.version`"));
    for span in spans.values_mut() {
        for (key, value) in [("name", "opentelemetry"), ("language", "rust"), ("version", "0.33.1")] {
            span["resource"][format!("telemetry.sdk.{key}")] = format!("string {value}").into();
        }
    }
    assert!(page.contains("An event or a link has at most 128 attributes"));
    let all: Map<String, Value> = (0..40).map(|i| (format!("key {i}"), "int 1".into())).collect();
    for list in ["events", "links"] {
        let crowded = &mut spans["<crowded>"][list][0];
        crowded["attributes"] = all.clone().into();
        crowded["dropped"] = json!(0);
    }
    spans
}

/// Events, or links.
fn each<'a>(span: &'a mut Value, list: &str) -> std::slice::IterMut<'a, Value> {
    span[list].as_array_mut().unwrap().iter_mut()
}

fn without(object: &mut Value, key: &str) -> Value {
    object.as_object_mut().unwrap().remove(key).unwrap()
}

/// Takes a key away, if it is there.
fn take(object: &mut Map<String, Value>, key: &str) -> Option<String> {
    object.remove(key).map(|value| value.as_str().unwrap().to_owned())
}

/// Nanoseconds that are whole microseconds; the end is as far from the start as both say, in whole ones.
fn to_microseconds(span: &mut Value) {
    let [start, end] = ["start", "end"].map(|key| span[key].as_u64().unwrap());
    let floor = |nanos: u64| nanos / 1000 * 1000;
    span["start"] = floor(start).into();
    span["end"] = (floor(start) + floor(end - start)).into();
    each(span, "events").for_each(|event| event["time"] = floor(event["time"].as_u64().unwrap()).into());
}

/// A value without its type, lists as JSON.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(typed) => typed.split_once(' ').unwrap().1.to_owned(),
        list => as_json(list).to_string(),
    }
}

/// A value as JSON has it; of what JSON has no number for, the text.
fn as_json(value: &Value) -> Value {
    let Value::String(typed) = value else { return value.as_array().unwrap().iter().map(as_json).collect() };
    let (kind, value) = typed.split_once(' ').unwrap();
    match kind {
        "string" => value.into(),
        _ => serde_json::from_str(value).unwrap_or_else(|_| value.into()),
    }
}

fn map_values(object: &mut Value, change: fn(&Value) -> Value) {
    object.as_object_mut().unwrap().values_mut().for_each(|value| *value = change(value));
}

/// The attributes of the resource among those of the span, which win.
fn to_one_set(span: &mut Value) {
    let Value::Object(mut all) = without(span, "resource") else { panic!("an object") };
    all.extend(span["attributes"].as_object().unwrap().clone());
    span["attributes"] = all.into();
}
