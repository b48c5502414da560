use serde_json::{Map, Value, json};

use super::{Loss, as_text, each, map_values, take, to_microseconds, to_one_set, without};
use crate::json::{list, text};

pub(super) const LOSSES: &[Loss] = &[
    Loss { said: "everything below a microsecond", take: to_microseconds },
    Loss { said: "the duration at least 1", take: a_microsecond_at_least },
    Loss { said: "the difference between `3` and `\"3\"`", take: to_texts },
    Loss { said: "the flags", take: without_flags },
    Loss { said: "a resource attribute whose key the span has, too", take: to_one_set },
    Loss { said: "`error=false` is left out", take: without_false_error },
];

fn a_microsecond_at_least(span: &mut Value) {
    let least = span["start"].as_u64().unwrap() + 1000;
    span["end"] = span["end"].as_u64().unwrap().max(least).into();
}

fn to_texts(span: &mut Value) {
    let change = |value: &Value| as_text(value).into();
    map_values(&mut span["attributes"], change);
    map_values(&mut span["resource"], change);
    for key in ["events", "links"] {
        each(span, key).for_each(|one| map_values(&mut one["attributes"], change));
    }
}

fn without_flags(span: &mut Value) {
    without(span, "flags");
    each(span, "links").for_each(|link| drop(without(link, "flags")));
}

fn without_false_error(span: &mut Value) {
    span["attributes"].as_object_mut().unwrap().retain(|key, value| key != "error" || value != "false");
}

/// A span of Zipkin.
///
/// `remoteEndpoint` says again what attributes say.
pub(super) fn read(span: &Value) -> Value {
    let mut tags = span["tags"].as_object().unwrap().clone();
    tags.insert("service.name".to_owned(), span["localEndpoint"]["serviceName"].clone());
    let kinds = ["", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    let start = span["timestamp"].as_u64().unwrap() * 1000;
    let code = take(&mut tags, "otel.status_code").unwrap_or_default();
    let code = ["", "OK", "ERROR"].iter().position(|known| *known == code);
    let message = if code == Some(2) { take(&mut tags, "error").unwrap() } else { String::new() };
    let mut count = |of: &str| take(&mut tags, &format!("otel.dropped_{of}_count")).map_or(0, |n| n.parse().unwrap());
    let dropped: [u32; 3] = ["attributes", "events", "links"].map(&mut count);
    let [name, version] = ["name", "version"].map(|key| {
        let value = take(&mut tags, &format!("otel.scope.{key}"));
        assert_eq!(value, take(&mut tags, &format!("otel.library.{key}")));
        value
    });
    let links = (0..).map_while(|i| take(&mut tags, &format!("otlp.link.{i}"))).map(|text| link(&text));
    let links: Vec<Value> = links.collect();
    json!({
        "trace": span["traceId"],
        "span": span["id"],
        "parent": text(&span["parentId"]),
        "state": take(&mut tags, "w3c.tracestate").unwrap_or_default(),
        "name": span["name"],
        "kind": 1 + kinds.iter().position(|kind| *kind == text(&span["kind"])).unwrap(),
        "start": start,
        "end": start + span["duration"].as_u64().unwrap() * 1000,
        "status": { "code": code, "message": message },
        "events": list(&span["annotations"]).iter().map(event).collect::<Vec<_>>(),
        "links": links,
        "dropped": { "attributes": dropped[0], "events": dropped[1], "links": dropped[2] },
        "scope": { "name": name, "version": version },
        "attributes": tags,
    })
}

/// The name, or `"name":{"key":"value"}`.
fn event(annotation: &Value) -> Value {
    let value = annotation["value"].as_str().unwrap();
    let (name, mut attributes) = match serde_json::from_str::<Map<String, Value>>(&format!("{{{value}}}")) {
        Ok(named) => {
            let (name, attributes) = named.into_iter().next().unwrap();
            (name, attributes.as_object().unwrap().clone())
        }
        Err(_) => (value.to_owned(), Map::new()),
    };
    let dropped = attributes.remove("otel.dropped_attributes_count").unwrap_or(json!(0));
    let time = annotation["timestamp"].as_u64().unwrap() * 1000;
    json!({ "name": name, "time": time, "attributes": texts(attributes), "dropped": dropped })
}

/// `trace id|span id|trace state|attributes|dropped`
fn link(text: &str) -> Value {
    let (rest, dropped) = text.rsplit_once('|').unwrap();
    let [trace, span, state, attributes] = rest.splitn(4, '|').collect::<Vec<_>>()[..] else { panic!("{text}") };
    json!({
        "trace": trace,
        "span": span,
        "state": state,
        "attributes": texts(serde_json::from_str(attributes).unwrap()),
        "dropped": dropped.parse::<u32>().unwrap(),
    })
}

fn texts(mut attributes: Map<String, Value>) -> Value {
    for value in attributes.values_mut() {
        if !value.is_string() {
            *value = value.to_string().into();
        }
    }
    attributes.into()
}
