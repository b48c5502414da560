//! A plugin with an async runtime of its own exports whatever runtime its host has.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use spandrel_integration_tests::plugins::foreign_plugin;
use spandrel_integration_tests::process::{Folder, command, run};
use spandrel_plugin_api::{SpanData, SpanReader};

const ASYNCHRONOUS: &str = env!("CARGO_BIN_EXE_asynchronous");

/// A server for OTLP over HTTP, and the batches that it got.
fn server() -> (String, Receiver<Vec<SpanData>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let (sender, received) = channel();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let (mut stream, spans) = received_by(stream);
            // Before the answer, so that a host that has its answers has filled the channel. Nobody
            // listens any more at the end of the test.
            if sender.send(spans).is_err() {
                break;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
        }
    });
    (endpoint, received)
}

/// The spans of a request, and where its answer goes.
fn received_by(stream: TcpStream) -> (TcpStream, Vec<SpanData>) {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(stream.read_line(&mut head).unwrap(), 0, "the request is whole: {head}");
    }
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.expect("a length")];
    stream.read_exact(&mut body).unwrap();
    let spans = SpanReader::new(&[&body[..]]).map(|span| SpanData::from(&span.expect("valid OTLP"))).collect();
    (stream.into_inner(), spans)
}

#[test]
fn all_spans_arrive_whatever_runtime_the_host_has() {
    let plugin = foreign_plugin("examples/plugins/rust/webhook/Cargo.toml", "dev", "webhook");
    for (mode, names) in [
        ("none", &[("plain", 25)][..]),
        ("current-thread", &[("inner", 200), ("outer", 200)]),
        ("multi-thread", &[("inner", 200), ("outer", 200)]),
        ("gone", &[("afterwards", 25), ("dropped with the runtime", 1), ("inner", 200), ("outer", 200)]),
    ] {
        let (endpoint, received) = server();
        let folder = Folder::new();
        // Small batches, so that there are several requests.
        let config = format!("[batch]\nmax_bytes = 8192\n[provider.webhook]\nendpoint = '{endpoint}'\n");
        std::fs::write(folder.file("spandrel.toml"), config).unwrap();
        let variables = [("TRACING_TYPE", plugin.to_str().unwrap())];
        let output = run(command(ASYNCHRONOUS, &folder, &[mode], &variables));
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{mode}: {log}");

        let batches: Vec<Vec<SpanData>> = received.try_iter().collect();
        let spans = batches.concat();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), spans.len().to_string(), "{mode}: {log}");
        let mut counts = BTreeMap::<&str, usize>::new();
        spans.iter().for_each(|span| *counts.entry(&span.name).or_default() += 1);
        assert_eq!(counts, names.iter().copied().collect(), "{mode}: {log}");
        assert_eq!(spans.iter().map(|span| span.span_id).collect::<std::collections::HashSet<_>>().len(), spans.len());
        println!("{mode}: {} spans in {} requests", spans.len(), batches.len());
    }
}
