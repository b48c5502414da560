use spandrel_plugin_api::{ErrorKind, ProviderFactory, SpanBatch, SpanExporter};
use spandrel_post::testing::{TestServer, answer, sent_by};
use spandrel_provider_zipkin::ZipkinFactory;

use crate::exporter;
use crate::golden::{plain, request, shop, text};

#[test]
fn the_factory_makes_an_exporter_of_the_table() {
    let server = TestServer::start(&[]);
    let bytes = request(shop(), vec![plain(1, "a")]);
    let table = format!("endpoint = '{}'\n[headers]\nx-tenant = 'shop'", server.url("/own/path"));
    let sent = sent_by(&ZipkinFactory, &table, &SpanBatch::new(&[&bytes], 1), &server);
    assert_eq!((sent.line.as_str(), sent.header("x-tenant")), ("POST /own/path", Some("shop")));

    let error = ZipkinFactory.validate("endpoint = 'x'").unwrap_err();
    assert_eq!((error.kind(), error.context("key")), (ErrorKind::ConfigInvalid, Some("endpoint")));
}

#[test]
fn an_error_says_what_zipkin_said() {
    let server = TestServer::start(&[&answer("400 Bad Request", "", "Expected a JSON_V2 list\n")]);
    let bytes = request(shop(), vec![plain(1, "a"), plain(2, "b")]);
    let error = exporter(&server.url("")).export(&SpanBatch::new(&[&bytes], 2)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "Zipkin answered 400 Bad Request (said: Expected a JSON_V2 list; endpoint: {}; spans_lost: 2)",
            server.url("/api/v2/spans")
        )
    );
}

#[test]
fn a_batch_above_the_limit_goes_in_several_requests() {
    let server = TestServer::start(&[]);
    let mut spans: Vec<_> = (0..5).map(|id| plain(id, &id.to_string())).collect();
    for span in &mut spans {
        span.attributes = crate::golden::key_values(vec![("text", text(&"x".repeat(1 << 20)))]);
    }
    let bytes = request(shop(), spans);
    exporter(&server.url("")).export(&SpanBatch::new(&[&bytes], 5)).unwrap();
    let names_of = |body: &[u8]| {
        let spans: Vec<serde_json::Value> = serde_json::from_slice(body).unwrap();
        spans.iter().map(|span| span["name"].as_str().unwrap().to_owned()).collect::<String>()
    };
    let bodies = [server.request().body, server.request().body];
    assert!(bodies.iter().all(|body| body.len() <= 4 << 20));
    assert_eq!(bodies.map(|body| names_of(&body)), ["01", "234"]);
    assert_eq!(server.pending(), 0);
}
