//! What is exported arrives, and what is lost is told.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData as SdkSpanData, SpanExporter, SpanProcessor};
use spandrel_plugin_api::config::parse;
use spandrel_plugin_api::{
    Attribute, BranchStats, ErrorKind, Event, Host, Link, OwnedAttribute, Provider, ProviderFactory, Resource,
    SpanKind, SpanStart, Stats, Status, StatusData, TraceState, TracingProvider,
};
use spandrel_provider_opentelemetry::{BatchLimits, OpenTelemetryFactory, PipelineBuilder};

use common::{KeepingExporter, LONG, at, context, decode, start};

#[test]
fn every_field_arrives_over_http() {
    let (address, requests) = server();
    let provider = over_http(address, "headers = { api-key = 'k' }");
    let (own, parent) = (context(1), context(2).with_remote(true));
    let own = own.with_trace_state(TraceState::parse("a=1").unwrap());
    let values = [
        OwnedAttribute::new("bool", true),
        OwnedAttribute::new("integer", i64::MIN),
        OwnedAttribute::new("double", 0.1),
        OwnedAttribute::new("text", "ü\0"),
        OwnedAttribute::new("bools", vec![true, false]),
        OwnedAttribute::new("integers", vec![1_i64, -1]),
        OwnedAttribute::new("doubles", vec![0.5, f64::INFINITY]),
        OwnedAttribute::new("texts", vec!["a".to_owned(), String::new()]),
    ];
    let attributes: Vec<Attribute<'_>> = values.iter().map(OwnedAttribute::as_attribute).collect();
    let links = [Link { context: &parent, attributes: &attributes }];
    let mut span = provider.start_span(&SpanStart {
        parent: Some(&parent),
        kind: SpanKind::Producer,
        attributes: &attributes[..4],
        links: &links,
        ..start("first", &own)
    });
    provider.add_span_attributes(&mut span, &attributes[4..]);
    provider.add_span_event(&mut span, &Event { name: "event", time: at(1_500), attributes: &attributes });
    provider.set_span_name(&mut span, "last");
    provider.set_span_status(&mut span, Status::Error("declined"));
    provider.end_span(span, at(2_000));
    provider.force_flush(LONG).unwrap();

    let request = requests.recv_timeout(LONG).unwrap();
    assert!(request.head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{}", request.head);
    for header in ["content-type: application/x-protobuf\r\n", "api-key: k\r\n"] {
        assert!(request.head.to_lowercase().contains(header), "{}", request.head);
    }
    let spans = decode(&request.body);
    let [span] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(
        (span.trace_id, span.span_id, span.parent_span_id),
        (own.trace_id(), own.span_id(), Some(parent.span_id()))
    );
    assert_eq!((span.flags, span.trace_state.as_str(), span.has_remote_parent), (0x301, "a=1", true));
    assert_eq!(
        (span.name.as_str(), span.kind, span.start, span.end),
        ("last", SpanKind::Producer, at(1_000), at(2_000))
    );
    assert_eq!(span.status, StatusData::Error("declined".to_owned()));
    assert_eq!(span.attributes, values);
    assert_eq!((span.events[0].name.as_str(), span.events[0].time), ("event", at(1_500)));
    assert_eq!(span.events[0].attributes, values);
    assert_eq!((span.links[0].span_id, &span.links[0].attributes[..]), (parent.span_id(), &values[..]));
    assert_eq!((span.scope_name.as_str(), span.scope_version.as_str()), ("tests", "1"));
    for attribute in
        [OwnedAttribute::new("service.name", "shop"), OwnedAttribute::new("telemetry.sdk.name", "opentelemetry")]
    {
        assert!(span.resource.contains(&attribute), "{:?}", span.resource);
    }
    provider.shutdown(LONG).unwrap();
}

#[test]
fn shutdown_tells_of_what_a_server_that_hangs_up_did_not_get() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().for_each(drop));
    let provider = over_http(address, "");
    provider.health().unwrap();
    (1..=3).for_each(|n| record(&*provider, n));
    let error = provider.shutdown(LONG).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::SpansLost, "3 spans could not be exported"));
    assert!(error.context("reason").is_some() && error.context("provider") == Some("opentelemetry"), "{error}");
    let branch = only_branch(&provider.stats());
    assert_eq!((branch.exported, branch.dropped.export_failed, branch.pending), (0, 3, 0));
    provider.shutdown(LONG).unwrap();
}

#[test]
fn an_answer_of_no_is_a_loss_and_the_next_export_heals() {
    let (address, requests) = server_with(&["400 Bad Request", "200 OK"]);
    let provider = over_http(address, "");
    record(&*provider, 1);
    assert_eq!(provider.force_flush(LONG).unwrap_err().kind(), ErrorKind::SpansLost);
    assert_eq!(provider.health().unwrap_err().kind(), ErrorKind::Unavailable);
    record(&*provider, 2);
    provider.force_flush(LONG).unwrap();
    provider.health().unwrap();
    assert_eq!(requests.iter().take(2).count(), 2);
    let branch = only_branch(&provider.stats());
    assert_eq!((branch.exported, branch.dropped.export_failed), (1, 1));
}

