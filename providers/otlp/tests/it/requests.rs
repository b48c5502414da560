//! What is sent.

use std::io::Read;

use prost::Message;
use spandrel_plugin_api::{SpanBatch, SpanExporter};
use spandrel_provider_otlp::{Compression, OtlpConfig, Protocol};

use crate::server::{Received, Reply, Server};
use crate::spans::{config, export, exporter, request};

fn sent(change: impl FnOnce(&mut OtlpConfig)) -> Received {
    let server = Server::start(|request| {
        if request.header("content-type") == "application/grpc" { Reply::grpc(0) } else { Reply::status(200) }
    });
    export(&mut exporter(&server.url(), change), 7).unwrap();
    server.received_one()
}

#[test]
fn protobuf_is_sent_as_it_is() {
    let received = sent(|_| {});
    assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", "/v1/traces"));
    assert_eq!(received.version, hyper::Version::HTTP_11);
    assert_eq!(received.body, request(7, 10).encode_to_vec());
    for (name, value) in [
        ("content-type", "application/x-protobuf"),
        ("accept", "application/x-protobuf"),
        ("content-length", &received.body.len().to_string()),
        ("content-encoding", ""),
        ("user-agent", concat!("spandrel-otlp/", env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(received.header(name), value, "{name}");
    }
}

#[test]
fn the_parts_of_a_batch_make_one_request() {
    let server = Server::start(|_| Reply::status(200));
    let parts = [request(2, 5), request(1, 5)].map(|request| request.encode_to_vec());
    exporter(&server.url(), |_| {}).export(&SpanBatch::new(&[&parts[0], &parts[1]], 3)).unwrap();
    assert_eq!(server.received_one().body, parts.concat());
}

#[test]
fn an_empty_batch_is_not_sent() {
    let server = Server::start(|_| Reply::status(500));
    exporter(&server.url(), |_| {}).export(&SpanBatch::new(&[], 0)).unwrap();
    assert!(server.received().is_empty());
}

#[test]
fn json_is_the_same_spans() {
    let received = sent(|config| config.protocol = Protocol::HttpJson);
    assert_eq!((received.header("content-type"), received.header("accept")), ("application/json", "application/json"));
    let json: serde_json::Value = serde_json::from_slice(&received.body).unwrap();
    let scope_spans = &json["resourceSpans"][0]["scopeSpans"][0];
    assert_eq!(scope_spans["scope"]["name"], "tests");
    assert_eq!(scope_spans["spans"].as_array().unwrap().len(), 7);
    assert_eq!(scope_spans["spans"][6]["name"], "span 6");
    assert_eq!(scope_spans["spans"][6]["traceId"], "01".repeat(16));
    assert_eq!(scope_spans["spans"][6]["attributes"][0]["value"]["stringValue"], "x".repeat(10));
}

#[test]
fn compressed_requests_are_the_same_ones() {
    let plain = request(7, 10).encode_to_vec();
    for (compression, name) in [(Compression::Gzip, "gzip"), (Compression::Zstd, "zstd")] {
        let unpacked = |bytes: &[u8]| {
            let mut out = Vec::new();
            match compression {
                Compression::Gzip => drop(flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap()),
                _ => out = zstd::decode_all(bytes).unwrap(),
            }
            out
        };
        let received = sent(|config| config.compression = compression);
        assert_eq!(received.header("content-encoding"), name);
        assert_eq!(unpacked(&received.body), plain);

        let received = sent(|config| {
            config.compression = compression;
            config.protocol = Protocol::Grpc;
        });
        assert_eq!((received.header("grpc-encoding"), received.header("content-encoding")), (name, ""));
        let (head, body) = received.body.split_at(5);
        assert_eq!((head[0], &head[1..]), (1, &(body.len() as u32).to_be_bytes()[..]));
        assert_eq!(unpacked(body), plain);

        let received = sent(|config| {
            config.compression = compression;
            config.protocol = Protocol::HttpJson;
        });
        assert_eq!(received.header("content-encoding"), name);
        assert!(serde_json::from_slice::<serde_json::Value>(&unpacked(&received.body)).is_ok());
    }
}

#[test]
fn headers_of_the_user_are_sent_but_do_not_change_the_format() {
    let received = sent(|config| {
        config.headers.insert("x-tenant", "shop".parse().unwrap());
        config.headers.insert("user-agent", "mine".parse().unwrap());
        config.headers.insert("content-type", "text/plain".parse().unwrap());
    });
    assert_eq!(received.header("x-tenant"), "shop");
    assert_eq!(received.header("user-agent"), "mine");
    assert_eq!(received.header("content-type"), "application/x-protobuf");
}

#[test]
fn credentials_in_the_endpoint_are_sent() {
    let server = Server::start(|_| Reply::status(200));
    let endpoint = format!("http://user:pass@{}/custom?key=1", server.address);
    export(&mut exporter(&endpoint, |_| {}), 1).unwrap();
    let received = server.received_one();
    assert_eq!(received.target, "/custom?key=1");
    assert_eq!(received.header("authorization"), "Basic dXNlcjpwYXNz");
}

#[test]
fn it_runs_wherever_it_was_made() {
    let server = Server::start(|_| Reply::status(200));
    let runtimes = [
        tokio::runtime::Builder::new_current_thread().build().unwrap(),
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
    ];
    for runtime in runtimes {
        // Made and dropped inside a runtime, used on a thread without one.
        let config = config(&server.url(), |_| {});
        let mut made = runtime.block_on(async { spandrel_provider_otlp::OtlpExporter::new(config).unwrap() });
        let used = std::thread::spawn(move || {
            export(&mut made, 1).unwrap();
            made
        });
        let used = used.join().unwrap();
        runtime.block_on(async { drop(used) });
    }
    assert_eq!(server.received().len(), 2);
}
