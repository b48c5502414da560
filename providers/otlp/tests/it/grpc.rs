//! What answers over gRPC mean.

use std::time::Duration;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use spandrel_plugin_api::{Error, ErrorKind};
use spandrel_provider_otlp::Protocol;

use crate::server::{Reply, Server};
use crate::spans::{export, exporter, names, request};

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Wait>,
}

#[derive(Clone, PartialEq, Message)]
struct Wait {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

fn details(code: u32, wait: Option<(i64, i32)>) -> Vec<u8> {
    let any = |kind: &str, value| Any { type_url: format!("type.googleapis.com/google.rpc.{kind}"), value };
    let wait = wait.map(|(seconds, nanos)| Wait { seconds, nanos });
    let details = vec![any("BadRequest", vec![]), any("RetryInfo", RetryInfo { retry_delay: wait }.encode_to_vec())];
    RpcStatus { code: code as i32, message: "in the details".to_owned(), details }.encode_to_vec()
}

fn outcome(reply: Reply) -> Result<(), Error> {
    let server = Server::start(move |_| reply.clone());
    let result = export(&mut exporter(&server.url(), |config| config.protocol = Protocol::Grpc), 10);
    server.received_one();
    result
}

fn refused(reply: Reply) -> Error {
    outcome(reply).unwrap_err()
}

#[test]
fn each_code_is_tried_again_or_not_as_the_protocol_says() {
    for code in 0..=17 {
        for wait in [None, Some((2, 500_000_000)), Some((0, 0)), Some((1_000_000, 0)), Some((-1, -1))] {
            for trailers_only in [false, true] {
                let mut reply = Reply::grpc(code).trailer("grpc-message", "b%C3%A4d");
                if wait.is_some() {
                    let encoded = if trailers_only {
                        BASE64_STANDARD.encode(details(code, wait))
                    } else {
                        BASE64_STANDARD_NO_PAD.encode(details(code, wait))
                    };
                    reply = reply.trailer("grpc-status-details-bin", encoded);
                }
                if trailers_only {
                    reply.headers.append(&mut reply.trailers);
                }
                let result = outcome(reply);
                let Err(error) = result else {
                    assert_eq!(code, 0);
                    continue;
                };
                let is_temporary = match code {
                    1 | 4 | 10 | 11 | 14 | 15 => true,
                    8 => wait.is_some(),
                    _ => false,
                };
                assert_eq!(error.kind() == ErrorKind::Unavailable, is_temporary, "{error}");
                let expected = match wait {
                    Some((2, _)) => Some(Duration::from_millis(2500)),
                    Some((1_000_000, _)) => Some(Duration::from_secs(300)),
                    _ => None,
                };
                assert_eq!(error.retry_after(), expected.filter(|_| is_temporary), "{error}");
                assert_eq!(error.context("said"), Some("bäd"));
            }
        }
    }
}

#[test]
fn an_error_says_what_was_asked_what_was_said_and_what_to_do() {
    let error = refused(Reply::grpc(16).trailer("grpc-message", "who%0Aare you"));
    let text = error.to_string();
    let expected = "the collector answered UNAUTHENTICATED (said: who are you; remedy: check the credentials in \
                    provider.otlp.headers; endpoint: http://127.0.0.1:";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(refused(Reply::grpc(99)).message(), "the collector answered 99");
    let no_number = Reply::status(200).header("content-type", "application/grpc").trailer("grpc-status", "x");
    assert_eq!(refused(no_number).message(), "the collector answered UNKNOWN");
    // The message of the details, if there is no other.
    let only_details = Reply::grpc(3).trailer("grpc-status-details-bin", BASE64_STANDARD.encode(details(3, None)));
    assert_eq!(refused(only_details).context("said"), Some("in the details"));
    assert!(refused(Reply::grpc(12)).context("remedy").unwrap().contains("4317"));
}

#[test]
fn what_is_no_answer_of_grpc_is_taken_for_its_status() {
    for (status, kind, name) in [
        (200, ErrorKind::Internal, "UNKNOWN"),
        (400, ErrorKind::Internal, "INTERNAL"),
        (401, ErrorKind::ConfigInvalid, "UNAUTHENTICATED"),
        (403, ErrorKind::ConfigInvalid, "PERMISSION_DENIED"),
        (404, ErrorKind::ConfigInvalid, "UNIMPLEMENTED"),
        (418, ErrorKind::Internal, "UNKNOWN"),
        (429, ErrorKind::Unavailable, "UNAVAILABLE"),
        (500, ErrorKind::Internal, "UNKNOWN"),
        (502, ErrorKind::Unavailable, "UNAVAILABLE"),
        (503, ErrorKind::Unavailable, "UNAVAILABLE"),
        (504, ErrorKind::Unavailable, "UNAVAILABLE"),
    ] {
        let error = refused(Reply::status(status).header("content-type", "text/html").body("<html>"));
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(&format!("HTTP {status}")), "{error}");
        assert!(error.message().ends_with(&format!("text/html; taken as {name}")), "{error}");
    }
}

#[test]
fn refused_spans_of_an_accepted_batch_are_counted() {
    let partial = ExportTracePartialSuccess { rejected_spans: 4, error_message: "too old".to_owned() };
    let message = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let frame = [&[0, 0, 0, 0, message.len() as u8][..], &message].concat();
    let error = refused(Reply::grpc(0).body(frame.clone()));
    assert_eq!((error.kind(), error.spans_lost()), (ErrorKind::SpansLost, Some(4)));
    assert_eq!(error.context("said"), Some("too old"));
    // Compressed, though nobody asked for it, cut off, or nothing at all.
    for body in [[&[1], &frame[1..]].concat(), frame[..frame.len() - 1].to_vec(), vec![], vec![0, 0, 0, 0, 0]] {
        outcome(Reply::grpc(0).body(body)).unwrap();
    }
}

#[test]
fn a_call_is_one_frame_over_http2() {
    let server = Server::start(|_| Reply::grpc(0));
    let mut exporter = exporter(&format!("{}/ignored?x=y", server.url()), |config| {
        config.protocol = Protocol::Grpc;
        config.timeout_ms = 12_345;
        config.headers.insert("tenant", "shop".parse().unwrap());
    });
    export(&mut exporter, 3).unwrap();
    let mut received = server.received_one();
    assert_eq!(received.version, hyper::Version::HTTP_2);
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    assert_eq!(received.target, format!("http://{}{path}", server.address));
    for (name, value) in [
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("grpc-timeout", "12345m"),
        ("tenant", "shop"),
        ("grpc-encoding", ""),
    ] {
        assert_eq!(received.header(name), value, "{name}");
    }
    let frame = received.body.split_to(5);
    assert_eq!((frame[0], &frame[1..]), (0, &(received.body.len() as u32).to_be_bytes()[..]));
    assert_eq!(received.decode(), request(3, 10));
    assert_eq!(names(&received.decode()), ["span 0", "span 1", "span 2"]);
}
