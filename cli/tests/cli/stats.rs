use serde_json::{Value, json};
use spandrel_integration_tests::process::Folder;
use spandrel_plugin_api::SpanKind;

use crate::support::{Made, ai_calls, ok, run, shop, write_spans};

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

#[test]
fn calls_of_models_have_a_table_of_their_own() {
    let folder = Folder::new();
    ai_calls(&folder);
    let shown = ok(&folder, &["stats"]);
    let (_, models) = shown.split_once("\n\n").unwrap();
    let expected = "   calls  errors    tokens in       cached   tokens out            USD  model
       2       1         1500         1000           60        0.00312  openai/gpt-4o  1 without cost
       1       0          800            0            0      0.0000016  mistral-embed
       1       0           10            0            5              -  acme/own
       4       1         2310         1000           65      0.0031216  all  2 without cost
";
    assert_eq!(models, expected);
    let document: Value = serde_json::from_str(&ok(&folder, &["stats", "--json"])).unwrap();
    let expected = json!([
        {"provider": "openai", "model": "gpt-4o", "calls": 2, "errors": 1, "input_tokens": 1500, "cached_tokens": 1000,
         "output_tokens": 60, "cost_usd": 0.003_12, "calls_without_cost": 1},
        {"provider": null, "model": "mistral-embed", "calls": 1, "errors": 0, "input_tokens": 800, "cached_tokens": 0,
         "output_tokens": 0, "cost_usd": 0.000_001_6, "calls_without_cost": 0},
        {"provider": "acme", "model": "own", "calls": 1, "errors": 0, "input_tokens": 10, "cached_tokens": 0,
         "output_tokens": 5, "cost_usd": null, "calls_without_cost": 1},
    ]);
    assert_eq!(document["models"], expected);
    // Filters are for both tables, and no table is there for no calls.
    let failed: Value = serde_json::from_str(&ok(&folder, &["stats", "--json", "--errors"])).unwrap();
    assert_eq!((failed["names"].as_array().unwrap().len(), &failed["models"][0]["calls"]), (1, &json!(1)));
    let agents: Value = serde_json::from_str(&ok(&folder, &["stats", "--json", "--name", "invoke_agent *"])).unwrap();
    assert_eq!(agents.get("models"), None);
}
