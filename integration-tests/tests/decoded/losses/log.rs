use serde_json::{Map, Value, json};

use super::{Loss, as_json, each, map_values, to_one_set, without};
use crate::json::{list, text};

pub(super) const LOSSES: &[Loss] = &[
    Loss { said: "Links, trace state, flags, the instrumentation scope", take: without_relations },
    Loss { said: "the counts of what the limits kept out are left out", take: without_counts },
    Loss { said: "where both have a key, the span's value is shown", take: to_one_set },
    Loss { said: "Times are in whole milliseconds", take: to_milliseconds },
    Loss { said: "the start is not shown, but the duration", take: to_duration },
    Loss { said: "NaN and infinity are texts", take: to_json },
];

fn without_relations(span: &mut Value) {
    for key in ["links", "state", "flags", "scope"] {
        without(span, key);
    }
}

fn without_counts(span: &mut Value) {
    without(span, "dropped");
    each(span, "events").for_each(|event| drop(without(event, "dropped")));
}

fn to_milliseconds(span: &mut Value) {
    each(span, "events").for_each(|event| event["time"] = (event["time"].as_u64().unwrap() / 1_000_000).into());
}

fn to_duration(span: &mut Value) {
    let [start, end] = ["start", "end"].map(|key| without(span, key).as_u64().unwrap());
    span["end"] = (end / 1_000_000).into();
    span["duration"] = match end - start {
        short @ ..1_000_000 => format!("0.{:03}ms", short / 1000),
        long => format!("{}ms", long / 1_000_000),
    }
    .into();
}

fn to_json(span: &mut Value) {
    map_values(&mut span["attributes"], as_json);
    each(span, "events").for_each(|event| map_values(&mut event["attributes"], as_json));
}

/// A line.
pub(super) fn read(line: &Value) -> Value {
    let trace = &line["trace"];
    let codes = ["UNSET", "OK", "ERROR"];
    let code = codes.iter().position(|code| trace["status"] == *code).unwrap();
    assert_eq!(line["level"], if code == 2 { "ERROR" } else { "INFO" });
    assert_eq!(line["message"], format!("TRACE: {}", text(&trace["operation"])));
    let kinds = ["internal", "server", "client", "producer", "consumer"];
    let event = |event: &Value| {
        let attributes: &Map<String, Value> = event["attributes"].as_object().unwrap();
        json!({ "name": event["name"], "time": event["timestamp"], "attributes": attributes })
    };
    json!({
        "trace": trace["traceId"],
        "span": trace["spanId"],
        "parent": text(&trace["parentSpanId"]),
        "name": trace["operation"],
        "kind": 1 + kinds.iter().position(|kind| trace["kind"] == *kind).unwrap(),
        "end": unix_ms(text(&line["timestamp"])),
        "duration": trace["duration"],
        "status": { "code": code, "message": text(&trace["statusMessage"]) },
        "events": list(&line["events"]).iter().map(event).collect::<Vec<_>>(),
        "attributes": line["attributes"],
    })
}

/// All is within one second.
fn unix_ms(time: &str) -> u64 {
    let millis = time.strip_prefix("2025-11-21T20:30:00.").and_then(|rest| rest.strip_suffix('Z')).unwrap();
    1_763_757_000_000 + millis.parse::<u64>().unwrap()
}
