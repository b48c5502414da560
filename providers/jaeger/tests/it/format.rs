use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde_json::{Value, json};
use spandrel_plugin_api::{SpanBatch, SpanExporter};
use spandrel_post::testing::TestServer;

use crate::golden::{full, key_values, plain, request, shop, text};
use crate::{decode, exporter};

/// What Jaeger gets, one for each request.
fn sent(bytes: &[u8], requests: usize) -> Vec<Value> {
    let server = TestServer::start(&[]);
    exporter(&server.url("")).export(&SpanBatch::new(&[bytes], 0)).unwrap();
    let batches = (0..requests).map(|_| {
        let request = server.request();
        assert_eq!(request.line, "POST /api/traces?format=jaeger.thrift");
        assert_eq!(request.header("content-type"), Some("application/x-thrift"));
        decode::batch(&request.body)
    });
    let batches = batches.collect();
    assert_eq!(server.pending(), 0);
    batches
}

/// In any order.
fn sorted(tags: &Value) -> Vec<String> {
    let mut tags: Vec<_> = tags.as_array().unwrap().iter().map(Value::to_string).collect();
    tags.sort_unstable();
    tags
}

#[test]
fn everything_that_a_span_has() {
    let mut batches = sent(&request(shop(), vec![full()]), 1);
    let tags = batches[0]["spans"][0].as_object_mut().unwrap().remove("tags").unwrap();
    let expected = json!({
        "process": {
            "serviceName": "shop",
            "tags": [["service.namespace", "STRING", "berlin"], ["host.cores", "LONG", 8], ["shared", "STRING", "resource"]],
        },
        "spans": [{
            "traceIdHigh": 0xff02_0304_0506_0708_u64 as i64,
            "traceIdLow": 0x090a_0b0c_0d0e_0f10_i64,
            "spanId": 1,
            "parentSpanId": 0x8000_0000_0000_0009_u64 as i64,
            "operationName": "Charge Card",
            "flags": 1,
            "startTime": 1_755_358_027_000_001_i64,
            "duration": 4_283_000,
            "references": [
                {
                    "refType": 1,
                    "traceIdHigh": 0xaaaa_aaaa_aaaa_aaaa_u64 as i64,
                    "traceIdLow": 0xaaaa_aaaa_aaaa_aaaa_u64 as i64,
                    "spanId": 0xbbbb_bbbb_bbbb_bbbb_u64 as i64,
                },
                {
                    "refType": 1,
                    "traceIdHigh": 0x0101_0101_0101_0101_i64,
                    "traceIdLow": 0x0101_0101_0101_0101_i64,
                    "spanId": 0x0202_0202_0202_0202_i64,
                },
            ],
            "logs": [
                { "timestamp": 1_755_358_027_000_002_i64, "fields": [["event", "STRING", "plain"]] },
                {
                    "timestamp": 1_755_358_027_000_003_i64,
                    "fields": [
                        ["event", "STRING", "pa\"id"],
                        ["amount", "DOUBLE", 9.5],
                        ["items", "STRING", "[3]"],
                        ["otel.dropped_attributes_count", "LONG", 4],
                    ],
                },
                { "timestamp": 1_755_358_027_000_004_i64, "fields": [["event", "STRING", "by attribute"]] },
                {
                    "timestamp": 1_755_358_027_000_001_i64,
                    "fields": [
                        ["why", "STRING", "batch"],
                        ["event", "STRING", "link"],
                        ["trace_id", "STRING", "01010101010101010101010101010101"],
                        ["span_id", "STRING", "0202020202020202"],
                        ["w3c.tracestate", "STRING", "l=1"],
                        ["otel.dropped_attributes_count", "LONG", 5],
                    ],
                },
            ],
        }],
    });
    assert_eq!(batches[0], expected);
    let expected = json!([
        ["text", "STRING", "käse \"🧀\"\n"],
        ["yes", "BOOL", true],
        ["no", "BOOL", false],
        ["whole", "LONG", i64::MIN],
        ["half", "DOUBLE", 0.5],
        ["bytes", "BINARY", [0, 255, 128]],
        ["texts", "STRING", r#"["a","b\""]"#],
        ["numbers", "STRING", "[1,2.5,true]"],
        ["map", "STRING", r#"{"k":["v"]}"#],
        ["none", "STRING", ""],
        ["shared", "STRING", "span"],
        ["server.address", "STRING", "10.0.0.7"],
        ["server.port", "LONG", 5432],
        ["span.kind", "STRING", "client"],
        ["error", "BOOL", true],
        ["otel.status_code", "STRING", "ERROR"],
        ["otel.status_description", "STRING", "card declined"],
        ["otel.scope.name", "STRING", "shop"],
        ["otel.scope.version", "STRING", "1.2"],
        ["otel.library.name", "STRING", "shop"],
        ["otel.library.version", "STRING", "1.2"],
        ["otel.dropped_attributes_count", "LONG", 1],
        ["otel.dropped_events_count", "LONG", 2],
        ["otel.dropped_links_count", "LONG", 3],
        ["w3c.tracestate", "STRING", "a=1,b=2"],
    ]);
    assert_eq!(sorted(&tags), sorted(&expected));
}

#[test]
fn what_a_span_does_not_have_is_left_out() {
    let expected = json!({
        "process": { "serviceName": "unknown_service", "tags": [] },
        "spans": [{
            "traceIdHigh": 0xff02_0304_0506_0708_u64 as i64,
            "traceIdLow": 0x090a_0b0c_0d0e_0f10_i64,
            "spanId": 7,
            "parentSpanId": 0,
            "operationName": "",
            "flags": 0,
            "startTime": 1_755_358_027_000_001_i64,
            "duration": 0,
            "tags": [
                ["otel.scope.name", "STRING", "shop"],
                ["otel.library.name", "STRING", "shop"],
                ["otel.scope.version", "STRING", "1.2"],
                ["otel.library.version", "STRING", "1.2"],
            ],
        }],
    });
    assert_eq!(sent(&request(vec![], vec![plain(7, "")]), 1), [expected]);
}

#[test]
fn a_request_has_the_spans_of_one_process() {
    let bytes = [
        request(shop(), vec![plain(1, "a"), plain(2, "b")]),
        request(shop(), vec![plain(3, "c")]),
        request(vec![("service.name", text("cart"))], vec![plain(4, "d")]),
        request(shop(), vec![plain(5, "e")]),
    ];
    let found: Vec<_> = sent(&bytes.concat(), 3)
        .iter()
        .map(|batch| {
            let spans = batch["spans"].as_array().unwrap();
            let names: String = spans.iter().map(|span| span["operationName"].as_str().unwrap()).collect();
            (batch["process"]["serviceName"].as_str().unwrap().to_owned(), names)
        })
        .collect();
    assert_eq!(found, [("shop", "abc"), ("cart", "d"), ("shop", "e")].map(|(a, b)| (a.to_owned(), b.to_owned())));
}

#[test]
fn kinds_and_outcomes_are_tags() {
    let span = |kind, code| Span {
        kind,
        status: Some(Status { code, message: String::new() }),
        attributes: key_values(vec![("error", text("mine"))]),
        ..plain(1, "a")
    };
    let spans = vec![span(0, 0), span(1, 1), span(2, 2), span(3, 0), span(4, 0), span(5, 0)];
    let batches = sent(&request(shop(), spans), 1);
    let tag = |key: &str| -> Vec<Value> {
        let spans = batches[0]["spans"].as_array().unwrap();
        let value = |span: &Value| {
            let tag = span["tags"].as_array().unwrap().iter().find(|tag| tag[0] == key);
            tag.map_or(Value::Null, |tag| tag[2].clone())
        };
        spans.iter().map(value).collect()
    };
    let null = Value::Null;
    assert_eq!(
        tag("span.kind"),
        [null.clone(), null.clone(), "server".into(), "client".into(), "producer".into(), "consumer".into()]
    );
    assert_eq!(tag("otel.status_code"), [null.clone(), "OK".into(), "ERROR".into(), null.clone(), null.clone(), null]);
    assert_eq!(
        tag("error"),
        ["mine".into(), "mine".into(), true.into(), "mine".into(), "mine".into(), Value::from("mine")]
    );
}