#[test]
fn a_server_that_never_answers_costs_no_more_than_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let provider = over_http(address, "timeout_ms = 600_000");
    record(&*provider, 1);
    for call in [TracingProvider::force_flush, TracingProvider::shutdown, TracingProvider::shutdown] {
        let began = Instant::now();
        let error = call(&*provider, Duration::from_millis(50)).unwrap_err();
        assert_eq!((error.kind(), error.context("pending")), (ErrorKind::Timeout, Some("1")), "{error}");
        // The SDK's own flush would take five seconds, and the request ten minutes.
        assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    }
    assert_eq!(only_branch(&provider.stats()).pending, 1);
}

#[test]
fn a_flush_waits_for_what_takes_longer_than_the_sdk_waits() {
    let (exporter, gate) = GatedExporter::new();
    let provider = PipelineBuilder::new().with_exporter("gated", exporter).build();
    record(&provider, 1);
    let flushing = {
        let provider = provider.clone();
        thread::spawn(move || provider.force_flush(LONG))
    };
    gate.entered.recv_timeout(LONG).unwrap();
    // Behind the batch that is stuck, and part of the second flush.
    record(&provider, 2);
    let error = provider.force_flush(Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    drop(gate);
    flushing.join().unwrap().unwrap();
    provider.force_flush(LONG).unwrap();
    assert_eq!(only_branch(&provider.stats()).exported, 2);
}

#[test]
fn what_does_not_fit_the_queue_is_counted_exactly() {
    let (exporter, gate) = GatedExporter::new();
    let batch = limits(4, 2);
    let provider = PipelineBuilder::new().with_batch(batch).with_exporter("gated", exporter).build();
    // The exporter has two, and then the queue has four.
    (1..=2).for_each(|n| record(&provider, n));
    gate.entered.recv_timeout(LONG).unwrap();
    (3..=20).for_each(|n| record(&provider, n));
    let branch = only_branch(&provider.stats());
    assert_eq!((branch.exported, branch.dropped.queue_full, branch.pending), (0, 14, 6));
    assert!(provider.stats().is_balanced());
    drop(gate);
    let error = provider.force_flush(LONG).unwrap_err();
    let text = "14 spans could not be exported (provider: gated; reason: its queue was full)";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::SpansLost, text));
    let branch = only_branch(&provider.stats());
    assert_eq!((branch.exported, branch.dropped.total(), branch.pending), (6, 14, 0));
    provider.force_flush(LONG).unwrap();
    provider.shutdown(LONG).unwrap();
}

#[test]
fn an_exporter_that_panics_costs_its_batch_and_in_the_end_its_place() {
    let calls = Arc::new(AtomicU32::new(0));
    let exporter = Panicking { calls: Arc::clone(&calls), panics: |call| call != 2 };
    let provider = PipelineBuilder::new().with_exporter("panicking", exporter).build();
    let outcomes: Vec<bool> = (1..=5)
        .map(|n| {
            record(&provider, n);
            provider.force_flush(LONG).is_ok()
        })
        .collect();
    assert_eq!(outcomes, [false, true, false, false, false]);
    assert_eq!(calls.load(Ordering::Relaxed), 4, "after three panics it is left alone");
    let branch = only_branch(&provider.stats());
    assert_eq!((branch.exported, branch.dropped.panicked), (1, 4));
    assert!(provider.health().unwrap_err().to_string().contains("out of service"));
    provider.shutdown(LONG).unwrap();
}

#[test]
fn a_processor_that_panics_harms_neither_the_service_nor_the_others() {
    #[derive(Debug)]
    struct Panics;
    impl SpanProcessor for Panics {
        fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {
            panic!("on start")
        }
        fn on_end(&self, _: SdkSpanData) {
            panic!("on end")
        }
        fn force_flush(&self) -> OTelSdkResult {
            panic!("flush")
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            panic!("shutdown")
        }
    }
    let kept = KeepingExporter::default();
    let provider = PipelineBuilder::new().with_span_processor(Panics).with_exporter("kept", kept.clone()).build();
    (1..=5).for_each(|n| record(&provider, n));
    provider.shutdown(LONG).unwrap();
    assert_eq!((kept.spans().len(), provider.stats().panics), (5, 0));
}

#[test]
fn a_processor_that_fails_or_hangs_is_told_of() {
    #[derive(Debug)]
    struct Fails(Mutex<Receiver<()>>);
    impl SpanProcessor for Fails {
        fn on_start(&self, _: &mut opentelemetry_sdk::trace::Span, _: &opentelemetry::Context) {}
        fn on_end(&self, _: SdkSpanData) {}
        fn force_flush(&self) -> OTelSdkResult {
            let _ = self.0.lock().unwrap().recv();
            Err(OTelSdkError::InternalFailure("no disk".to_owned()))
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }
    let (gate, wait) = channel();
    let provider = PipelineBuilder::new().with_span_processor(Fails(Mutex::new(wait))).build();
    assert_eq!(provider.force_flush(Duration::from_millis(10)).unwrap_err().kind(), ErrorKind::Timeout);
    drop(gate);
    let error = provider.force_flush(LONG).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Internal, "a span processor failed at the flush"));
    assert!(error.context("reason").unwrap().contains("no disk"));
}

