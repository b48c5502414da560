use serde_json::{Map, Value, json};

use super::{Loss, as_text, each, map_values, take, to_microseconds, without};
use crate::json::list;

pub(super) const LOSSES: &[Loss] = &[
    Loss { said: "everything below a microsecond", take: to_microseconds },
    Loss { said: "what is inside of lists and maps (it is text)", take: lists_to_texts },
    Loss { said: "the other flags", take: only_sampled },
    Loss { said: "the name as the field `event`, unless the event has an attribute of that name", take: own_event },
];

fn lists_to_texts(span: &mut Value) {
    let change = |value: &Value| match value {
        Value::Array(_) => format!("string {}", as_text(value)).into(),
        other => other.clone(),
    };
    map_values(&mut span["attributes"], change);
    map_values(&mut span["resource"], change);
    for key in ["events", "links"] {
        each(span, key).for_each(|one| map_values(&mut one["attributes"], change));
    }
}

fn only_sampled(span: &mut Value) {
    span["flags"] = (span["flags"].as_u64().unwrap() & 1).into();
    each(span, "links").for_each(|link| drop(without(link, "flags")));
}

fn own_event(span: &mut Value) {
    for event in each(span, "events") {
        if let Some(own) = event["attributes"].as_object_mut().unwrap().remove("event") {
            event["name"] = as_text(&own).into();
        }
    }
}

/// A span of Jaeger.
pub(super) fn read(span: &Value) -> Value {
    let mut tags = span["tags"].as_object().unwrap().clone();
    let mut resource = span["process"]["tags"].as_object().unwrap().clone();
    resource
        .insert("service.name".to_owned(), format!("string {}", span["process"]["service"].as_str().unwrap()).into());
    let kind = string(&mut tags, "span.kind");
    let code = string(&mut tags, "otel.status_code");
    if code == "ERROR" {
        assert_eq!(take(&mut tags, "error").as_deref(), Some("bool true"));
    }
    let dropped = ["attributes", "events", "links"].map(|of| count(&mut tags, of));
    let [name, version] = ["name", "version"].map(|key| {
        let value = string(&mut tags, &format!("otel.scope.{key}"));
        assert_eq!(value, string(&mut tags, &format!("otel.library.{key}")));
        value
    });
    let kinds = ["", "server", "client", "producer", "consumer"];
    let codes = ["", "OK", "ERROR"];
    let (mut links, mut events) = (Vec::new(), Vec::new());
    for reference in list(&span["references"]) {
        assert_eq!(reference["type"], 1, "FOLLOWS_FROM");
        let [trace, span] = ["trace", "span"].map(|key| &reference[key]);
        links.push(json!({ "trace": trace, "span": span, "state": "", "attributes": {}, "dropped": 0 }));
    }
    for log in list(&span["logs"]) {
        let mut fields = log["fields"].as_object().unwrap().clone();
        let dropped = count(&mut fields, "attributes");
        let (name, trace) = (string(&mut fields, "event"), string(&mut fields, "trace_id"));
        if trace.is_empty() {
            let time = log["time"].as_u64().unwrap() * 1000;
            events.push(json!({ "name": name, "time": time, "attributes": fields, "dropped": dropped }));
        } else {
            assert_eq!((&*name, &log["time"]), ("link", &span["start"]));
            let (id, state) = (string(&mut fields, "span_id"), string(&mut fields, "w3c.tracestate"));
            let link = links.iter_mut().find(|link| link["trace"] == trace && link["span"] == id).unwrap();
            *link = json!({ "trace": trace, "span": id, "state": state, "attributes": fields, "dropped": dropped });
        }
    }
    let start = span["start"].as_u64().unwrap() * 1000;
    json!({
        "trace": span["trace"],
        "span": span["span"],
        "parent": span["parent"].as_str().filter(|id| *id != "0000000000000000").unwrap_or_default(),
        "state": string(&mut tags, "w3c.tracestate"),
        "flags": span["flags"],
        "name": span["name"],
        "kind": 1 + kinds.iter().position(|known| *known == kind).unwrap(),
        "start": start,
        "end": start + span["duration"].as_u64().unwrap() * 1000,
        "status": {
            "code": codes.iter().position(|known| *known == code),
            "message": string(&mut tags, "otel.status_description"),
        },
        "events": events,
        "links": links,
        "dropped": { "attributes": dropped[0], "events": dropped[1], "links": dropped[2] },
        "scope": { "name": name, "version": version },
        "resource": resource,
        "attributes": tags,
    })
}

/// A tag that is a text, or an empty one.
fn string(tags: &mut Map<String, Value>, key: &str) -> String {
    take(tags, key).map_or(String::new(), |typed| typed.strip_prefix("string ").unwrap().to_owned())
}

fn count(tags: &mut Map<String, Value>, of: &str) -> u32 {
    let count = take(tags, &format!("otel.dropped_{of}_count"));
    count.map_or(0, |typed| typed.strip_prefix("int ").unwrap().parse().unwrap())
}
