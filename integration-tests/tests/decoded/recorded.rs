//! What the decoders of Python made of the spans once.

use std::path::Path;

use serde_json::{Map, Value};

use crate::losses;
use crate::ways::{Form, Names, Way};

/// The spans as OTLP has them, by their names.
pub(crate) fn otlp() -> Map<String, Value> {
    parse(include_str!("recorded/otlp.json"))
}

/// As Zipkin has them.
pub(crate) fn zipkin() -> Map<String, Value> {
    parse(include_str!("recorded/zipkin.json"))
}

/// As Jaeger has them.
pub(crate) fn jaeger() -> Map<String, Value> {
    parse(include_str!("recorded/jaeger.json"))
}

/// As the lines for log pipelines have them; these are read by a JSON parser alone.
pub(crate) fn log() -> Map<String, Value> {
    parse(include_str!("recorded/log.json"))
}

/// Fails unless the spans are the recorded ones.
#[track_caller]
pub(crate) fn check(way: &Way, names: &Names, spans: Vec<Value>) {
    let (file, expected) = match way.form {
        Form::Otlp => ("otlp", otlp()),
        Form::OpenTelemetry => ("opentelemetry", losses::opentelemetry(otlp())),
        Form::Zipkin => ("zipkin", zipkin()),
        Form::Jaeger => ("jaeger", jaeger()),
        Form::Log => ("log", log()),
    };
    let found = named(way.name, names, spans);
    if found == expected {
        return;
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{file}.json"));
    let text = serde_json::to_string_pretty(&found).unwrap();
    std::fs::write(&path, text + "\n").unwrap();
    let differences = differences(&expected, &found);
    panic!("{}: all that came is in {}:\n{}", way.name, path.display(), differences.join("\n"));
}

/// What differs, down to the first list.
pub(crate) fn differences(expected: &Map<String, Value>, found: &Map<String, Value>) -> Vec<String> {
    let mut lines = Vec::new();
    let keys = expected.keys().chain(found.keys().filter(|key| !expected.contains_key(*key)));
    for key in keys {
        match (expected.get(key), found.get(key)) {
            (Some(expected), Some(found)) if expected == found => {}
            (Some(Value::Object(expected)), Some(Value::Object(found))) => {
                lines.extend(differences(expected, found).into_iter().map(|line| format!("{key}.{line}")));
            }
            (expected, found) => {
                let [expected, found] = [expected, found].map(|one| one.map_or("nothing".to_owned(), Value::to_string));
                lines.push(format!("{key}: {found}, not {expected}"));
            }
        }
    }
    lines
}

/// The spans by their names, and the names in place of ids that are other ones each time.
fn named(way: &str, names: &Names, spans: Vec<Value>) -> Map<String, Value> {
    let mut named = Map::new();
    for span in spans {
        let mut text = span.to_string();
        for (id, name) in names {
            text = text.replace(id, name);
        }
        // That of the facade, the scope of spans that name none.
        let text = text.replace(env!("CARGO_PKG_VERSION"), "<version>");
        let span: Value = serde_json::from_str(&text).unwrap();
        let id = ["/span", "/id", "/trace/spanId"].iter().find_map(|key| span.pointer(key)).unwrap_or(&Value::Null);
        let name = id.as_str().unwrap_or_else(|| panic!("{way}: a span without an id: {span}")).to_owned();
        assert!(named.insert(name.clone(), span).is_none(), "{way}: {name} came twice");
    }
    named
}

fn parse(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap()
}
