use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use spandrel_plugin_api::{
    Attribute, Event, InstrumentationScope, Link, SpanKind, SpanStart, SpanState, Status, StatusData, TraceState,
};

use crate::fixture::{
    END, LATER, START, at, check_attributes, context, context_in, name, record, record_with, span_id, start,
};
use crate::subject::Subject;
use crate::trial::{LONG, Trial};

/// Spans end in any order: a parent before its children, or all in turns.
///
/// Source: [`end_span`](spandrel_plugin_api::TracingProvider::end_span);
/// OpenTelemetry specification, Trace API, "End": "MUST NOT have any effects on
/// child spans".
pub fn spans_may_end_in_any_order(subject: &Subject) {
    const DEPTH: u64 = 200;
    subject.promises("spans may end in any order", |trial| {
        let provider = trial.provider();
        let ids: Vec<_> = (0..DEPTH).map(|n| context_in(1, n)).collect();
        let mut running: Vec<Option<SpanState>> = Vec::new();
        for (n, id) in ids.iter().enumerate() {
            let parent = n.checked_sub(1).map(|above| &ids[above]);
            running.push(Some(provider.start_span(&SpanStart { parent, ..start(&name(n as u64), id) })));
        }
        // 77 and the depth have no common divisor, so each one ends once; a
        // flush in between must not give a parent what belongs to a child.
        for i in 0..DEPTH {
            let n = i * 77 % DEPTH;
            let Some(mut span) = running[n as usize].take() else { panic!("span {n} twice") };
            provider.add_span_attributes(&mut span, &[Attribute::new("number", &n)]);
            provider.end_span(span, at(END.unix_nanos() + i));
            if i % 50 == 0 {
                let _ = trial.delivered();
            }
        }
        let spans = trial.delivered();
        trial.check_recorded(DEPTH);
        let Some(spans) = spans else { return };
        assert_eq!(spans.len() as u64, DEPTH, "spans delivered");
        for (n, span) in (0..).zip(&spans) {
            assert_eq!((span.span_id, &span.name), (span_id(n), &name(n)), "span {n}");
            assert_eq!(span.parent_span_id, n.checked_sub(1).map(span_id), "parent of span {n}");
            check_attributes(&span.attributes, &[spandrel_plugin_api::OwnedAttribute::new("number", n)]);
        }
    });
}

/// What one span had is not found in the next, which may use its memory again.
///
/// Source: [`start_span`](spandrel_plugin_api::TracingProvider::start_span) begins
/// a span with what it is given.
pub fn nothing_of_a_span_is_left_in_the_next(subject: &Subject) {
    subject.promises("nothing of a span is left in the next", |trial| {
        let provider = trial.provider();
        let parent = context(50).with_remote(true);
        let state = TraceState::parse("a=1").expect("a trace state by the rules");
        let attributes = [Attribute::new("a", &1), Attribute::new("b", "2")];
        for n in [1, 3] {
            let id = context(n).with_trace_state(state.clone());
            let links = [Link { context: &parent, attributes: &attributes }];
            let mut full = provider.start_span(&SpanStart {
                parent: Some(&parent),
                kind: SpanKind::Server,
                attributes: &attributes,
                links: &links,
                scope: InstrumentationScope { name: "full", version: "9" },
                ..start("a name that is longer than the next one", &id)
            });
            // More than any limit, so that something is dropped as well.
            for _ in 0..1000 {
                provider.add_span_event(&mut full, &Event { name: "event", time: LATER, attributes: &attributes });
            }
            provider.set_span_status(&mut full, Status::Error("text"));
            provider.end_span(full, END);
            record(provider, n + 1);
        }
        let Some(spans) = trial.delivered() else { return };
        assert_eq!(spans.len(), 4, "spans delivered");
        for (span, n) in [(&spans[1], 2), (&spans[3], 4)] {
            assert_eq!((&span.name, span.kind, &span.status), (&name(n), SpanKind::Internal, &StatusData::Unset));
            assert_eq!((span.parent_span_id, span.has_remote_parent), (None, false), "parent");
            assert_eq!((&*span.trace_state, &*span.scope_name), ("", "conformance"), "trace state and scope");
            assert_eq!((span.attributes.len(), span.events.len(), span.links.len()), (0, 0, 0), "parts");
            assert_eq!(span.dropped_counts, (0, 0, 0), "counts of dropped parts");
            assert_eq!((span.start, span.end), (START, END), "times");
        }
    });
}

/// A span that is dropped without an end is neither delivered nor counted.
///
/// Source: [`Stats::recorded`](spandrel_plugin_api::Stats): "Sampled spans that
/// ended"; [`SpanState`] has no other duty.
pub fn a_span_dropped_without_an_end_counts_nowhere(subject: &Subject) {
    subject.promises("a span that is dropped without an end counts nowhere", |trial| {
        let provider = trial.provider();
        for n in 1..=20 {
            let id = context(n);
            let mut span = provider.start_span(&start("never ends", &id));
            provider.add_span_attributes(&mut span, &[Attribute::new("never", &true)]);
            match n % 3 {
                0 => drop(span),
                1 => provider.enter_span(&mut span),
                _ => thread::scope(|scope| drop(scope.spawn(move || drop(span)))),
            }
        }
        record(provider, 21);
        let span = trial.only_span();
        trial.check_recorded(1);
        assert!(span.is_none_or(|span| span.span_id == span_id(21)), "another span was delivered");
    });
}

