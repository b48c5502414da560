use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use spandrel_plugin_api::{
    Attribute, Event, OwnedAttribute, SpanContext, SpanData, SpanStart, SpanState, Status, StatusData, TracingProvider,
};

use crate::fixture::{END, LATER, check_attributes, context, context_in, name, record, span_id, start};
use crate::subject::Subject;
use crate::trial::{LONG, Trial};

const THREADS: u64 = 8;
const SPANS_OF_EACH: u64 = 1250;

/// 10,000 spans from 8 threads arrive once each, with what was written on them
/// and not on others.
///
/// Source: [`TracingProvider`]: "Calls come from the threads of the service, any
/// number at once".
pub fn spans_of_eight_threads_arrive_once(subject: &Subject) {
    subject.promises("10,000 spans of 8 threads arrive once each", |trial| {
        let provider = trial.provider();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|t| scope.spawn(move || record_family(provider, t))).collect();
            threads.into_iter().for_each(join);
        });
        let spans = trial.delivered();
        trial.check_recorded(THREADS * SPANS_OF_EACH);
        let Some(spans) = spans else { return };
        check_once(&spans, 0..THREADS * SPANS_OF_EACH);
        for (n, span) in (0..).zip(&spans) {
            check_member(span, n);
        }
    });
}

/// A span is started on one thread, written on a second and ended on a third.
///
/// Source: [`end_span`](TracingProvider::end_span): "on any thread";
/// [`SpanState`] is `Send`.
pub fn a_span_may_move_between_threads(subject: &Subject) {
    subject.promises("a span may move between threads", |trial| {
        let provider = trial.provider();
        for n in 1..=20 {
            let mut span =
                thread::scope(|scope| scope.spawn(|| provider.start_span(&start("moves", &context(n)))).join())
                    .expect("the first thread");
            thread::scope(|scope| {
                scope.spawn(|| {
                    provider.add_span_attributes(&mut span, &[Attribute::new("number", &n)]);
                    provider.add_span_event(&mut span, &Event { name: "second", time: LATER, attributes: &[] });
                });
            });
            thread::scope(|scope| {
                scope.spawn(|| {
                    provider.set_span_name(&mut span, &name(n));
                    provider.set_span_status(&mut span, Status::Ok);
                    provider.end_span(span, END);
                });
            });
        }
        let Some(spans) = trial.delivered() else { return };
        check_once(&spans, 1..21);
        for (n, span) in (1..).zip(&spans) {
            assert_eq!((&span.name, &span.status, span.events.len()), (&name(n), &StatusData::Ok, 1), "span {n}");
            check_attributes(&span.attributes, &[OwnedAttribute::new("number", n)]);
        }
    });
}

/// A flush on one thread delivers what others have ended, those that still run
/// and those that are gone.
///
/// Source: [`force_flush`](TracingProvider::force_flush): "all spans that have ended".
pub fn a_flush_reaches_the_spans_of_other_threads(subject: &Subject) {
    subject.promises("a flush reaches the spans of other threads", |trial| {
        let provider = trial.provider();
        thread::scope(|scope| {
            let (ended, all_ended) = channel();
            // Dropped at the end, or if the check fails, and then the threads go.
            let gates: Vec<_> = (0..4)
                .map(|t| {
                    let ended = ended.clone();
                    let (gate, wait) = channel::<()>();
                    scope.spawn(move || {
                        (0..3).for_each(|i| record(provider, 3 * t + i));
                        let _ = ended.send(());
                        // Two of them are idle meanwhile, two are gone.
                        if t % 2 == 0 {
                            let _ = wait.recv();
                        }
                    });
                    gate
                })
                .collect();
            drop(ended);
            assert_eq!(all_ended.iter().take(4).count(), 4, "threads that ended their spans");
            if let Some(spans) = trial.delivered() {
                check_once(&spans, 0..12);
            }
            drop(gates);
        });
        trial.check_recorded(12);
    });
}

/// Flushes and questions for statistics while other threads end spans lose and
/// double none.
///
/// Source: [`TracingProvider`]: "any number at once"; OpenTelemetry specification,
/// Trace SDK, "Concurrency requirements": "ForceFlush and Shutdown MUST be safe to
/// be called concurrently".
pub fn flushing_while_spans_end_loses_none(subject: &Subject) {
    subject.promises("flushing while spans end loses none", |trial| {
        let provider = trial.provider();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let flushing = scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    provider.force_flush(LONG).expect("a flush with a long deadline succeeds");
                    let _ = provider.stats();
                }
            });
            let threads: Vec<_> =
                (0..4).map(|t| scope.spawn(move || (0..500).for_each(|i| record(provider, 500 * t + i)))).collect();
            threads.into_iter().for_each(join);
            is_over.store(true, Ordering::Relaxed);
            join(flushing);
        });
        let spans = trial.delivered();
        trial.check_recorded(2000);
        if let Some(spans) = spans {
            check_once(&spans, 0..2000);
        }
    });
}

