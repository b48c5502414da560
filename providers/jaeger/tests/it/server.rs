use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use spandrel_plugin_api::{ErrorKind, ProviderFactory, SpanBatch, SpanExporter};
use spandrel_post::testing::{TestServer, answer, sent_by};
use spandrel_provider_jaeger::JaegerFactory;

use crate::exporter;
use crate::golden::{full, plain, request, shop};

#[test]
fn the_factory_makes_an_exporter_of_the_table() {
    let server = TestServer::start(&[]);
    let bytes = request(shop(), vec![plain(1, "a")]);
    let table = format!("endpoint = '{}'\nuser = 'u'\npassword = 'p'", server.url("/a?b=c&format=x"));
    let sent = sent_by(&JaegerFactory, &table, &SpanBatch::new(&[&bytes], 1), &server);
    assert_eq!((sent.line.as_str(), sent.header("authorization")), ("POST /a?b=c&format=x", Some("Basic dTpw")));

    let error = JaegerFactory.validate("endpoint = 'http://jaeger:4317'").unwrap_err();
    assert_eq!((error.kind(), error.context("key")), (ErrorKind::ConfigInvalid, Some("endpoint")));
}

#[test]
fn an_error_says_what_jaeger_said() {
    let server = TestServer::start(&[&answer("400 Bad Request", "", "Unable to process request body: EOF\n")]);
    let bytes = request(shop(), vec![plain(1, "a"), plain(2, "b")]);
    let error = exporter(&server.url("")).export(&SpanBatch::new(&[&bytes], 2)).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "Jaeger answered 400 Bad Request (said: Unable to process request body: EOF; endpoint: {}; spans_lost: 2)",
            server.url("/api/traces")
        )
    );
}

#[test]
fn a_port_for_otlp_gets_the_recorders_bytes() {
    let server = TestServer::start(&[&answer("200 OK", "", ""), &answer("503 Busy", "retry-after: 2\r\n", "")]);
    let mut exporter = exporter(&server.url("/v1/traces"));
    let bytes = request(shop(), vec![full()]);
    let parts = [&bytes[..40], &bytes[40..]];
    exporter.export(&SpanBatch::new(&parts, 1)).unwrap();
    let request = server.request();
    assert_eq!(
        (request.line.as_str(), request.header("content-type")),
        ("POST /v1/traces", Some("application/x-protobuf"))
    );
    assert_eq!(request.body, bytes);
    let decoded = ExportTraceServiceRequest::decode(request.body.as_slice()).unwrap();
    assert_eq!(decoded.resource_spans[0].scope_spans[0].spans, [full()]);

    let error = exporter.export(&SpanBatch::new(&parts, 1)).unwrap_err();
    assert_eq!((error.kind(), error.retry_after().map(|wait| wait.as_secs())), (ErrorKind::Unavailable, Some(2)));
    exporter.export(&SpanBatch::new(&[], 0)).unwrap();
    assert_eq!(server.pending(), 1);
}

#[test]
fn spans_refused_in_an_otlp_answer_are_counted() {
    let answer_with = |rejected_spans| {
        let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message: "too old".to_owned() });
        let body = ExportTraceServiceResponse { partial_success }.encode_to_vec();
        answer("200 OK", "", std::str::from_utf8(&body).unwrap())
    };
    let server = TestServer::start(&[&answer_with(1), &answer_with(0), &answer("200 OK", "", "no protobuf")]);
    let mut exporter = exporter(&server.url("/v1/traces"));
    let bytes = request(shop(), vec![plain(1, "a"), plain(2, "b")]);
    let parts = [bytes.as_slice()];
    let batch = SpanBatch::new(&parts, 2);
    let error = exporter.export(&batch).unwrap_err();
    assert_eq!((error.kind(), error.spans_lost()), (ErrorKind::SpansLost, Some(1)));
    assert_eq!((error.message(), error.context("said")), ("Jaeger refused 1 of 2 spans", Some("too old")));
    exporter.export(&batch).unwrap();
    exporter.export(&batch).unwrap();
}
