//! One trace over several processes; with `SPANDREL_PYTHON`, one of them a service with the SDK of OpenTelemetry.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command};

use serde_json::Value;
use spandrel_integration_tests::process::{self, Folder};
use spandrel_integration_tests::trace_file::TraceFile;

const PROGRAM: &str = env!("CARGO_BIN_EXE_two-services");
const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

#[test]
fn the_program_shows_one_trace_over_two_processes() {
    let folder = Folder::new();
    let temp = folder.path().to_str().unwrap();
    let output = process::run(process::command(PROGRAM, &folder, &[], &[("TMPDIR", temp), ("TMP", temp)]));

    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.matches("trace ").count(), 1, "{said}");
    let tree = "
  GET /checkout/{id}  (gateway)
    GET /orders/{id}  (gateway)
      GET /orders/{id}  (orders)
        reserve_stock  (orders)
";
    assert!(said.starts_with("checked out for 8750 cents\n") && said.contains(tree), "{said}");
}

/// A service in a process of its own, which ends when its input does.
struct Service {
    process: Child,
    url: String,
    traces: PathBuf,
}

impl Service {
    /// Ours, with traces in a file.
    fn ours(name: &str, arguments: &[&str], folder: &Folder) -> Self {
        let traces = folder.file(&format!("{name}.jsonl"));
        let path = traces.to_str().unwrap();
        let variables =
            [("TRACING_TYPE", "file"), ("TRACING_PROVIDER__FILE__PATH", path), ("TRACING_SERVICE_NAME", name)];
        let arguments = [&[name], arguments].concat();
        Self::start(process::command(PROGRAM, folder, &arguments, &variables), traces)
    }

    fn start(mut command: Command, traces: PathBuf) -> Self {
        let mut process = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().to_owned();
        if url.is_empty() {
            panic!("it did not start: {:?}", process::wait(process));
        }
        Self { process, url, traces }
    }

    /// Lets it end; its spans, each of this trace.
    fn spans(mut self) -> Vec<Value> {
        drop(self.process.stdin.take());
        let output = process::wait(self.process);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let file = TraceFile::read(&self.traces);
        assert!(file.unreadable == 0 && !file.is_torn);
        assert!(file.spans.iter().all(|span| span["traceId"] == TRACE_ID), "{:#?}", file.spans);
        file.spans
    }
}

fn named<'a>(spans: &'a [Value], name: &str, kind: u64) -> &'a Value {
    let mut found = spans.iter().filter(|span| span["name"] == name && span["kind"] == kind);
    match (found.next(), found.next()) {
        (Some(span), None) => span,
        (span, _) => panic!("not one `{name}` of kind {kind}, but {span:?} in {spans:#?}"),
    }
}

/// `GET` with a context, to the end of the connection.
fn get(url: &str) -> String {
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).unwrap();
    let mut connection = TcpStream::connect(host).unwrap();
    let context = format!("traceparent: 00-{TRACE_ID}-{CALLER}-01\r\ntracestate: shop=1\r\n");
    write!(connection, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{context}\r\n").unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn a_python_service_in_the_middle_is_part_of_the_trace() {
    const SERVER: u64 = 2;
    const CLIENT: u64 = 3;

    let Ok(python) = std::env::var("SPANDREL_PYTHON") else {
        println!("skipped: SPANDREL_PYTHON does not name a Python that has opentelemetry-sdk");
        return;
    };
    let folder = Folder::new();
    let orders = Service::ours("orders", &[], &folder);
    let traces = folder.file("python.jsonl");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../integration-tests/python_service.py");
    let arguments = [script, &orders.url, traces.to_str().unwrap()];
    let middle = Service::start(process::command(&python, &folder, &arguments, &[]), traces.clone());
    let gateway = Service::ours("gateway", &[&middle.url], &folder);

    let response = get(&format!("{}/checkout/7", gateway.url));
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("8750"), "{response}");

    let (gateway, middle, orders) = (gateway.spans(), middle.spans(), orders.spans());
    assert_eq!((gateway.len(), middle.len(), orders.len()), (2, 2, 2));
    let way = [
        named(&gateway, "GET /checkout/{id}", SERVER),
        named(&gateway, "GET /orders/{id}", CLIENT),
        named(&middle, "GET", SERVER),
        named(&middle, "call the next", CLIENT),
        named(&orders, "GET /orders/{id}", SERVER),
        named(&orders, "reserve_stock", 1),
    ];
    assert_eq!(way[0]["parentSpanId"], CALLER);
    for (parent, child) in way.iter().zip(&way[1..]) {
        assert_eq!(child["parentSpanId"], parent["spanId"], "{child:#}");
    }
    assert!(way.iter().all(|span| span["traceState"] == "shop=1"), "{way:#?}");
}
