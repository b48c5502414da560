use serde_json::{Value, json};
use spandrel_integration_tests::otlp_json;
use spandrel_integration_tests::process::Folder;

use crate::support::{START, ok, run, run_on, shop};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn protobuf_loses_nothing() {
    let folder = Folder::new();
    shop(&folder);
    let before = std::fs::read_to_string(folder.file("traces.jsonl")).unwrap();
    // Framed, the batches stay apart, so that the very text comes back.
    ok(&folder, &["convert", "--to", "otlp-framed", "-o", "framed.pb"]);
    assert_eq!(ok(&folder, &["convert", "framed.pb", "--to", "otlp-json"]), before);
    ok(&folder, &["convert", "--to", "otlp", "-o", "one.pb"]);
    let after = ok(&folder, &["convert", "one.pb", "--to", "otlp-json"]);
    assert_eq!(after.lines().count(), 1);
    std::fs::write(folder.file("after.jsonl"), after).unwrap();
    let read = |name: &str| format!("{:?}", otlp_json::read(&folder.file(name)));
    assert_eq!(read("traces.jsonl"), read("after.jsonl"));
    assert!(!folder.file("one.pb.part").exists());
}

#[test]
fn a_collector_would_understand_the_protobuf() {
    use spandrel_plugin_api::{SpanData, SpanReader};
    let folder = Folder::new();
    shop(&folder);
    ok(&folder, &["convert", "--to", "otlp", "-o", "one.pb"]);
    let bytes = std::fs::read(folder.file("one.pb")).unwrap();
    let parts = [&bytes[..]];
    let spans: Vec<SpanData> = SpanReader::new(&parts).map(|span| SpanData::from(&span.unwrap())).collect();
    assert_eq!(format!("{spans:?}"), format!("{:?}", otlp_json::read(&folder.file("traces.jsonl"))));
}

#[test]
fn zipkin_keeps_what_it_can() {
    let folder = Folder::new();
    shop(&folder);
    ok(&folder, &["convert", "--to", "zipkin", "-o", "zipkin.json"]);
    let zipkin: Value = serde_json::from_slice(&std::fs::read(folder.file("zipkin.json")).unwrap()).unwrap();
    let find = |name: &str| zipkin.as_array().unwrap().iter().find(|span| span["name"] == name).unwrap().clone();
    assert_eq!(zipkin.as_array().unwrap().len(), 6);
    assert_eq!(
        find("POST /pay"),
        json!({
            "traceId": "4b".repeat(16), "id": "04".repeat(8), "parentId": "03".repeat(8), "kind": "SERVER",
            "name": "POST /pay", "timestamp": START / 1000 + 14_000, "duration": 26_000,
            "localEndpoint": { "serviceName": "payments" }, "annotations": [],
            "tags": { "otel.status_code": "ERROR", "error": "card declined", "otel.scope.name": "shop-lib",
                      "otel.scope.version": "1.2.0", "region": "eu-1" },
        })
    );
    let reserve = find("reserve_stock");
    assert_eq!(
        reserve["annotations"],
        json!([{ "timestamp": START / 1000 + 2_001, "value": "\"paid\":{\"amount\":9.5}" }])
    );
    assert_eq!(reserve["tags"]["prices"], "[1.5,\"NaN\",-0.0]");
    assert_eq!((&reserve["tags"]["big"], &reserve["kind"]), (&json!("-9223372036854775808"), &Value::Null));

    // There and back: texts, and what was of the resource is of the span.
    let back = lines(&ok(&folder, &["convert", "zipkin.json", "--to", "otlp-json"]));
    let resources = back[0]["resourceSpans"].as_array().unwrap();
    let names: Vec<&Value> =
        resources.iter().map(|r| &r["resource"]["attributes"][0]["value"]["stringValue"]).collect();
    assert_eq!(names, ["payments", "shop"]);
    let spans = resources[1]["scopeSpans"][0]["spans"].as_array().unwrap();
    assert_eq!(resources[1]["scopeSpans"][0]["scope"], json!({ "name": "shop-lib", "version": "1.2.0" }));
    let reserve = spans.iter().find(|span| span["name"] == "reserve_stock").unwrap();
    assert_eq!(reserve["startTimeUnixNano"], (START + 1_000_000).to_string());
    assert_eq!(reserve["endTimeUnixNano"], (START + 2_234_000).to_string());
    let attribute = |key: &str| {
        reserve["attributes"].as_array().unwrap().iter().find(|a| a["key"] == key).unwrap()["value"].clone()
    };
    assert_eq!(attribute("cart.items"), json!({ "stringValue": "3" }));
    assert_eq!(attribute("region"), json!({ "stringValue": "eu-1" }));
    assert_eq!(reserve["events"][0]["attributes"], json!([{ "key": "amount", "value": { "stringValue": "9.5" } }]));
    assert_eq!(reserve.get("links"), None);
    let failed = spans.iter().find(|span| span["name"] == "POST /checkout").unwrap();
    assert_eq!((&failed["status"], &failed["kind"]), (&json!({ "code": 2 }), &json!(2)));
    // From there on nothing changes any more.
    std::fs::write(folder.file("second.jsonl"), ok(&folder, &["convert", "zipkin.json", "--to", "otlp-json"])).unwrap();
    ok(&folder, &["convert", "second.jsonl", "--to", "zipkin", "-o", "second.json"]);
    let again = lines(&ok(&folder, &["convert", "second.json", "--to", "otlp-json"]));
    assert_eq!(sorted(&again), sorted(&back));
}

