//! A recorder from outside: what is recorded, what is counted, what is bounded.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use spandrel_plugin_api::{
    Attribute, Error, ErrorKind, Event, InstrumentationScope, Link, OwnedValue, Resource, SpanBatch, SpanContext,
    SpanData, SpanExporter, SpanId, SpanKind, SpanStart, SpanState, Status, StatusData, Timestamp, TraceFlags, TraceId,
    TracingProvider, Value,
};
use spandrel_recorder::{OverflowPolicy, Recorder, RecorderConfig};

const LONG: Duration = Duration::from_secs(if cfg!(miri) { 900 } else { 30 });

/// Keeps what it gets, after `before` was called.
struct Keep<F> {
    spans: Arc<Mutex<Vec<SpanData>>>,
    before: F,
}

impl<F: FnMut(&SpanBatch<'_>) -> Result<(), Error> + Send> SpanExporter for Keep<F> {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        (self.before)(batch)?;
        let spans: Vec<SpanData> = batch.spans().map(|span| SpanData::from(&span.unwrap())).collect();
        assert_eq!(spans.len(), batch.span_count());
        self.spans.lock().unwrap().extend(spans);
        Ok(())
    }
}

type Spans = Arc<Mutex<Vec<SpanData>>>;

fn recorder_with(
    config: RecorderConfig,
    before: impl FnMut(&SpanBatch<'_>) -> Result<(), Error> + Send + 'static,
) -> (Recorder, Spans) {
    let spans = Spans::default();
    let keep = Keep { spans: Arc::clone(&spans), before };
    let resource = Resource::new().with("service.name", "test");
    (Recorder::new(config, &resource, vec![("keep".into(), Box::new(keep))]), spans)
}

fn recorder() -> (Recorder, Spans) {
    recorder_with(RecorderConfig::default(), |_| Ok(()))
}

fn context(n: u64) -> SpanContext {
    let mut trace = [1; 16];
    trace[8..].copy_from_slice(&n.to_be_bytes());
    SpanContext::new(TraceId::from_bytes(trace), SpanId::from_bytes((n + 1).to_be_bytes()), TraceFlags::SAMPLED)
}

fn start<'a>(name: &'a str, context: &'a SpanContext) -> SpanStart<'a> {
    SpanStart {
        name,
        context,
        parent: None,
        kind: SpanKind::Internal,
        time: Timestamp::from_unix_nanos(100),
        attributes: &[],
        links: &[],
        scope: InstrumentationScope { name: "tests", version: "1" },
    }
}

fn record(recorder: &Recorder, n: u64) {
    let context = context(n);
    let span = recorder.start_span(&start("op", &context));
    recorder.end_span(span, Timestamp::from_unix_nanos(200));
}

#[test]
fn a_span_arrives_with_all_its_parts() {
    let (recorder, spans) = recorder();
    let (id, other) = (context(1), context(2).with_remote(true));
    let attributes = [Attribute::new("a", &1), Attribute::new("b", "x")];
    let start =
        SpanStart { parent: Some(&other), kind: SpanKind::Client, attributes: &attributes, ..start("first", &id) };
    let mut span = recorder.start_span(&start);
    recorder.set_span_name(&mut span, "second");
    recorder.add_span_attributes(
        &mut span,
        &[Attribute::new("a", "again"), Attribute::new("", &true), Attribute::new("c", &2.5)],
    );
    recorder.add_span_attributes(&mut span, &[Attribute::new("b", &["y", "z"])]);
    let details = [Attribute::new("k", &1), Attribute::new("k", &2)];
    recorder
        .add_span_event(&mut span, &Event { name: "e", time: Timestamp::from_unix_nanos(150), attributes: &details });
    recorder.add_span_link(&mut span, &Link { context: &other, attributes: &details });
    recorder.set_span_status(&mut span, Status::Error("bad"));
    recorder.set_span_status(&mut span, Status::Unset);
    recorder.end_span(span, Timestamp::from_unix_nanos(50));
    recorder.force_flush(LONG).unwrap();

    let spans = spans.lock().unwrap();
    let [span] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((span.name.as_str(), span.kind), ("second", SpanKind::Client));
    assert_eq!((span.trace_id, span.span_id), (id.trace_id(), id.span_id()));
    assert_eq!((span.parent_span_id, span.has_remote_parent), (Some(other.span_id()), true));
    assert_eq!((span.start.unix_nanos(), span.end.unix_nanos()), (100, 100), "the end never lies before the start");
    assert_eq!(span.status, StatusData::Error("bad".into()));
    let found: Vec<_> = span.attributes.iter().map(|a| (a.key.as_str(), a.value.clone())).collect();
    let texts = OwnedValue::StrArray(vec!["y".into(), "z".into()]);
    assert_eq!(found, [("a", OwnedValue::Str("again".into())), ("c", OwnedValue::F64(2.5)), ("b", texts)]);
    assert_eq!(span.events[0].attributes.len(), 1);
    assert!(span.events[0].attributes[0].value == Value::I64(2));
    assert_eq!((span.links[0].span_id, span.links[0].flags & 0x300), (other.span_id(), 0x300));
    assert_eq!((span.scope_name.as_str(), span.scope_version.as_str()), ("tests", "1"));
    assert!(span.resource[0].value == Value::Str("test"));
}

#[test]
fn ok_is_final_and_has_no_text() {
    let (recorder, spans) = recorder();
    let id = context(1);
    let mut span = recorder.start_span(&start("op", &id));
    for status in [Status::Error("bad"), Status::Ok, Status::Error("worse"), Status::Unset] {
        recorder.set_span_status(&mut span, status);
    }
    recorder.end_span(span, Timestamp::from_unix_nanos(200));
    recorder.force_flush(LONG).unwrap();
    assert_eq!(spans.lock().unwrap()[0].status, StatusData::Ok);
}

#[test]
fn limits_are_kept_and_what_they_cost_is_counted() {
    let mut config = RecorderConfig::default();
    config.limits.attributes = 2;
    config.limits.events = 1;
    config.limits.links = 1;
    config.limits.event_attributes = 1;
    config.limits.value_chars = 3;
    let (recorder, spans) = recorder_with(config, |_| Ok(()));
    let id = context(1);
    let mut span = recorder.start_span(&start("op", &id));
    recorder.add_span_attributes(
        &mut span,
        &[Attribute::new("a", "naïve"), Attribute::new("b", &1), Attribute::new("c", &1)],
    );
    recorder.add_span_attributes(&mut span, &[Attribute::new("b", &2)]);
    let details = [Attribute::new("x", &1), Attribute::new("y", &1)];
    for _ in 0..2 {
        let time = Timestamp::from_unix_nanos(150);
        recorder.add_span_event(&mut span, &Event { name: "e", time, attributes: &details });
        recorder.add_span_link(&mut span, &Link { context: &id, attributes: &[] });
    }
    recorder.end_span(span, Timestamp::from_unix_nanos(200));
    recorder.force_flush(LONG).unwrap();
    let spans = spans.lock().unwrap();
    assert_eq!(spans[0].dropped_counts, (1, 1, 1));
    assert_eq!(spans[0].events[0].dropped_attributes, 1);
    assert_eq!(spans[0].attribute("a"), Some(&OwnedValue::Str("naï".into())));
    assert_eq!(spans[0].attribute("b"), Some(&OwnedValue::I64(2)));
}

#[test]
fn spans_of_several_scopes_and_of_any_size_arrive() {
    let (recorder, spans) = recorder();
    let big = "x".repeat(200_000);
    for n in 0..30 {
        let id = context(n);
        let scope = InstrumentationScope { name: if n % 3 == 0 { "one" } else { "two" }, version: "" };
        let mut span = recorder.start_span(&SpanStart { scope, ..start("op", &id) });
        if n == 7 {
            recorder.add_span_attributes(&mut span, &[Attribute::new("big", &big)]);
        }
        recorder.end_span(span, Timestamp::from_unix_nanos(200));
    }
    recorder.force_flush(LONG).unwrap();
    let spans = spans.lock().unwrap();
    assert_eq!(spans.len(), 30);
    assert_eq!(spans.iter().filter(|s| s.scope_name == "one").count(), 10);
    assert_eq!(spans.iter().filter(|s| s.attribute("big").is_some()).count(), 1);
}

#[test]
fn eight_threads_in_block_mode_lose_nothing() {
    let per_thread = if cfg!(miri) { 20 } else { 100_000 };
    let mut config = RecorderConfig::default();
    config.batch.on_full = OverflowPolicy::Block;
    config.batch.queue_bytes = 512 << 10;
    let counted = Arc::new(Mutex::new(0_u64));
    let counter = Arc::clone(&counted);
    let exporter = Count(counter);
    let recorder = Recorder::new(config, &Resource::new(), vec![("count".into(), Box::new(exporter))]);
    std::thread::scope(|scope| {
        for t in 0..8 {
            let recorder = &recorder;
            scope.spawn(move || (0..per_thread).for_each(|n| record(recorder, t * per_thread + n)));
        }
    });
    recorder.force_flush(LONG).unwrap();
    let stats = recorder.stats();
    assert!(stats.is_balanced(), "{stats}");
    assert_eq!(
        (stats.recorded, stats.exported(), stats.dropped(), stats.pending()),
        (8 * per_thread, 8 * per_thread, 0, 0)
    );
    assert_eq!(*counted.lock().unwrap(), 8 * per_thread, "the exporter saw as many as are counted");
}

struct Count(Arc<Mutex<u64>>);

impl SpanExporter for Count {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        let counted = batch.spans().filter(Result::is_ok).count() as u64;
        *self.0.lock().unwrap() += counted;
        Ok(())
    }
}

