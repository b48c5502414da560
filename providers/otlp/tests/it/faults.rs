//! Servers that misbehave.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use spandrel_plugin_api::{Error, ErrorKind, SpanExporter};
use spandrel_provider_otlp::{OtlpConfig, Protocol};

use crate::server::{Reply, Server, raw, read_request, write_ok};
use crate::spans::{export, exporter};

fn refused(address: &str, change: impl FnOnce(&mut OtlpConfig)) -> Error {
    export(&mut exporter(&format!("http://{address}"), change), 1).unwrap_err()
}

fn grpc(config: &mut OtlpConfig) {
    config.protocol = Protocol::Grpc;
}

#[test]
fn nobody_listens() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let error = refused(&address, |config| config.protocol = protocol);
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let text = error.to_string();
        assert!(text.starts_with("cannot connect to the collector (remedy: start a collector there"), "{text}");
        assert!(text.ends_with("Connection refused (os error 111)"), "{text}");
        assert!(text.contains(&format!("endpoint: http://{address}")), "{text}");
    }
}

#[test]
fn the_host_has_no_address() {
    let error = refused("no-such-host.invalid:4318", |_| {});
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("check the name of the host"), "{error}");
}

#[test]
fn the_server_never_answers() {
    let address = raw(|mut stream| drop(stream.read_to_end(&mut Vec::new())));
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let begun = Instant::now();
        let error = refused(&address, |config| {
            config.protocol = protocol;
            config.timeout_ms = 50;
        });
        assert!(begun.elapsed() >= Duration::from_millis(50) && begun.elapsed() < Duration::from_secs(30));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.message(), "the collector did not answer within 50 ms");
    }
}

#[test]
fn the_server_never_ends_its_answer() {
    let address = raw(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let error = refused(&address, |config| config.timeout_ms = 50);
    assert_eq!(error.message(), "the collector did not answer within 50 ms");
}

#[test]
fn the_server_hangs_up() {
    for after in ["", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx"] {
        let address = raw(move |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(after.as_bytes());
        });
        let error = refused(&address, |_| {});
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("the connection to the collector failed"), "{error}");
    }
    let error = refused(&raw(drop), grpc);
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[test]
fn an_endless_answer_is_not_read() {
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let address = raw(move |mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\n");
        let chunk = [&b"10000\r\n"[..], &[b'x'; 0x10000], b"\r\n"].concat();
        while stream.write_all(&chunk).is_ok() {
            count.fetch_add(chunk.len(), Ordering::SeqCst);
        }
    });
    let error = refused(&address, |_| {});
    assert_eq!(error.kind(), ErrorKind::Internal, "not to be tried again");
    assert!(error.message().ends_with("with more than 4 MiB, which were not read"), "{error}");
    assert!(written.load(Ordering::SeqCst) < 64 << 20);
}

#[test]
fn an_endless_answer_of_grpc_is_not_read() {
    let server = Server::start(|_| Reply::grpc(0).body(vec![0; 5 << 20]));
    let error = refused(&server.address, grpc);
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.message().ends_with("with more than 4 MiB, which were not read"), "{error}");
}

#[test]
fn grpc_at_a_port_for_http1() {
    let address = raw(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let error = refused(&address, grpc);
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
    assert!(error.to_string().contains("provider.otlp.protocol = \"http/protobuf\""), "{error}");
}

#[test]
fn http1_at_a_port_for_grpc() {
    let address = raw(|mut stream| {
        // The settings that a server of HTTP/2 begins with, and a farewell.
        let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        let _ = stream.write_all(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let error = refused(&address, |_| {});
    assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
    assert!(error.to_string().contains("provider.otlp.protocol = \"grpc\""), "{error}");
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_not_used() {
    let (closed, wait) = std::sync::mpsc::channel();
    let closed = std::sync::Mutex::new(closed);
    let address = raw(move |mut stream| {
        while read_request(&mut stream) {
            write_ok(&mut stream);
            // As servers do with connections that are quiet for long.
            let _ = stream.shutdown(std::net::Shutdown::Both);
            closed.lock().unwrap().send(()).unwrap();
        }
    });
    let mut exporter = exporter(&format!("http://{address}"), |_| {});
    for round in 0..50 {
        export(&mut exporter, 1).unwrap();
        wait.recv_timeout(Duration::from_secs(60)).unwrap();
        if round % 2 == 0 {
            exporter.on_idle();
        }
    }
}

#[test]
fn a_server_may_be_restarted() {
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let reply = move |_: &_| if protocol == Protocol::Grpc { Reply::grpc(0) } else { Reply::status(200) };
        let server = Server::start(reply);
        let target = Arc::new(std::sync::Mutex::new(server.address.clone()));
        // In front of the servers, so that the address stays when they change.
        let (now, connections) = (Arc::clone(&target), Arc::new(std::sync::Mutex::new(Vec::new())));
        let all = Arc::clone(&connections);
        let address = raw(move |mut inward| {
            let target = now.lock().unwrap().clone();
            let mut outward = std::net::TcpStream::connect(&target).unwrap();
            all.lock().unwrap().push(inward.try_clone().unwrap());
            let (mut back, mut forth) = (outward.try_clone().unwrap(), inward.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut forth));
            let _ = std::io::copy(&mut inward, &mut outward);
        });
        let mut exporter = exporter(&format!("http://{address}"), |config| config.protocol = protocol);
        export(&mut exporter, 1).unwrap();
        server.received_one();
        let next = Server::start(reply);
        target.lock().unwrap().clone_from(&next.address);
        for connection in connections.lock().unwrap().drain(..) {
            connection.shutdown(std::net::Shutdown::Both).unwrap();
        }
        export(&mut exporter, 1).unwrap();
        next.received_one();
    }
}

#[test]
fn a_child_of_a_fork_makes_connections_of_its_own() {
    let server = Server::start(|_| Reply::status(200));
    let mut exporter = exporter(&server.url(), |_| {});
    export(&mut exporter, 1).unwrap();
    exporter.on_fork();
    exporter.on_idle();
    export(&mut exporter, 1).unwrap();
    exporter.shutdown(Duration::ZERO).unwrap();
    assert_eq!(server.received().len(), 2);
}
