use opentelemetry_proto::tonic::common::v1::any_value::Value as OtlpValue;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde_json::{Value, json};
use spandrel_plugin_api::{SpanBatch, SpanExporter};
use spandrel_post::testing::TestServer;

use crate::exporter;
use crate::golden::{full, key_values, plain, request, shop, text};

/// What Zipkin gets for these spans.
fn sent(resource: Vec<(&str, OtlpValue)>, spans: Vec<Span>) -> Vec<Value> {
    let server = TestServer::start(&[]);
    let count = spans.len();
    let bytes = request(resource, spans);
    exporter(&server.url("")).export(&SpanBatch::new(&[&bytes], count)).unwrap();
    let request = server.request();
    assert_eq!(
        (request.line.as_str(), request.header("content-type")),
        ("POST /api/v2/spans", Some("application/json"))
    );
    serde_json::from_slice(&request.body).unwrap()
}

#[test]
fn everything_that_a_span_has() {
    let expected = json!([{
        "traceId": "ff02030405060708090a0b0c0d0e0f10",
        "id": "0000000000000001",
        "parentId": "8000000000000009",
        "kind": "CLIENT",
        "name": "Charge Card",
        "timestamp": 1_755_358_027_000_001_u64,
        "duration": 4_283_000,
        "localEndpoint": { "serviceName": "shop" },
        "remoteEndpoint": { "serviceName": "10.0.0.7", "ipv4": "10.0.0.7", "port": 5432 },
        "annotations": [
            { "timestamp": 1_755_358_027_000_002_u64, "value": "plain" },
            {
                "timestamp": 1_755_358_027_000_003_u64,
                "value": r#""pa\"id":{"amount":9.5,"items":[3],"otel.dropped_attributes_count":4}"#,
            },
            { "timestamp": 1_755_358_027_000_004_u64, "value": r#""named":{"event":"by attribute"}"# },
        ],
        "tags": {
            "service.namespace": "berlin",
            "host.cores": "8",
            "text": "käse \"🧀\"\n",
            "yes": "true",
            "no": "false",
            "whole": "-9223372036854775808",
            "half": "0.5",
            "bytes": "AP+A",
            "texts": r#"["a","b\""]"#,
            "numbers": "[1,2.5,true]",
            "map": r#"{"k":["v"]}"#,
            "none": "",
            "shared": "span",
            "server.address": "10.0.0.7",
            "server.port": "5432",
            "error": "card declined",
            "otel.status_code": "ERROR",
            "otel.scope.name": "shop",
            "otel.scope.version": "1.2",
            "otel.library.name": "shop",
            "otel.library.version": "1.2",
            "otel.dropped_attributes_count": "1",
            "otel.dropped_events_count": "2",
            "otel.dropped_links_count": "3",
            "w3c.tracestate": "a=1,b=2",
            "otlp.link.0": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|bbbbbbbbbbbbbbbb||{}|0",
            "otlp.link.1": r#"01010101010101010101010101010101|0202020202020202|l=1|{"why":"batch"}|5"#,
        },
    }]);
    assert_eq!(Value::from(sent(shop(), vec![full()])), expected);
}

#[test]
fn what_a_span_does_not_have_is_left_out() {
    let spans = sent(vec![], vec![plain(1, "a"), plain(2, "")]);
    let tags = json!({
        "otel.scope.name": "shop", "otel.scope.version": "1.2",
        "otel.library.name": "shop", "otel.library.version": "1.2",
    });
    let expected = |id, name| {
        json!({
            "traceId": "ff02030405060708090a0b0c0d0e0f10",
            "id": id,
            "name": name,
            "timestamp": 1_755_358_027_000_001_u64,
            "duration": 1,
            "localEndpoint": { "serviceName": "unknown_service" },
            "tags": tags,
        })
    };
    assert_eq!(spans, [expected("0000000000000001", "a"), expected("0000000000000002", "")]);
}

#[test]
fn kinds_have_their_names() {
    let kinds = [
        (0, Value::Null),
        (1, Value::Null),
        (2, "SERVER".into()),
        (3, "CLIENT".into()),
        (4, "PRODUCER".into()),
        (5, "CONSUMER".into()),
    ];
    let spans = sent(shop(), kinds.iter().map(|(kind, _)| Span { kind: *kind, ..plain(1, "a") }).collect());
    let found: Vec<_> = spans.iter().map(|span| span["kind"].clone()).collect();
    assert_eq!(found, kinds.map(|(_, name)| name));
}

#[test]
fn an_error_is_one_by_its_status_alone() {
    let span = |status, error| Span {
        status: Some(Status { code: status, message: String::new() }),
        attributes: key_values(vec![("error", error), ("otel.status_code", text("x"))]),
        ..plain(1, "a")
    };
    let spans = sent(
        shop(),
        vec![
            span(1, text("false")),
            span(0, OtlpValue::BoolValue(false)),
            span(0, OtlpValue::BoolValue(true)),
            span(2, OtlpValue::BoolValue(false)),
        ],
    );
    let tag = |key: &str| spans.iter().map(|span| span["tags"][key].clone()).collect::<Vec<_>>();
    assert_eq!(tag("error"), [Value::Null, Value::Null, "true".into(), "".into()]);
    assert_eq!(tag("otel.status_code"), ["OK", "x", "x", "ERROR"]);
}

#[test]
fn the_other_side_is_the_best_that_is_known() {
    let port = |port| OtlpValue::IntValue(port);
    let cases = [
        (
            vec![("db.name", text("orders")), ("server.address", text("db")), ("peer.service", text("payments"))],
            json!({"serviceName": "payments"}),
        ),
        (
            vec![
                ("peer.service", text("payments")),
                ("server.address", text("10.0.0.9")),
                ("server.port", port(8443)),
                ("network.peer.address", text("10.0.0.1")),
            ],
            json!({"serviceName": "payments", "ipv4": "10.0.0.9", "port": 8443}),
        ),
        (
            vec![
                ("peer.service", text("payments")),
                ("server.address", text("pay")),
                ("server.port", port(8443)),
                ("network.peer.address", text("fe80::1")),
            ],
            json!({"serviceName": "payments", "ipv6": "fe80::1"}),
        ),
        (
            vec![("server.address", text("db")), ("server.port", text("5432"))],
            json!({"serviceName": "db", "port": 5432}),
        ),
        (
            vec![("network.peer.address", text("::1")), ("network.peer.port", port(8))],
            json!({"serviceName": "::1", "ipv6": "::1", "port": 8}),
        ),
        (
            vec![("net.sock.peer.addr", text("1.2.3.4")), ("net.sock.peer.port", port(70000))],
            json!({"serviceName": "1.2.3.4", "ipv4": "1.2.3.4"}),
        ),
        (vec![("peer.service", text("")), ("db.name", text("orders"))], json!({"serviceName": "orders"})),
        (vec![("server.port", port(80))], Value::Null),
    ];
    for kind in [2, 3, 4] {
        let spans = cases.iter().map(|(attributes, _)| Span {
            kind,
            attributes: key_values(attributes.clone()),
            ..plain(1, "a")
        });
        let found = sent(shop(), spans.collect());
        for (span, (attributes, expected)) in found.iter().zip(&cases) {
            let expected = if kind == 2 { &Value::Null } else { expected };
            assert_eq!(&span["remoteEndpoint"], expected, "{attributes:?}");
        }
    }
}