/// An exporter that waits for a word before each batch.
fn gated(config: RecorderConfig) -> (Recorder, Spans, Sender<()>) {
    let (open, gate): (Sender<()>, Receiver<()>) = channel();
    let gate = Mutex::new(gate);
    let (recorder, spans) = recorder_with(config, move |_| {
        let _ = gate.lock().unwrap().recv();
        Ok(())
    });
    (recorder, spans, open)
}

#[test]
fn a_slow_exporter_costs_spans_that_are_counted() {
    let mut config = RecorderConfig::default();
    config.batch.queue_bytes = 128 << 10;
    config.batch.max_bytes = 64 << 10;
    let (recorder, spans, open) = gated(config);
    let produced = if cfg!(miri) { 3_000 } else { 20_000 };
    (0..produced).for_each(|n| record(&recorder, n));
    let stats = recorder.stats();
    assert_eq!(stats.recorded, produced);
    assert!(stats.is_balanced(), "{stats}");
    drop(open);
    recorder.force_flush(LONG).unwrap();
    let stats = recorder.stats();
    assert!(stats.dropped() > 0 && stats.pending() == 0 && stats.is_balanced(), "{stats}");
    assert_eq!(stats.exported(), spans.lock().unwrap().len() as u64);
}

#[test]
fn deadlines_hold_with_an_exporter_that_hangs() {
    let (recorder, _, open) = gated(RecorderConfig::default());
    record(&recorder, 1);
    let began = Instant::now();
    let error = recorder.force_flush(Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    let error = recorder.shutdown(Duration::from_millis(50)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(began.elapsed() < LONG);
    assert_eq!(recorder.stats().pending(), 1);
    drop(open);
    recorder.shutdown(LONG).unwrap();
    assert_eq!(recorder.stats().exported(), 1);
}

#[test]
fn an_exporter_that_panics_is_taken_out_after_three() {
    let (recorder, _) = recorder_with(RecorderConfig::default(), |_| panic!("from the exporter"));
    for n in 0..5 {
        record(&recorder, n);
        let _ = recorder.force_flush(LONG);
    }
    let stats = recorder.stats();
    assert_eq!((stats.panics, stats.branches[0].dropped.panicked), (3, 5));
    assert!(stats.is_balanced(), "{stats}");
    assert_eq!(recorder.shutdown(LONG).unwrap_err().kind(), ErrorKind::Panicked);
}

#[test]
fn a_failed_export_is_a_counted_loss_and_the_next_one_works() {
    let mut calls = 0;
    let (recorder, spans) = recorder_with(RecorderConfig::default(), move |_| {
        calls += 1;
        if calls == 1 { Err(Error::new(ErrorKind::Io, "not at all")) } else { Ok(()) }
    });
    record(&recorder, 1);
    assert_eq!(recorder.force_flush(LONG).unwrap_err().kind(), ErrorKind::SpansLost);
    record(&recorder, 2);
    recorder.force_flush(LONG).unwrap();
    let stats = recorder.stats();
    assert_eq!((stats.exported(), stats.branches[0].dropped.export_failed), (1, 1));
    assert_eq!(spans.lock().unwrap().len(), 1);
}

#[test]
fn every_branch_gets_every_span_and_counts_for_itself() {
    let counted = [0, 1].map(|_| Arc::new(Mutex::new(0)));
    let exporters = counted.iter().enumerate().map(|(i, counter)| {
        let exporter: Box<dyn SpanExporter> = Box::new(Count(Arc::clone(counter)));
        (format!("count{i}"), exporter)
    });
    let recorder = Recorder::new(RecorderConfig::default(), &Resource::new(), exporters.collect());
    (0..10).for_each(|n| record(&recorder, n));
    recorder.shutdown(LONG).unwrap();
    record(&recorder, 11);
    let stats = recorder.stats();
    assert_eq!(counted.map(|c| *c.lock().unwrap()), [10, 10]);
    assert_eq!(stats.branches.iter().map(|b| (b.exported, b.dropped.after_shutdown)).collect::<Vec<_>>(), [(10, 1); 2]);
    assert!(stats.is_balanced(), "{stats}");
    recorder.shutdown(LONG).unwrap();
}

#[test]
fn a_retired_recorder_delivers_what_ends_late() {
    let (recorder, spans) = recorder();
    let id = context(1);
    let span = recorder.start_span(&start("late", &id));
    recorder.retire();
    recorder.end_span(span, Timestamp::from_unix_nanos(200));
    // Nobody flushes: the worker that was started for it delivers it.
    let until = Instant::now() + LONG;
    while spans.lock().unwrap().is_empty() && Instant::now() < until {
        std::thread::yield_now();
    }
    assert_eq!(spans.lock().unwrap().len(), 1);
}

#[test]
fn a_span_that_ends_while_its_thread_is_torn_down_arrives() {
    struct EndsLate(Option<(Arc<Recorder>, SpanState)>);
    impl Drop for EndsLate {
        fn drop(&mut self) {
            if let Some((recorder, span)) = self.0.take() {
                recorder.end_span(span, Timestamp::from_unix_nanos(200));
            }
        }
    }
    thread_local!(static LATE: std::cell::RefCell<EndsLate> = const { std::cell::RefCell::new(EndsLate(None)) });

    let (recorder, spans) = recorder();
    let recorder = Arc::new(recorder);
    let other = Arc::clone(&recorder);
    std::thread::spawn(move || {
        // Registered before the recorder's own thread-locals, so destroyed after them.
        LATE.with(|late| {
            let id = context(1);
            let span = other.start_span(&start("late", &id));
            late.borrow_mut().0 = Some((Arc::clone(&other), span));
        });
        record(&other, 2);
    })
    .join()
    .unwrap();
    recorder.force_flush(LONG).unwrap();
    assert_eq!(spans.lock().unwrap().len(), 2);
    assert!(recorder.stats().is_balanced());
}

#[test]
fn a_worker_that_leaves_strands_no_span() {
    let rounds = if cfg!(miri) { 3 } else { 300 };
    for _ in 0..rounds {
        let mut config = RecorderConfig::default();
        config.batch.delay = Duration::from_millis(1);
        let (recorder, spans) = recorder_with(config, |_| Ok(()));
        let recorder = Arc::new(recorder);
        record(&recorder, 0);
        std::thread::scope(|scope| {
            let late = Arc::clone(&recorder);
            scope.spawn(move || record(&late, 1));
            recorder.retire();
        });
        // Nobody flushes.
        let until = Instant::now() + LONG;
        while spans.lock().unwrap().len() < 2 {
            assert!(Instant::now() < until, "{}", recorder.stats());
            std::thread::yield_now();
        }
    }
}

#[test]
fn spans_that_race_with_shutdown_are_counted() {
    let rounds = if cfg!(miri) { 2 } else { 300 };
    for _ in 0..rounds {
        let (recorder, spans) = recorder();
        std::thread::scope(|scope| {
            let (said, heard) = channel();
            let gates: Vec<Sender<()>> = (0..2)
                .map(|t| {
                    let (recorder, said) = (&recorder, said.clone());
                    let (gate, closed) = channel();
                    scope.spawn(move || {
                        (0..20).for_each(|n| record(recorder, t * 1000 + n));
                        let _ = said.send(());
                        (20..400).for_each(|n| record(recorder, t * 1000 + n));
                        let _ = said.send(());
                        // The end of the thread would collect what it left.
                        let _ = closed.recv();
                    });
                    gate
                })
                .collect();
            heard.recv().unwrap();
            recorder.shutdown(LONG).unwrap();
            (0..3).for_each(|_| heard.recv().unwrap());
            let stats = recorder.stats();
            assert_eq!((stats.recorded, stats.pending()), (800, 0), "{stats}");
            assert!(stats.is_balanced(), "{stats}");
            assert_eq!(stats.exported(), spans.lock().unwrap().len() as u64);
            drop(gates);
        });
    }
}
