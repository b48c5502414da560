use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use spandrel_plugin_api::{Error, ErrorKind, SpanBatch, SpanView};
use spandrel_post::testing::{TestServer, answer, settings};
use spandrel_post::{Delivery, Encode, Endpoint};

use crate::SERVER;

/// Writes the names of the spans; those with different first letters do not go together.
struct Names;

impl Encode for Names {
    fn run(&self, spans: &[SpanView<'_>]) -> usize {
        let first = spans[0].name().chars().next();
        spans.iter().take_while(|span| span.name().chars().next() == first).count()
    }

    fn body(&self, spans: &[SpanView<'_>]) -> (&'static str, Vec<u8>) {
        ("text/plain", spans.iter().map(SpanView::name).collect::<Vec<_>>().join(",").into_bytes())
    }
}

fn batch(names: &str) -> Vec<u8> {
    let span =
        |name: &str| Span { trace_id: vec![1; 16], span_id: vec![1; 8], name: name.to_owned(), ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: names.split_whitespace().map(span).collect(), ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn send(delivery: &mut Delivery, names: &str) -> Result<(), Error> {
    let bytes = batch(names);
    delivery.send(&SpanBatch::new(&[&bytes], names.split_whitespace().count()), &Names)
}

/// Requests of at most 8 bytes.
fn delivery(server: &TestServer) -> Delivery {
    Delivery::new(SERVER, Endpoint::parse(&server.url("/"), SERVER.usual).unwrap(), settings()).unwrap().with_limit(8)
}

fn bodies(server: &TestServer, count: usize) -> Vec<String> {
    let bodies = (0..count).map(|_| String::from_utf8(server.request().body).unwrap()).collect();
    assert_eq!(server.pending(), 0);
    bodies
}

const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
const BAD: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
const TAKEN: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

#[test]
fn what_belongs_together_goes_together_and_too_much_is_halved() {
    let server = TestServer::start(&[]);
    send(&mut delivery(&server), "a1 a2 b1 a3 a4 a5 a6").unwrap();
    assert_eq!(bodies(&server, 4), ["a1,a2", "b1", "a3,a4", "a5,a6"]);
    send(&mut delivery(&server), "").unwrap();
    assert_eq!(server.pending(), 0);
}

#[test]
fn a_second_attempt_begins_where_the_first_ended() {
    let server = TestServer::start(&[TAKEN, BUSY, BUSY]);
    let mut delivery = delivery(&server);
    for _ in 0..2 {
        assert_eq!(send(&mut delivery, "a b c").unwrap_err().kind(), ErrorKind::Unavailable);
    }
    send(&mut delivery, "a b c").unwrap();
    assert_eq!(bodies(&server, 5), ["a", "b", "b", "b", "c"]);
    // The same batch again, which is another one now.
    send(&mut delivery, "a b c").unwrap();
    assert_eq!(bodies(&server, 3), ["a", "b", "c"]);
}

#[test]
fn another_batch_after_a_failed_one_begins_at_its_beginning() {
    let server = TestServer::start(&[TAKEN, BUSY]);
    let mut delivery = delivery(&server);
    send(&mut delivery, "a b").unwrap_err();
    send(&mut delivery, "x y").unwrap();
    assert_eq!(bodies(&server, 4), ["a", "b", "x", "y"]);
}

#[test]
fn what_was_refused_is_counted_and_the_rest_is_sent() {
    let server = TestServer::start(&[TAKEN, BAD, BUSY]);
    let mut delivery = delivery(&server);
    assert_eq!(send(&mut delivery, "a b1 b2 c").unwrap_err().kind(), ErrorKind::Unavailable);
    let error = send(&mut delivery, "a b1 b2 c").unwrap_err();
    assert_eq!((error.kind(), error.spans_lost()), (ErrorKind::SpansLost, Some(2)));
    assert!(
        error.to_string().starts_with("2 of 4 spans were not taken (spans_lost: 2): the test answered 400"),
        "{error}"
    );
    assert_eq!(bodies(&server, 4), ["a", "b1,b2", "c", "c"]);

    let server = TestServer::start(&[&answer("400 Bad Request", "", "no")]);
    let error = send(&mut self::delivery(&server), "a1 a2").unwrap_err();
    assert_eq!((error.kind(), error.spans_lost(), error.context("said")), (ErrorKind::Internal, Some(2), Some("no")));
}

#[test]
fn a_span_too_large_is_lost_alone() {
    let server = TestServer::start(&[]);
    let error = send(&mut delivery(&server), "a aaaaaaaaa a").unwrap_err();
    assert_eq!((error.kind(), error.spans_lost()), (ErrorKind::SpansLost, Some(1)));
    assert!(error.to_string().contains("a span of 9 bytes is too large for a request of 8"), "{error}");
    assert_eq!(bodies(&server, 2), ["a", "a"]);
}

#[test]
fn a_batch_that_cannot_be_read_is_not_sent() {
    let server = TestServer::start(&[]);
    let bytes = batch("a b");
    let error = delivery(&server).send(&SpanBatch::new(&[&bytes[..bytes.len() - 1]], 2), &Names).unwrap_err();
    assert_eq!((error.kind(), server.pending()), (ErrorKind::Malformed, 0));
}

#[test]
fn a_child_leaves_connection_and_unfinished_batch_to_its_parent() {
    let server = TestServer::start(&[TAKEN, BUSY]);
    let mut delivery = delivery(&server);
    send(&mut delivery, "a b").unwrap_err();
    delivery.on_fork();
    send(&mut delivery, "a b").unwrap();
    let found = (0..4).map(|_| server.request()).map(|request| (request.body, request.connection));
    assert_eq!(found.collect::<Vec<_>>(), [("a", 0), ("b", 0), ("a", 1), ("b", 1)].map(|(a, n)| (a.into(), n)));
}