/// A shutdown while other threads end spans delivers each at most once and counts
/// the others as dropped.
///
/// Source: [`shutdown`](TracingProvider::shutdown);
/// [`Dropped::after_shutdown`](spandrel_plugin_api::Dropped).
pub fn shutdown_while_spans_end_counts_each(subject: &Subject) {
    subject.promises("shutdown while spans end counts each", |trial| {
        let provider = trial.provider();
        thread::scope(|scope| {
            let (half, first_half) = channel();
            let (gates, threads): (Vec<_>, Vec<_>) = (0..4)
                .map(|t| {
                    let half = half.clone();
                    let (gate, shut_down) = channel::<()>();
                    let thread = scope.spawn(move || {
                        for i in 0..500 {
                            if i == 499 {
                                // At least the last one comes too late, however the threads take turns.
                                let _ = shut_down.recv();
                            }
                            record(provider, 500 * t + i);
                            if i == 100 {
                                let _ = half.send(());
                            }
                        }
                    });
                    (gate, thread)
                })
                .unzip();
            first_half.recv().expect("a thread gets that far");
            provider.shutdown(LONG).expect("a shutdown with a long deadline succeeds");
            // A check that fails before drops them, too, so that no thread waits for ever.
            drop(gates);
            threads.into_iter().for_each(join);
        });
        trial.check_recorded(2000);
        check_stopped(&trial);
        // Which ones were in time may be another matter in each branch.
        trial.read_branches().iter().for_each(|spans| check_distinct(spans));
    });
}

/// Waits for a thread to be gone altogether, its thread-locals included, which
/// the end of a scope does not.
fn join(thread: thread::ScopedJoinHandle<'_, ()>) {
    if let Err(reason) = thread.join() {
        std::panic::resume_unwind(reason);
    }
}

/// Fails unless everything is delivered or dropped.
fn check_stopped(trial: &Trial) {
    if let Some(stats) = trial.stats() {
        assert_eq!(stats.pending(), 0, "spans are on their way for ever ({stats})");
    }
}

/// Fails unless the spans with these numbers are there once each, and no others.
fn check_once(spans: &[SpanData], numbers: std::ops::Range<u64>) {
    check_distinct(spans);
    let expected = numbers.end - numbers.start;
    let missing = numbers.map(span_id).filter(|id| spans.binary_search_by_key(id, |span| span.span_id).is_err());
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "{} of {expected} spans were lost, {:?} among them", missing.len(), missing[0]);
    assert_eq!(spans.len() as u64, expected, "spans that nobody recorded were delivered");
}

fn check_distinct(spans: &[SpanData]) {
    let twice = spans.windows(2).find(|pair| pair[0].span_id == pair[1].span_id);
    assert!(twice.is_none(), "a span was delivered twice: {:?}", twice.map(|pair| &pair[0].name));
}

/// Records a trace with a root, which ends last, and the others as its children;
/// four of them run at any time.
fn record_family(provider: &dyn TracingProvider, t: u64) {
    let root = context_in(t, t * SPANS_OF_EACH);
    let mut running: Vec<SpanState> = vec![provider.start_span(&start("", &root))];
    write_member(provider, &mut running[0], &root, t, 0);
    for i in 1..SPANS_OF_EACH {
        let id = context_in(t, t * SPANS_OF_EACH + i);
        let mut span = provider.start_span(&SpanStart { parent: Some(&root), ..start("", &id) });
        write_member(provider, &mut span, &id, t, i);
        running.push(span);
        if running.len() > 4 {
            provider.end_span(running.remove(1), END);
        }
    }
    running.into_iter().rev().for_each(|span| provider.end_span(span, END));
}

fn write_member(provider: &dyn TracingProvider, span: &mut SpanState, id: &SpanContext, t: u64, i: u64) {
    let text = format!("{t}-{i}");
    provider.set_span_name(span, &text);
    provider.add_span_attributes(span, &[Attribute::new("thread", &t), Attribute::new("number", &i)]);
    let span_id = id.span_id().to_string();
    let attributes = [Attribute::new("span", &span_id)];
    provider.add_span_event(span, &Event { name: &text, time: LATER, attributes: &attributes });
}

fn check_member(span: &SpanData, n: u64) {
    let (t, i) = (n / SPANS_OF_EACH, n % SPANS_OF_EACH);
    let text = format!("{t}-{i}");
    let root = context_in(t, t * SPANS_OF_EACH);
    assert_eq!(span.name, text, "name");
    assert_eq!(span.trace_id, root.trace_id(), "trace id of {text}");
    assert_eq!(span.parent_span_id, Some(root.span_id()).filter(|_| i > 0), "parent of {text}");
    check_attributes(&span.attributes, &[OwnedAttribute::new("thread", t), OwnedAttribute::new("number", i)]);
    assert_eq!((span.events.len(), &span.events[0].name), (1, &text), "event of {text}");
    check_attributes(&span.events[0].attributes, &[OwnedAttribute::new("span", span.span_id.to_string())]);
}
