//! The service for the W3C harness, as a program.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use spandrel_integration_tests::process::{self, Folder};
use spandrel_integration_tests::trace_file::TraceFile;

/// The same number on every Unix.
const SIGTERM: i32 = 15;

const SERVICE: &str = env!("CARGO_BIN_EXE_trace-context-service");

#[test]
fn it_answers_and_delivers_its_spans_when_it_is_told_to_stop() {
    let folder = Folder::new();
    let variables = [("TRACING_TYPE", "file")];
    let mut service = process::command(SERVICE, &folder, &["--listen", "127.0.0.1:0"], &variables).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(service.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.strip_prefix("listening on http://").and_then(|line| line.strip_suffix("/test\n")).unwrap();

    let mut connection = TcpStream::connect(address).unwrap();
    let request = "POST /test HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
    write!(connection, "{request}content-length: 2\r\n\r\n[]").unwrap();
    let mut response = String::new();
    connection.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n") && response.ends_with("[]"), "{response}");

    process::signal(service.id(), SIGTERM);
    let output = process::wait(service);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(TraceFile::read(&folder.file("traces.jsonl")).count("POST /test"), 1);
}

#[test]
fn what_it_cannot_do_it_says() {
    let folder = Folder::new();
    let run = |arguments| process::run(process::command(SERVICE, &folder, arguments, &[]));

    let help = run(&["--help"]);
    assert!(
        help.status.success() && help.stdout.starts_with(b"usage: trace-context-service [--listen ADDRESS:PORT]\n")
    );
    let unknown = run(&["--port", "80"]);
    assert_eq!(unknown.status.code(), Some(2));
    let said = "trace-context-service: unknown argument `--port`, there are --listen and --help\n";
    assert_eq!(String::from_utf8_lossy(&unknown.stderr), said);
}
