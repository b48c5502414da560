use spandrel_plugin_api::{Event, SpanStart, Timestamp};

use crate::fixture::{at, context, start};
use crate::subject::Subject;

/// Start, end and the times of events arrive to the nanosecond, also those of
/// events outside the span.
///
/// Source: [`Timestamp`]; OpenTelemetry protocol, `Span`:
/// `start_time_unix_nano`, `end_time_unix_nano`.
pub fn timestamps_are_exact(subject: &Subject) {
    subject.promises("timestamps are exact", |trial| {
        let day = 86_400_000_000_000;
        let now = 1_755_358_027_073_000_001;
        let times = [(now, now), (now, now + 1), (now - 1, now + day), (1, 999), (i64::MAX as u64, u64::MAX)];
        let provider = trial.provider();
        for (n, (began, ended)) in (1..).zip(times) {
            let id = context(n);
            let mut span = provider.start_span(&SpanStart { time: at(began), ..start("times", &id) });
            for time in [began, ended, began - 1] {
                provider.add_span_event(&mut span, &Event { name: "event", time: at(time), attributes: &[] });
            }
            provider.end_span(span, at(ended));
        }
        let Some(spans) = trial.delivered() else { return };
        let found: Vec<_> = spans.iter().map(|span| (span.start.unix_nanos(), span.end.unix_nanos())).collect();
        assert_eq!(found, times, "start and end");
        for (span, (began, ended)) in spans.iter().zip(times) {
            let found: Vec<_> = span.events.iter().map(|event| event.time.unix_nanos()).collect();
            assert_eq!(found, [began, ended, began - 1], "times of events");
        }
    });
}

/// A span whose clock was set back meanwhile has no negative duration, and its
/// start stays.
///
/// Source: OpenTelemetry protocol, `Span.end_time_unix_nano`: "it is expected that
/// end_time >= start_time".
pub fn an_end_before_the_start_is_no_negative_duration(subject: &Subject) {
    subject.promises("an end before the start is no negative duration", |trial| {
        let began = 1_755_358_027_073_000_001;
        let provider = trial.provider();
        for (n, ended) in (1..).zip([began - 1, 1, 0]) {
            let id = context(n);
            let span = provider.start_span(&SpanStart { time: at(began), ..start("back", &id) });
            provider.end_span(span, Timestamp::from_unix_nanos(ended));
        }
        let Some(spans) = trial.delivered() else { return };
        assert_eq!(spans.len(), 3, "spans delivered");
        for span in &spans {
            assert_eq!(span.start.unix_nanos(), began, "the start");
            assert!(span.end >= span.start, "it ends {} ns early", began - span.end.unix_nanos());
        }
    });
}
