//! What answers over HTTP mean.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use spandrel_plugin_api::{Error, ErrorKind};
use spandrel_provider_otlp::{Compression, OtlpConfig, Protocol};

use crate::grpc::RpcStatus;
use crate::server::{Reply, Server};
use crate::spans::{export, exporter};

/// What becomes of a batch of ten spans when the server answers so.
fn outcome(reply: Reply, change: impl FnOnce(&mut OtlpConfig)) -> Result<(), Error> {
    let server = Server::start(move |_| reply.clone());
    let result = export(&mut exporter(&server.url(), change), 10);
    server.received_one();
    result
}

fn refused(reply: Reply) -> Error {
    outcome(reply, |_| {}).unwrap_err()
}

#[test]
fn each_status_is_tried_again_or_not_as_the_protocol_says() {
    let status = Arc::new(AtomicU16::new(0));
    let now = Arc::clone(&status);
    let server = Server::start(move |request| {
        let reply = Reply::status(now.load(Ordering::SeqCst));
        if request.header("with") == "wait" { reply.header("retry-after", "7") } else { reply }
    });
    let mut plain = exporter(&server.url(), |_| {});
    let mut waiting = exporter(&server.url(), |config| {
        config.headers.insert("with", "wait".parse().unwrap());
    });
    for code in 400..=599 {
        status.store(code, Ordering::SeqCst);
        let is_temporary = matches!(code, 429 | 502 | 503 | 504);
        for (exporter, wait) in [(&mut plain, None), (&mut waiting, Some(Duration::from_secs(7)))] {
            let error = export(exporter, 1).unwrap_err();
            assert_eq!(error.kind() == ErrorKind::Unavailable, is_temporary, "{error}");
            assert_eq!(error.retry_after(), wait.filter(|_| is_temporary), "{error}");
            assert!(error.message().starts_with(&format!("the collector answered {code}")), "{error}");
            assert_eq!(error.spans_lost(), (!is_temporary).then_some(1), "{error}");
        }
    }
    assert_eq!(server.received().len(), 400, "one attempt each");
    for code in [200, 202, 204] {
        status.store(code, Ordering::SeqCst);
        export(&mut plain, 1).unwrap();
    }
}

#[test]
fn a_date_to_wait_for_is_understood_and_an_absurd_one_capped() {
    let in_a_minute = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
    let wait = refused(Reply::status(503).header("retry-after", in_a_minute)).retry_after().unwrap();
    assert!(wait > Duration::from_secs(30) && wait <= Duration::from_secs(100), "{wait:?}");
    for absurd in ["86400", "18446744073709551616", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        let wait = refused(Reply::status(503).header("retry-after", absurd)).retry_after();
        assert_eq!(wait, Some(Duration::from_secs(300)), "{absurd}");
    }
    for nonsense in ["", "soon", "-1", "0", "Thu, 01 Jan 1970 00:00:00 GMT"] {
        assert_eq!(refused(Reply::status(503).header("retry-after", nonsense)).retry_after(), None, "{nonsense}");
    }
}

#[test]
fn an_error_says_what_was_asked_what_was_said_and_what_to_do() {
    let server = Server::start(|_| Reply::status(415).body("JSON is\r\nnot for us\x1b[2J"));
    let config = |config: &mut OtlpConfig| {
        config.protocol = Protocol::HttpJson;
        config.endpoint = Some(format!("http://user:hush@{}/v1/traces?key=hush", server.address));
    };
    let error = export(&mut exporter("", config), 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the collector answered 415 Unsupported Media Type (said: JSON is not for us [2J; remedy: set \
             provider.otlp.protocol = \"http/protobuf\"; endpoint: http://{}/v1/traces; spans_lost: 1)",
            server.address
        )
    );
    for (status, remedy) in [
        (401, "check the credentials in provider.otlp.headers"),
        (403, "check the credentials in provider.otlp.headers"),
        (404, "check the path of provider.otlp.endpoint; it is usually /v1/traces"),
        (405, "check the path of provider.otlp.endpoint; it is usually /v1/traces"),
        (407, "check the credentials in provider.otlp.proxy"),
        (413, "lower batch.max_bytes"),
        (415, "check that provider.otlp.endpoint is that of a collector"),
        (501, "the endpoint does not take traces at this path; it is usually /v1/traces"),
    ] {
        assert_eq!(refused(Reply::status(status)).context("remedy"), Some(remedy));
    }
    for status in [400, 415] {
        let error = outcome(Reply::status(status), |config| config.compression = Compression::Gzip).unwrap_err();
        assert_eq!(error.context("remedy"), Some("set provider.otlp.compression = \"none\""));
    }
    // Some servers refuse NaN and infinity in JSON.
    let json = |status, compression| {
        let change = |config: &mut OtlpConfig| {
            config.protocol = Protocol::HttpJson;
            config.compression = compression;
        };
        outcome(Reply::status(status), change).unwrap_err().context("remedy").map(str::to_owned)
    };
    let protobuf = "set provider.otlp.protocol = \"http/protobuf\"";
    assert_eq!(json(400, Compression::None).as_deref(), Some(protobuf));
    assert_eq!(json(415, Compression::Gzip).as_deref(), Some(protobuf));
    let both = format!("{protobuf}; if that does not help, provider.otlp.compression = \"none\"");
    assert_eq!(json(400, Compression::Gzip), Some(both));
}

#[test]
fn redirects_are_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let error = refused(Reply::status(status).header("location", "http://127.0.0.1:1/login?token=hush"));
        assert_eq!(error.kind(), ErrorKind::ConfigInvalid);
        assert_eq!(error.context("location"), Some("http://127.0.0.1:1/login"));
        assert!(error.to_string().contains("redirects are not followed"), "{error}");
    }
}

