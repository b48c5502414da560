use std::time::{Duration, Instant};

use spandrel_plugin_api::{Attribute, Error, ErrorKind, Event, Link, Status};

use crate::fixture::{END, LATER, context, record, span_id, start};
use crate::subject::Subject;
use crate::trial::LONG;

/// What a call may take beyond its deadline, on a busy machine.
const MARGIN: Duration = Duration::from_secs(10);

/// A flush delivers everything that ended before it, and nothing twice.
///
/// Source: [`force_flush`](spandrel_plugin_api::TracingProvider::force_flush).
pub fn a_flush_delivers_what_ended_before(subject: &Subject) {
    subject.promises("a flush delivers what ended before", |trial| {
        let running_id = context(100);
        let running = trial.provider().start_span(&start("running", &running_id));
        for n in 1..=5 {
            record(trial.provider(), n);
            let Some(spans) = trial.delivered() else { continue };
            let found: Vec<_> = spans.iter().map(|span| span.span_id).collect();
            assert_eq!(found, (1..=n).map(span_id).collect::<Vec<_>>(), "delivered by flush {n}");
        }
        trial.provider().end_span(running, END);
        let spans = trial.delivered();
        assert_eq!(spans.map_or(6, |spans| spans.len()), 6, "spans delivered in the end");
        trial.check_recorded(6);
    });
}

/// A flush and a shutdown return within their deadline and say `Timeout` if it
/// was too short; what they left is delivered by the next one.
///
/// Source: [`force_flush`](spandrel_plugin_api::TracingProvider::force_flush),
/// [`shutdown`](spandrel_plugin_api::TracingProvider::shutdown).
pub fn deadlines_are_kept(subject: &Subject) {
    subject.promises("deadlines are kept", |trial| {
        let deadlines = [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(100), LONG];
        for (n, deadline) in (1..).zip(deadlines) {
            record(trial.provider(), n);
            check_returns(deadline, || trial.provider().force_flush(deadline));
        }
        if let Some(spans) = trial.delivered() {
            assert_eq!(spans.len(), deadlines.len(), "spans delivered by the flush with a long deadline");
        }
        for deadline in deadlines {
            let trial = trial.another();
            record(trial.provider(), 1);
            check_returns(deadline, || trial.provider().shutdown(deadline));
            let _ = check_in_time(LONG, || trial.provider().shutdown(LONG));
            trial.check_recorded(1);
            let spans = trial.read();
            assert!(spans.is_none_or(|spans| spans.len() <= 1), "a span was delivered twice");
        }
    });
}

/// A deadline that is further away than a clock can say is a deadline.
///
/// Source: the methods take any [`Duration`]; "Nothing on the way of a span
/// panics".
pub fn deadlines_may_be_of_any_length(subject: &Subject) {
    subject.promises("deadlines may be of any length", |trial| {
        record(trial.provider(), 1);
        trial.provider().force_flush(Duration::MAX).expect("a flush with all the time there is succeeds");
        trial.check_recorded(1);
        let spans = trial.read();
        assert_eq!(spans.map_or(1, |spans| spans.len()), 1, "spans delivered by the flush");
        record(trial.provider(), 2);
        trial.provider().shutdown(Duration::MAX).expect("a shutdown with all the time there is succeeds");
        let spans = trial.read();
        assert_eq!(spans.map_or(2, |spans| spans.len()), 2, "spans delivered by the shutdown");
    });
}

/// A shutdown delivers what has ended, without a flush before it; further ones
/// return at once and change nothing.
///
/// Source: [`shutdown`](spandrel_plugin_api::TracingProvider::shutdown): "A second call is harmless";
/// OpenTelemetry specification, Trace SDK, "Shutdown": "MUST include the effects
/// of ForceFlush".
pub fn shutdown_delivers_and_stops(subject: &Subject) {
    subject.promises("shutdown delivers and stops", |trial| {
        let provider = trial.provider();
        (1..=3).for_each(|n| record(provider, n));
        provider.shutdown(LONG).expect("a shutdown with a long deadline succeeds");
        for again in [LONG, Duration::ZERO, LONG] {
            trial.check_recorded(3);
            if let Some(stats) = trial.stats() {
                assert_eq!((stats.pending(), stats.dropped()), (0, 0), "pending and dropped after shutdown ({stats})");
            }
            if let Some(spans) = trial.read() {
                let found: Vec<_> = spans.iter().map(|span| span.span_id).collect();
                assert_eq!(found, [1, 2, 3].map(span_id), "spans delivered by shutdown");
            }
            // Whether it succeeds or says that there is nothing to shut down is up to it.
            let _ = check_in_time(again, || provider.shutdown(again));
        }
    });
}

