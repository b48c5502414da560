use serde_json::{Value, json};
use spandrel_integration_tests::process::Folder;

use crate::support::{Made, ok, run, shop, write_spans};

const TABLE: &str = "   count  errors      p50      p95      p99      max  name
       2       0    850µs   1.70ms   1.70ms   1.70ms  health
       1       1   42.3ms   42.3ms   42.3ms   42.3ms  POST /checkout
       1       1   26.0ms   26.0ms   26.0ms   26.0ms  POST /pay
       1       0   30.0ms   30.0ms   30.0ms   30.0ms  charge_card
       1       0   1.23ms   1.23ms   1.23ms   1.23ms  reserve_stock
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
        "name": "work", "count": 200, "errors": 0, "p50_ns": 100_000, "p95_ns": 190_000, "p99_ns": 198_000, "max_ns": 200_000
    }] });
    assert_eq!(document, expected);
}
