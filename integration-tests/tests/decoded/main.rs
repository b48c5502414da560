//! Spans with all that a span can have, sent by every provider, linked and loaded, and decoded by
//! others than us: field for field they are what was recorded.
//!
//! `recorded/` holds what the official libraries of Python decoded (`decode_spans.py`), the ids that nobody
//! can choose replaced by names. The tests here decode the same again, with the protobuf messages of
//! OpenTelemetry for Rust, a JSON parser and the Thrift of Apache; the one in `python.rs` does it with Python
//! where `SPANDREL_PYTHON` names one. What a format cannot hold stands in `losses.rs`, in the words of its page.

#![cfg(unix)]

mod python;
mod ways;

mod losses;

mod json;
mod messages;
mod recorded;
mod thrift;

use spandrel_integration_tests::process::Folder;
use spandrel_integration_tests::requests::Requests;

use crate::ways::{Endpoints, WAYS, Way};

#[test]
fn what_linked_providers_send_is_what_was_recorded() {
    WAYS.iter().for_each(|way| check(way, false));
}

#[test]
fn what_plugins_send_is_what_was_recorded() {
    WAYS.iter().for_each(|way| check(way, true));
}

fn check(way: &Way, is_loaded: bool) {
    let (folder, requests) = (Folder::new(), Requests::new());
    let url = requests.url();
    let names = way.run(&folder, is_loaded, &Endpoints { http: &url, grpc: &url });
    let mut spans = Vec::new();
    for request in requests.received() {
        let message = request.message();
        spans.extend(match (&*request.path, &*request.content_type) {
            ("/v1/traces", "application/x-protobuf") => messages::spans(&message),
            ("/opentelemetry.proto.collector.trace.v1.TraceService/Export", "application/grpc") => {
                messages::spans(&message)
            }
            ("/v1/traces", "application/json") => json::spans(&json::parse(&message)),
            ("/api/v2/spans", "application/json") => json::list(&json::parse(&message)).to_vec(),
            ("/api/traces", "application/x-thrift") => thrift::spans(&message),
            other => panic!("{}: nobody takes {other:?}", way.name),
        });
    }
    for line in std::fs::read_to_string(folder.file("traces.jsonl")).unwrap_or_default().lines() {
        let line = json::parse(line.as_bytes());
        spans.extend(if way.form == ways::Form::Log { vec![line] } else { json::spans(&line) });
    }
    recorded::check(way, &names, spans);
}