#[test]
fn what_the_server_said_is_decoded() {
    let status = RpcStatus { code: 3, message: "bad spans".to_owned(), details: Vec::new() };
    let protobuf = Reply::status(400).header("content-type", "application/x-protobuf").body(status.encode_to_vec());
    let json = Reply::status(400).header("content-type", "application/json; charset=utf-8");
    for (reply, said) in [
        (protobuf, "bad spans"),
        (json.clone().body(r#"{"code":3,"message":"bad spans"}"#), "bad spans"),
        (json.body(r#"{"error":1}"#), r#"{"error":1}"#),
        (Reply::status(400).body("x".repeat(300)), &format!("{}...", "x".repeat(200))),
    ] {
        assert_eq!(refused(reply).context("said"), Some(said));
    }
    assert_eq!(refused(Reply::status(400)).context("said"), None);
}

#[test]
fn a_secret_that_the_server_repeats_is_not_in_the_error() {
    let server = Server::start(|request| {
        let seen =
            format!("no such token {} {}", request.header("authorization"), &request.header("authorization")[7..]);
        Reply::status(401).body(seen)
    });
    let mut exporter = exporter(&server.url(), |config| {
        let text = "headers = 'authorization=Bearer abcdef123'";
        config.headers = spandrel_plugin_api::config::parse::<OtlpConfig>(text).unwrap().headers;
    });
    let error = export(&mut exporter, 1).unwrap_err();
    assert_eq!(error.context("said"), Some("no such token *** *** ***"));
    assert!(!format!("{error:?} {exporter:?}").contains("abcdef123"), "{exporter:?}");
}

fn partial(rejected: i64, message: &str) -> Vec<u8> {
    let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message: message.to_owned() };
    ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
}

#[test]
fn refused_spans_of_an_accepted_batch_are_counted() {
    let protobuf = |rejected, message| {
        Reply::status(200).header("content-type", "application/x-protobuf").body(partial(rejected, message))
    };
    let json = |text: &str| Reply::status(200).header("content-type", "application/json").body(text);
    for (reply, lost) in [
        (protobuf(3, "too old"), 3),
        (json(r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#), 3),
        (json(r#"{"partialSuccess":{"rejectedSpans":3,"errorMessage":"too old"}}"#), 3),
        // More than there were are all of them.
        (protobuf(i64::MAX, "too old"), 10),
    ] {
        let error = refused(reply);
        assert_eq!((error.kind(), error.spans_lost()), (ErrorKind::SpansLost, Some(lost)));
        assert!(error.message().starts_with(&format!("the collector refused {lost} of 10 span(s)")), "{error}");
        assert_eq!(error.context("said"), Some("too old"));
    }
}

#[test]
fn what_loses_no_span_is_no_error() {
    let html = Reply::status(200).header("content-type", "text/html").body("<html>");
    let json = Reply::status(200).header("content-type", "application/json").body("{\"partialSuccess\":");
    for reply in [
        Reply::status(200),
        Reply::status(200).body(partial(0, "")),
        Reply::status(200).body(partial(0, "a hint")),
        Reply::status(200).body(partial(-4, "")),
        Reply::status(200).body("not protobuf"),
        json,
        html,
    ] {
        outcome(reply, |_| {}).unwrap();
    }
}

#[test]
fn one_connection_serves_many_batches() {
    let ports = Arc::new(Mutex::new(Vec::new()));
    let server = Server::start(|_| Reply::status(200));
    let through = {
        let (ports, address) = (Arc::clone(&ports), server.address.clone());
        crate::server::raw(move |mut inward| {
            ports.lock().unwrap().push(inward.peer_addr().unwrap().port());
            let mut outward = std::net::TcpStream::connect(&address).unwrap();
            let (mut back, mut forth) = (outward.try_clone().unwrap(), inward.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut forth));
            let _ = std::io::copy(&mut inward, &mut outward);
        })
    };
    let mut exporter = exporter(&format!("http://{through}"), |_| {});
    for _ in 0..20 {
        export(&mut exporter, 1).unwrap();
    }
    assert_eq!(server.received().len(), 20);
    assert_eq!(ports.lock().unwrap().len(), 1);
}
