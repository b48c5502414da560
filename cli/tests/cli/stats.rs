use serde_json::{Value, json};
use spandrel_integration_tests::process::Folder;
use spandrel_plugin_api::SpanKind;

use crate::support::{Made, ok, run, shop, write_spans};

const TABLE: &str = "   count  errors      p50      p95      p99      max  kind      name
       2       0    850µs   1.70ms   1.70ms   1.70ms  internal  health
       1       1   42.3ms   42.3ms   42.3ms   42.3ms  server    POST /checkout
       1       1   26.0ms   26.0ms   26.0ms   26.0ms  server    POST /pay
       1       0   30.0ms   30.0ms   30.0ms   30.0ms  client    charge_card
       1       0   1.23ms   1.23ms   1.23ms   1.23ms  internal  reserve_stock
";

#[test]
fn names_are_counted() {
    let folder = Folder::new();
    shop(&folder);
    assert_eq!(ok(&folder, &["stats"]), TABLE);
    let slowest = ok(&folder, &["stats", "--sort", "p99", "--errors"]);
    let names: Vec<&str> = slowest.lines().skip(1).filter_map(|line| line.split("  ").last()).collect();
    assert_eq!(names, ["POST /checkout", "POST /pay"]);
    let run = run(&folder, &["stats", "--service", "nobody"]);
    assert_eq!((run.code, &*run.err), (1, "error: no span fits the filters\n"));
}

#[test]
fn percentiles_are_exact() {
    let folder = Folder::new();
    let path = folder.file("traces.jsonl");
    // 1 to 200 microseconds, in no order.
    let spans: Vec<Made<'_>> =
        (1..=200_u8).map(|n| Made::new(n, n, None, "work", 0, u64::from(n) * 77 % 201)).collect();
    write_spans(&path, "s", &spans);
    let document: Value = serde_json::from_str(&ok(&folder, &["stats", "--json"])).unwrap();
    let expected = json!({ "names": [{
        "name": "work", "kind": "internal", "count": 200, "errors": 0, "p50_ns": 100_000, "p95_ns": 190_000, "p99_ns": 198_000, "max_ns": 200_000
    }] });
    assert_eq!(document, expected);
}

#[test]
fn both_sides_of_a_call_are_counted_apart() {
    let folder = Folder::new();
    let side = |kind, id, to| Made { kind, ..Made::new(1, id, None, "GET /", 0, to) };
    let spans = [side(SpanKind::Client, 1, 40), side(SpanKind::Server, 2, 20), side(SpanKind::Server, 3, 30)];
    write_spans(&folder.file("traces.jsonl"), "s", &spans);
    let document: Value = serde_json::from_str(&ok(&folder, &["stats", "--json"])).unwrap();
    let rows = document["names"].as_array().unwrap().iter().map(|row| (&row["kind"], &row["count"], &row["max_ns"]));
    let expected = [(&json!("server"), &json!(2), &json!(30_000)), (&json!("client"), &json!(1), &json!(40_000))];
    assert_eq!(rows.collect::<Vec<_>>(), expected);
}