#[test]
fn the_sdk_may_be_shut_down_by_others() {
    let kept = KeepingExporter::default();
    let provider = PipelineBuilder::new().with_exporter("kept", kept.clone()).build();
    record(&provider, 1);
    provider.tracer_provider().shutdown().unwrap();
    record(&provider, 2);
    provider.shutdown(LONG).unwrap();
    let branch = only_branch(&provider.stats());
    assert_eq!((branch.exported, branch.dropped.after_shutdown, kept.spans().len()), (1, 1, 1));
}

#[test]
fn a_configuration_that_cannot_work_is_refused_with_its_key() {
    let factory = OpenTelemetryFactory::new();
    for (config, key) in [("endpoint = 'localhost'", "endpoint"), ("set_global = 1", "set_global"), ("x = 1", "x")] {
        let error = factory.validate(config).unwrap_err();
        assert_eq!((error.kind(), error.context("key")), (ErrorKind::ConfigInvalid, Some(key)), "{error}");
        assert_eq!(factory.create(config, &Host::new(&Resource::new())).unwrap_err().to_string(), error.to_string());
    }
    let error = factory.create("proxy = '::'", &Host::new(&Resource::new())).unwrap_err();
    assert_eq!((error.kind(), error.context("key")), (ErrorKind::ConfigInvalid, Some("proxy")), "{error}");
    factory.validate("").unwrap();
}

/// The SDK panics if it makes its blocking client within an async runtime.
#[tokio::test]
async fn it_starts_and_stops_within_a_runtime() {
    let (address, requests) = server();
    let provider = over_http(address, "");
    record(&*provider, 1);
    provider.shutdown(LONG).unwrap();
    assert_eq!(decode(&requests.recv_timeout(LONG).unwrap().body).len(), 1);
}

fn record(provider: &dyn TracingProvider, n: u8) {
    let context = context(n);
    provider.end_span(provider.start_span(&start("span", &context)), at(2_000));
}

fn only_branch(stats: &Stats) -> BranchStats {
    assert!(stats.is_balanced(), "{stats}");
    let [branch] = &stats.branches[..] else { panic!("{stats}") };
    branch.clone()
}

fn limits(max_queue_spans: usize, max_batch_spans: usize) -> BatchLimits {
    let text = format!("max_queue_spans = {max_queue_spans}\nmax_batch_spans = {max_batch_spans}\ndelay_ms = 600_000");
    parse(&text).unwrap()
}

/// The provider as a service has it, without a proxy that the environment may name.
fn over_http(address: SocketAddr, more: &str) -> Box<dyn TracingProvider> {
    let config = format!("endpoint = 'http://{address}'\nproxy = 'none'\n{more}");
    let resource = Resource::new().with("service.name", "shop");
    match OpenTelemetryFactory::new().create(&config, &Host::new(&resource)) {
        Ok(Provider::Live(provider)) => provider,
        other => panic!("opentelemetry is a live provider: {other:?}"),
    }
}

struct Request {
    head: String,
    body: Vec<u8>,
}

fn server() -> (SocketAddr, Receiver<Request>) {
    server_with(&["200 OK"])
}

/// Answers with each of these in turn, and with the last one from then on.
fn server_with(answers: &'static [&'static str]) -> (SocketAddr, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = channel();
    let mut answers = answers.iter();
    let mut answer = *answers.next().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let Some(request) = read(&stream) else { continue };
            let text = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            answer = answers.next().unwrap_or(&answer);
            // The test may be over.
            let _ = stream.write_all(text.as_bytes());
            let _ = sender.send(request);
        }
    });
    (address, requests)
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (stream.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    let lower = head.to_lowercase();
    let (_, length) = lower.split_once("content-length: ")?;
    let mut body = vec![0; length.lines().next()?.parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some(Request { head, body })
}

/// Exports once its gate is dropped, and says when it waits.
#[derive(Debug)]
struct GatedExporter {
    entered: Sender<()>,
    wait: Mutex<Receiver<()>>,
}

struct Gate {
    entered: Receiver<()>,
    _open: Sender<()>,
}

impl GatedExporter {
    fn new() -> (Self, Gate) {
        let ((entered, told), (open, wait)) = (channel(), channel());
        (Self { entered, wait: Mutex::new(wait) }, Gate { entered: told, _open: open })
    }
}

impl SpanExporter for GatedExporter {
    async fn export(&self, _: Vec<SdkSpanData>) -> OTelSdkResult {
        let _ = self.entered.send(());
        let _ = self.wait.lock().unwrap().recv();
        Ok(())
    }
}

#[derive(Debug)]
struct Panicking {
    calls: Arc<AtomicU32>,
    panics: fn(u32) -> bool,
}

impl SpanExporter for Panicking {
    async fn export(&self, _: Vec<SdkSpanData>) -> OTelSdkResult {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(!(self.panics)(call), "export {call}");
        Ok(())
    }
}
