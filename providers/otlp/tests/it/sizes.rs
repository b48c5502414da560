//! Requests stay below 4 MiB.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use spandrel_plugin_api::ErrorKind;
use spandrel_provider_otlp::Protocol;

use crate::server::{Received, Reply, Server};
use crate::spans::{export, export_request, exporter, names, request};

const LIMIT: usize = 4 << 20;

fn all_names(received: &[Received]) -> Vec<String> {
    received.iter().flat_map(|received| names(&received.decode())).collect()
}

#[test]
fn a_large_batch_is_sent_in_several_requests() {
    let server = Server::start(|_| Reply::status(200));
    let batch = request(100, 100_000);
    export_request(&mut exporter(&server.url(), |_| {}), &batch).unwrap();
    let received = server.received();
    assert!(received.len() > 2 && received.iter().all(|received| received.body.len() < LIMIT), "{}", received.len());
    assert_eq!(all_names(&received), names(&batch));
    for received in received {
        let resource = &received.decode().resource_spans[0];
        assert_eq!(resource.resource, batch.resource_spans[0].resource);
        assert_eq!(resource.scope_spans[0].scope, batch.resource_spans[0].scope_spans[0].scope);
    }
}

#[test]
fn json_is_larger_and_split_by_its_own_size() {
    let server = Server::start(|_| Reply::status(200));
    // Each character takes six in JSON.
    let mut batch = request(16, 0);
    for span in &mut batch.resource_spans[0].scope_spans[0].spans {
        span.name = "\u{1}".repeat(100_000);
    }
    export_request(&mut exporter(&server.url(), |config| config.protocol = Protocol::HttpJson), &batch).unwrap();
    let received = server.received();
    assert!(received.iter().all(|received| received.body.len() < LIMIT));
    let spans = |received: &Received| {
        let json: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
        json["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().len()
    };
    assert_eq!(received.iter().map(spans).collect::<Vec<_>>(), [4, 4, 4, 4]);
}

#[test]
fn a_span_that_is_too_large_alone_is_refused_and_the_others_go() {
    let server = Server::start(|_| Reply::status(200));
    let mut exporter = exporter(&server.url(), |_| {});
    let mut batch = request(10, 10);
    batch.resource_spans[0].scope_spans[0].spans[3].name = "x".repeat(LIMIT);
    let error = export_request(&mut exporter, &batch).unwrap_err();
    assert_eq!((error.kind(), error.spans_lost()), (ErrorKind::SpansLost, Some(1)));
    assert!(error.message().starts_with("a span is too large"), "{error}");
    let arrived = all_names(&server.received());
    assert_eq!(arrived.len(), 9);
    assert!(!arrived.contains(&"span 3".to_owned()));

    let mut alone = request(1, 0);
    alone.resource_spans[0].scope_spans[0].spans[0].name = "x".repeat(LIMIT);
    assert_eq!(export_request(&mut exporter, &alone).unwrap_err().spans_lost(), Some(1));
    assert!(server.received().is_empty());
}

/// A server that answers with these statuses, and then with 200.
fn answering(statuses: &'static [u16]) -> Server {
    let asked = Arc::new(AtomicUsize::new(0));
    Server::start(move |_| {
        let nth = asked.fetch_add(1, Ordering::SeqCst);
        Reply::status(statuses.get(nth).copied().unwrap_or(200))
    })
}

#[test]
fn what_arrived_is_not_sent_again() {
    let server = answering(&[200, 503, 503]);
    let mut exporter = exporter(&server.url(), |_| {});
    // Two requests with 40 spans each.
    let batch = request(80, 100_000);
    for _ in 0..2 {
        assert_eq!(export_request(&mut exporter, &batch).unwrap_err().kind(), ErrorKind::Unavailable);
    }
    export_request(&mut exporter, &batch).unwrap();
    let sent: Vec<usize> = server.received().iter().map(|received| names(&received.decode()).len()).collect();
    assert_eq!(sent, [40, 40, 40, 40]);
}

#[test]
fn another_batch_after_an_unfinished_one_is_sent_whole() {
    let server = answering(&[200, 503]);
    let mut exporter = exporter(&server.url(), |_| {});
    assert!(export_request(&mut exporter, &request(80, 100_000)).is_err());
    server.received();
    export(&mut exporter, 50).unwrap();
    assert_eq!(all_names(&server.received()).len(), 50);
}

#[test]
fn losses_of_several_requests_are_added_up() {
    let server = answering(&[400, 200]);
    let mut exporter = exporter(&server.url(), |_| {});
    let error = export_request(&mut exporter, &request(80, 100_000)).unwrap_err();
    assert_eq!((error.kind(), error.spans_lost()), (ErrorKind::SpansLost, Some(40)));
    let text = error.to_string();
    let expected = "40 of 80 spans were not taken (spans_lost: 40): the collector answered 400 Bad Request";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(server.received().len(), 2);
}

/// In JSON a batch is larger than its bytes, and a frame of gRPC carries them as they are.
#[test]
fn a_part_that_is_given_up_loses_its_own_spans_in_each_protocol() {
    for protocol in [Protocol::HttpProtobuf, Protocol::HttpJson, Protocol::Grpc] {
        for (refused, lost) in [(&[0][..], 40), (&[1], 40), (&[0, 1], 80)] {
            let asked = Arc::new(AtomicUsize::new(0));
            let server = Server::start(move |_| {
                let is_refused = refused.contains(&asked.fetch_add(1, Ordering::SeqCst));
                match protocol {
                    Protocol::Grpc => Reply::grpc(if is_refused { 3 } else { 0 }),
                    _ => Reply::status(if is_refused { 400 } else { 200 }),
                }
            });
            let mut exporter = exporter(&server.url(), |config| config.protocol = protocol);
            let error = export_request(&mut exporter, &request(80, 100_000)).unwrap_err();
            assert_eq!(error.spans_lost(), Some(lost), "{error}");
            // By this kind the recorder knows that others arrived.
            assert_eq!(error.kind() == ErrorKind::SpansLost, lost < 80, "{error}");
            assert_eq!(server.received().len(), 2);
        }
    }
}

#[test]
fn what_was_given_up_in_an_earlier_attempt_is_counted_when_the_rest_arrives() {
    let server = answering(&[400, 503, 200]);
    let mut exporter = exporter(&server.url(), |_| {});
    let batch = request(80, 100_000);
    assert_eq!(export_request(&mut exporter, &batch).unwrap_err().kind(), ErrorKind::Unavailable);
    let error = export_request(&mut exporter, &batch).unwrap_err();
    assert_eq!((error.kind(), error.spans_lost()), (ErrorKind::SpansLost, Some(40)), "{error}");
    assert_eq!(server.received().len(), 3, "the first half is not sent again");
    export_request(&mut exporter, &batch).unwrap();
}

#[test]
fn spans_refused_in_one_part_and_given_up_in_another_are_added_up() {
    let asked = Arc::new(AtomicUsize::new(0));
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::status(200)
            .header("content-type", "application/json")
            .body(r#"{"partialSuccess":{"rejectedSpans":3,"errorMessage":"too old"}}"#),
        _ => Reply::status(400),
    });
    let error = export_request(&mut exporter(&server.url(), |_| {}), &request(80, 100_000)).unwrap_err();
    assert_eq!((error.kind(), error.spans_lost()), (ErrorKind::SpansLost, Some(43)));
    let text = error.to_string();
    let expected = "43 of 80 spans were not taken (spans_lost: 43): the collector refused 3 of 40 span(s) (endpoint";
    assert!(text.starts_with(expected), "{text}");
}