/// All spans, without the order of their attributes.
fn sorted(lines: &[Value]) -> Vec<String> {
    let mut spans = Vec::new();
    for resource in lines[0]["resourceSpans"].as_array().unwrap() {
        for span in resource["scopeSpans"][0]["spans"].as_array().unwrap() {
            let mut span = span.clone();
            if let Some(attributes) = span["attributes"].as_array_mut() {
                attributes.sort_by_key(ToString::to_string);
            }
            spans.push(span.to_string());
        }
    }
    spans.sort();
    spans
}

#[test]
fn chrome_has_lanes_without_overlap() {
    let folder = Folder::new();
    shop(&folder);
    let document: Value = serde_json::from_str(&ok(&folder, &["convert", "--to", "chrome"])).unwrap();
    let events = document["traceEvents"].as_array().unwrap();
    let of = |phase: &str| events.iter().filter(|event| event["ph"] == phase).collect::<Vec<_>>();
    let spans = of("X");
    assert_eq!(spans.len(), 6);
    let names: Vec<&Value> = of("M").iter().map(|event| &event["args"]["name"]).collect();
    assert_eq!(names, ["shop", "payments"]);
    let checkout = spans.iter().find(|event| event["name"] == "POST /checkout").unwrap();
    assert_eq!((checkout["dur"].as_f64(), checkout["ts"].as_f64()), (Some(42_340.0), Some((START / 1000) as f64)));
    assert_eq!(checkout["args"]["attributes"]["url.path"], "/checkout");
    assert_eq!(of("i")[0]["args"]["amount"], 9.5);
    let lane = |event: &Value| (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
    let range = |event: &Value| {
        let start = event["ts"].as_f64().unwrap();
        (start, start + event["dur"].as_f64().unwrap())
    };
    for (i, a) in spans.iter().enumerate() {
        for b in spans.iter().skip(i + 1).filter(|b| lane(b) == lane(a)) {
            let ((a0, a1), (b0, b1)) = (range(a), range(b));
            assert!(a1 <= b0 || b1 <= a0 || (a0 <= b0 && b1 <= a1) || (b0 <= a0 && a1 <= b1), "{a} {b}");
        }
    }
}

#[test]
fn only_what_fits_is_converted() {
    let folder = Folder::new();
    shop(&folder);
    let text = ok(&folder, &["convert", "--to", "otlp-json", "--name", "POST *"]);
    std::fs::write(folder.file("some.jsonl"), &text).unwrap();
    let spans = otlp_json::read(&folder.file("some.jsonl"));
    let names: Vec<&str> = spans.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["POST /pay", "POST /checkout"]);
    assert!(spans.iter().all(|span| span.resource.len() == 2 && span.scope_name == "shop-lib"));
    let run = run(&folder, &["convert", "--to", "zipkin", "--name", "nothing"]);
    assert_eq!((run.code, &*run.out), (1, "[\n]\n"));
}

#[test]
fn torn_protobuf_is_told() {
    let folder = Folder::new();
    shop(&folder);
    ok(&folder, &["convert", "--to", "otlp-framed", "-o", "framed.pb"]);
    let bytes = std::fs::read(folder.file("framed.pb")).unwrap();
    let torn = run_on(&folder, &["convert", "-", "--to", "otlp-json"], &bytes[..bytes.len() - 7]);
    assert_eq!((torn.code, torn.out.lines().count()), (0, 1));
    assert_eq!(torn.err, "-: request 2: left out: the last request is torn: its writer was killed, or is at work\n");
    let wrong = run_on(&folder, &["convert", "-", "--from", "otlp", "--to", "otlp-json"], b"\x0a\xff");
    assert_eq!(wrong.code, 3, "{}", wrong.err);
    let same = run(&folder, &["convert", "traces.jsonl", "--to", "otlp", "-o", "traces.jsonl"]);
    assert_eq!((same.code, same.err.contains("at the same time")), (2, true));
}
