use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::{Value, json};
use spandrel_plugin_api::diagnostics::set_handler;
use spandrel_plugin_api::{
    Attribute, ErrorKind, Event, Host, InstrumentationScope, Link, Provider, ProviderFactory, Resource, SpanContext,
    SpanId, SpanKind, SpanStart, Status, Timestamp, TraceFlags, TraceId, TracingProvider,
};

use super::JournalFactory;

const LONG: Duration = Duration::from_secs(30);
const END: Timestamp = Timestamp::from_unix_nanos(2_000);

#[test]
fn a_line_says_everything_of_a_span() {
    let (journal, path) = journal("line", "");
    let (own, other) = (context(1), context(2).with_remote(true));
    let attributes = [Attribute::new("n", &1), Attribute::new("s", "x"), Attribute::new("n", &[0.5, f64::NAN])];
    let start = SpanStart { kind: SpanKind::Client, parent: Some(&other), ..start("first", &own) };
    let mut span = journal.start_span(&SpanStart { attributes: &attributes, ..start });
    journal.set_span_name(&mut span, "last");
    journal.set_span_status(&mut span, Status::Error("declined"));
    journal.set_span_status(&mut span, Status::Error(""));
    let event = Event { name: "event", time: END, attributes: &attributes[1..2] };
    journal.add_span_event(&mut span, &event);
    journal.add_span_link(&mut span, &Link { context: &other, attributes: &[] });
    // The clock was set back meanwhile.
    journal.end_span(span, Timestamp::from_unix_nanos(1));
    journal.shutdown(LONG).unwrap();

    let expected = json!({
        "name": "last",
        "kind": "client",
        "trace_id": "01010101010101010101010101010101",
        "span_id": "0101010101010101",
        "flags": 1,
        "trace_state": "",
        "parent_id": "0202020202020202",
        "parent_is_remote": true,
        "status": { "code": "error", "text": "declined" },
        "start_ns": 1000,
        "end_ns": 1000,
        "attributes": { "n": { "doubles": [0.5, "NaN"] }, "s": { "text": "x" } },
        "dropped_attributes": 0,
        "events": [{
            "name": "event",
            "time_ns": 2000,
            "attributes": { "s": { "text": "x" } },
            "dropped_attributes": 0,
        }],
        "dropped_events": 0,
        "links": [{
            "trace_id": "02020202020202020202020202020202",
            "span_id": "0202020202020202",
            "flags": 1,
            "trace_state": "",
            "is_remote": true,
            "attributes": {},
            "dropped_attributes": 0,
        }],
        "dropped_links": 0,
        "scope": { "name": "tests", "version": "1" },
        "service": "shop",
        "resource": { "service.name": { "text": "shop" } },
    });
    assert_eq!(lines(&path), [expected]);
}

#[test]
fn what_ends_after_shutdown_is_counted() {
    let (journal, path) = journal("shutdown", "");
    let context = context(1);
    let record = || journal.end_span(journal.start_span(&start("span", &context)), END);
    record();
    journal.force_flush(Duration::MAX).unwrap();
    let late = journal.start_span(&start("late", &context));
    journal.shutdown(LONG).unwrap();
    journal.end_span(late, END);
    record();
    journal.shutdown(Duration::ZERO).unwrap();
    let stats = journal.stats();
    let [branch] = &stats.branches[..] else { panic!("{stats}") };
    assert!(stats.is_balanced(), "{stats}");
    assert_eq!((stats.recorded, branch.exported, branch.dropped.after_shutdown), (3, 1, 2), "{stats}");
    assert_eq!(lines(&path).len(), 1);
}

#[test]
fn a_slow_span_is_reported_while_it_runs() {
    let (sender, messages) = channel();
    // Other tests report as well.
    set_handler(Box::new(move |_, message| drop(sender.send(message.to_owned()))));
    let (journal, path) = journal("slow", "slow_ms = 1");
    let context = context(1);
    let slow = journal.start_span(&start("slow", &context));
    let message = loop {
        let message = messages.recv_timeout(LONG).unwrap();
        if message.contains("still open") {
            break message;
        }
    };
    assert!(message.starts_with("still open after 1ms: `slow` (trace 0101"), "{message}");
    journal.end_span(slow, END);
    journal.shutdown(LONG).unwrap();
    assert_eq!(lines(&path).len(), 1);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_costs_spans_and_says_so() {
    let config = "path = '/dev/full'";
    let Ok(Provider::Live(journal)) = JournalFactory.create(config, &Host::new(&Resource::new())) else {
        panic!("the journal opens")
    };
    let context = context(1);
    journal.end_span(journal.start_span(&start("lost", &context)), END);
    let error = journal.force_flush(LONG).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::SpansLost, "spans that could not be written: 1"));
    journal.shutdown(LONG).unwrap();
    assert_eq!(journal.stats().branches[0].dropped.export_failed, 1);
}

fn journal(name: &str, more: &str) -> (Box<dyn TracingProvider>, PathBuf) {
    let path = std::env::temp_dir().join(format!("spandrel-journal-{}-{name}.jsonl", std::process::id()));
    // Left by a process that was killed and had the same id.
    let _ = std::fs::remove_file(&path);
    let resource = Resource::new().with("service.name", "shop");
    let config = format!("path = '{}'\n{more}", path.display());
    match JournalFactory.create(&config, &Host::new(&resource)) {
        Ok(Provider::Live(journal)) => (journal, path),
        other => panic!("journal is a live provider: {other:?}"),
    }
}

fn context(n: u8) -> SpanContext {
    SpanContext::new(TraceId::from_bytes([n; 16]), SpanId::from_bytes([n; 8]), TraceFlags::SAMPLED)
}

fn start<'a>(name: &'a str, context: &'a SpanContext) -> SpanStart<'a> {
    SpanStart {
        name,
        context,
        parent: None,
        kind: SpanKind::Internal,
        time: Timestamp::from_unix_nanos(1_000),
        attributes: &[],
        links: &[],
        scope: InstrumentationScope { name: "tests", version: "1" },
    }
}

/// Reads the journal and removes it.
fn lines(path: &PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::remove_file(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
