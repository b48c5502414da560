//! When a trace is printed.

use std::io::{self, Write};

use spandrel_plugin_api::{ErrorKind, Host, ProviderFactory, Resource, SpanBatch, SpanExporter};

use super::batch::{TestConsole, export, span};
use crate::{ConsoleConfig, ConsoleExporter, ConsoleFactory, Format};

fn console() -> TestConsole {
    TestConsole::new(&ConsoleConfig::default())
}

#[test]
fn a_trace_waits_for_its_root() {
    let mut console = console();
    assert_eq!(console.export([span("leaf", 3, 2, 2..3)]), "");
    assert_eq!(console.idle(), "");
    assert_eq!(console.export([span("root", 1, 0, 0..9)]), "");
    let expected = "\
trace 01010101010101010101010101010101  shop  9.00 µs  3 spans  0 errors
└─ root  9.00 µs
   └─ middle  7.00 µs
      └─ leaf  1.00 µs

";
    assert_eq!(console.export([span("middle", 2, 1, 1..8)]), expected);
    assert_eq!(console.flush(), "");
}

#[test]
fn a_trace_with_remote_parents_waits_until_it_is_quiet() {
    let expected = "\
trace 01010101010101010101010101010101  shop  8.00 µs  3 spans  0 errors
└─ ⋯ parent 0909090909090909 (in another process)
   ├─ GET /a  4.00 µs
   │  └─ load  1.00 µs
   └─ GET /b  1.00 µs

";
    let first = || [span("load", 2, 1, 2..3), span("GET /a", 1, 9, 1..5).remote_parent()];
    let second = || [span("GET /b", 3, 9, 8..9).remote_parent()];
    let other_trace = || [span("waits", 7, 6, 0..1).of_trace(2)];

    let mut idle = console();
    assert_eq!(idle.export(first()), "");
    assert_eq!(idle.export(second()), "");
    assert_eq!(idle.idle(), expected);

    let mut busy = console();
    assert_eq!(busy.export(first()), "");
    assert_eq!(busy.export(second()), "");
    assert_eq!(busy.export(other_trace()), expected);
}

#[test]
fn services_of_one_process_make_one_tree() {
    let mut console = console();
    assert_eq!(console.export([span("GET /", 2, 1, 1..2).of("api").remote_parent()]), "");
    let printed = console.export([span("root", 1, 0, 0..3)]);
    assert!(printed.contains("shop, api"), "{printed}");
    assert!(printed.contains("\n   └─ GET /  (api)  1.00 µs\n"), "{printed}");
}

#[test]
fn flush_prints_what_is_incomplete() {
    let mut console = console();
    assert_eq!(console.export([span("b", 3, 2, 5..6), span("a", 4, 2, 1..2), span("c", 6, 5, 3..4)]), "");
    let expected = "\
trace 01010101010101010101010101010101  shop  5.00 µs  3 spans  0 errors
├─ ⋯ parent 0202020202020202 (not ended or not recorded)
│  ├─ a  1.00 µs
│  └─ b  1.00 µs
└─ ⋯ parent 0505050505050505 (not ended or not recorded)
   └─ c  1.00 µs

";
    assert_eq!(console.flush(), expected);
}

#[test]
fn stragglers_are_a_piece_of_their_own() {
    let mut console = console();
    assert_ne!(console.export([span("root", 1, 0, 0..3)]), "");
    assert_eq!(console.export([span("straggler", 2, 1, 1..9)]), "");
    let expected = "\
trace 01010101010101010101010101010101  shop  8.00 µs  1 span  0 errors
└─ ⋯ parent 0101010101010101 (printed before or not recorded)
   └─ straggler  8.00 µs

";
    assert_eq!(console.idle(), expected);
}

#[test]
fn beyond_the_limit_the_oldest_trace_is_printed() {
    let mut console = TestConsole::new(&ConsoleConfig { max_pending_spans: 2, ..ConsoleConfig::default() });
    assert_eq!(console.export([span("old", 2, 1, 0..1)]), "");
    assert_eq!(console.export([span("new", 2, 1, 0..1).of_trace(2)]), "");
    let printed = console.export([span("newer", 2, 1, 0..1).of_trace(3)]);
    assert!(printed.contains("└─ old") && !printed.contains("new"), "{printed}");
    let rest = console.flush();
    assert!(rest.find("new").unwrap() < rest.find("newer").unwrap(), "{rest}");
}

#[test]
fn parents_in_a_circle_are_printed_once() {
    let mut console = console();
    let printed = console.export([span("a", 1, 2, 0..1), span("b", 2, 1, 0..1), span("self", 3, 3, 0..1)]);
    let names: Vec<&str> = printed.lines().filter(|line| line.ends_with("µs")).collect();
    assert_eq!(names, ["│  └─ a  1.00 µs", "│     └─ b  1.00 µs", "   └─ self  1.00 µs"]);
}

#[test]
fn very_deep_traces_do_not_grow_to_the_right() {
    let mut console = console();
    let printed = console.export::<250>(std::array::from_fn(|i| span("deeper", i as u8 + 1, i as u8, 0..1)));
    assert_eq!(printed.matches("deeper").count(), 250);
    assert!(printed.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn a_forked_child_leaves_pending_spans_to_its_parent() {
    let mut console = console();
    assert_eq!(console.export([span("leaf", 2, 1, 0..1)]), "");
    console.exporter.on_fork();
    assert_eq!(console.flush(), "");
}

#[test]
fn a_malformed_batch_prints_nothing() {
    let mut console = TestConsole::new(&ConsoleConfig { format: Format::Plain, ..ConsoleConfig::default() });
    let error = console.exporter.export(&SpanBatch::new(&[&[0x0a, 5]], 1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert_eq!(console.flush(), "");
}

#[test]
fn a_closed_pipe_is_an_error() {
    struct ClosedPipe;
    impl Write for ClosedPipe {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut exporter = ConsoleExporter::to_writer(&ConsoleConfig::default(), Box::new(ClosedPipe));
    let error = export(&mut exporter, &[span("root", 1, 0, 0..1)]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.to_string(), "cannot print spans: broken pipe");
}

#[test]
fn the_factory_reads_its_table() {
    let resource = Resource::new();
    let host = Host::new(&resource);
    assert_eq!(ConsoleFactory.name(), "console");
    assert!(ConsoleFactory.create("format = 'plain'", &host).is_ok());
    let error = ConsoleFactory.create("format = 3", &host).unwrap_err();
    assert_eq!((error.kind(), error.context("key")), (ErrorKind::ConfigInvalid, Some("format")));
}