/// After shutdown every call still works and does nothing; a span that ends then
/// is counted as dropped and is not delivered.
///
/// Source: [`Dropped::after_shutdown`](spandrel_plugin_api::Dropped); OpenTelemetry
/// specification, Trace SDK, "Shutdown": "SDKs SHOULD return a valid no-op Tracer".
pub fn what_ends_after_shutdown_is_counted_not_delivered(subject: &Subject) {
    subject.promises("what ends after shutdown is counted and not delivered", |trial| {
        let provider = trial.provider();
        record(provider, 1);
        let id = context(2);
        let mut running = provider.start_span(&start("started before shutdown", &id));
        provider.shutdown(LONG).expect("a shutdown with a long deadline succeeds");

        provider.set_span_name(&mut running, "renamed");
        provider.set_span_status(&mut running, Status::Error("late"));
        provider.add_span_attributes(&mut running, &[Attribute::new("late", &true)]);
        provider.add_span_event(&mut running, &Event { name: "late", time: LATER, attributes: &[] });
        provider.add_span_link(&mut running, &Link { context: &id, attributes: &[] });
        provider.enter_span(&mut running);
        provider.exit_span(&mut running);
        provider.end_span(running, END);
        record(provider, 3);
        let _ = check_in_time(LONG, || provider.force_flush(LONG));
        provider.retire();
        record(provider, 4);
        let _ = check_in_time(LONG, || provider.shutdown(LONG));

        trial.check_recorded(4);
        for branch in trial.stats().map(|stats| stats.branches).unwrap_or_default() {
            let found = (branch.exported, branch.dropped.after_shutdown, branch.pending);
            assert_eq!(found, (1, 3, 0), "exported, dropped after shutdown and pending in branch {}", branch.name);
        }
        if let Some(spans) = trial.read() {
            let found: Vec<_> = spans.iter().map(|span| span.span_id).collect();
            assert_eq!(found, [span_id(1)], "delivered, also by a shutdown that was repeated");
        }
    });
}

/// Each span that ended is counted as recorded, and after a flush in each branch
/// as exported or dropped.
///
/// Source: [`Stats`](spandrel_plugin_api::Stats).
pub fn statistics_account_for_every_span(subject: &Subject) {
    subject.promises("statistics account for every span", |trial| {
        trial.check_recorded(0);
        let ids = [context(1), context(2)];
        let running = ids.each_ref().map(|id| trial.provider().start_span(&start("running", id)));
        let _ = trial.delivered();
        trial.check_recorded(0);
        for (n, span) in (1..).zip(running) {
            trial.provider().end_span(span, END);
            (1..=10).for_each(|i| record(trial.provider(), 100 * n + i));
        }
        trial.check_recorded(22);
        let _ = trial.delivered();
        trial.check_recorded(22);
        let Some(stats) = trial.stats() else { return };
        assert!(!stats.branches.is_empty(), "there is no branch ({stats})");
        for branch in &stats.branches {
            assert_eq!((branch.exported, branch.dropped.total()), (22, 0), "exported and dropped ({stats})");
            assert!(!branch.name.is_empty(), "a branch has no name ({stats})");
        }
    });
}

/// Fails unless the call returns within its deadline, and if it is long, succeeds.
fn check_returns(deadline: Duration, call: impl FnOnce() -> Result<(), Error>) {
    match check_in_time(deadline, call) {
        Ok(()) => {}
        // What did not get through in so short a time is late, kept for later, or lost.
        Err(error) if deadline < LONG && is_shortfall(error.kind()) => {}
        Err(error) => panic!("a call with the deadline {deadline:?} failed: {error}"),
    }
}

fn is_shortfall(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::SpansLost)
}

fn check_in_time(deadline: Duration, call: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
    let began = Instant::now();
    let result = call();
    let took = began.elapsed();
    assert!(took <= deadline + MARGIN, "a call with the deadline {deadline:?} took {took:?}");
    result
}