/// Two instances share nothing: spans, statistics and shutdown are each one's own.
///
/// Source: [`ProviderFactory::create`](spandrel_plugin_api::ProviderFactory::create)
/// makes a provider at each call.
pub fn instances_are_independent(subject: &Subject) {
    subject.promises("instances are independent", |first| {
        let second = first.another();
        for n in 0..100 {
            record(first.provider(), 2 * n);
            record_with(second.provider(), 2 * n + 1, |_| record(first.provider(), 1000 + n));
        }
        let found = first.delivered().map(|spans| spans.len());
        assert!(found.is_none_or(|found| found == 200), "{found:?} of the 200 spans of the first were delivered");
        first.check_recorded(200);
        first.provider().shutdown(LONG).expect("a shutdown with a long deadline succeeds");

        record(second.provider(), 3000);
        let Some(spans) = second.delivered() else { return second.check_recorded(101) };
        second.check_recorded(101);
        let expected = (0..100).map(|n| 2 * n + 1).chain([3000]).map(span_id);
        assert!(spans.iter().map(|span| span.span_id).eq(expected), "the second has spans that are not its own");
        assert_eq!(first.read().map_or(0, |spans| spans.len()), 200, "spans of the first in the end");
    });
}

/// A span that ends after its provider was retired is delivered by a flush.
///
/// Source: [`retire`](spandrel_plugin_api::TracingProvider::retire): "running ones
/// may still end".
pub fn a_retired_provider_delivers_late_spans(subject: &Subject) {
    subject.promises("a retired provider delivers late spans", |trial| {
        let provider = trial.provider();
        record(provider, 1);
        let ids = [context(2), context(3)];
        let [first, second] = ids.each_ref().map(|id| provider.start_span(&start("late", id)));
        provider.retire();
        provider.end_span(first, END);
        assert_eq!(trial.delivered().map_or(2, |spans| spans.len()), 2, "spans delivered after it was retired");
        provider.retire();
        thread::scope(|scope| drop(scope.spawn(move || provider.end_span(second, END))));
        assert_eq!(trial.delivered().map_or(3, |spans| spans.len()), 3, "spans delivered after it was retired twice");
        trial.check_recorded(3);
        provider.shutdown(LONG).expect("a shutdown with a long deadline succeeds");
        trial.check_recorded(3);
    });
}

/// A retired provider delivers a late span by itself: nobody flushes it any more.
///
/// Source: as for [`a_retired_provider_delivers_late_spans`].
pub fn a_retired_provider_needs_no_flush(subject: &Subject) {
    const ATTEMPTS: usize = 400;
    subject.promises("a retired provider needs no flush", |trial| {
        let mut late: Vec<Trial> = Vec::new();
        for i in 0..ATTEMPTS {
            let trial = trial.another();
            let id = context(1);
            let span = trial.provider().start_span(&start("late", &id));
            record(trial.provider(), 2);
            if i % 10 > 0 {
                let _ = trial.delivered();
            }
            trial.provider().retire();
            // Each time a little later, to meet it at whatever it does then.
            (0..i * 20).for_each(|_| std::hint::spin_loop());
            trial.provider().end_span(span, END);
            late.push(trial);
            late.retain(misses_a_span);
        }
        let time = trial.patience() / 4;
        let until = Instant::now() + time;
        while !late.is_empty() {
            assert!(Instant::now() < until, "{} of {ATTEMPTS} were not delivered within {time:?}", late.len());
            // There is no other way to tell than to look again.
            thread::yield_now();
            late.retain(misses_a_span);
        }
    });
}

fn misses_a_span(trial: &Trial) -> bool {
    trial.peek().iter().any(|spans| spans.len() < 2)
}

/// A provider that is dropped without a shutdown, with spans that have ended and
/// spans that run, does not hang and delivers none twice.
///
/// Source: `Drop` has no deadline, so it must have one of its own.
pub fn a_dropped_provider_does_not_hang(subject: &Subject) {
    subject.promises("a dropped provider does not hang", |trial| {
        for ended in [0, 1, 1000] {
            let trial = trial.another();
            let id = context(5000);
            let running = trial.provider().start_span(&start("running", &id));
            (0..ended).for_each(|n| record(trial.provider(), n));
            // On another thread: the one that drops it need not be one that used it.
            let (dropped, wait) = channel();
            thread::spawn(move || dropped.send(trial.drop_provider()));
            let branches = wait.recv().expect("the provider can be dropped");
            drop(running);
            for spans in branches {
                let is_own = spans.iter().all(|span| (0..ended).map(span_id).any(|id| id == span.span_id));
                assert!(is_own, "a span was delivered that did not end");
                let twice = spans.windows(2).any(|pair| pair[0].span_id == pair[1].span_id);
                assert!(!twice, "a span was delivered twice");
            }
        }
    });
}
