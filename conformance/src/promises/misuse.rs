use std::thread;

use spandrel_plugin_api::{
    Attribute, Event, Link, OwnedAttribute, SpanState, Status, StatusData, Timestamp, TracingProvider,
};

use crate::fixture::{END, LATER, check_attributes, context, name, record_with, span_id, start};
use crate::subject::Subject;

/// Span states that the provider did not make are ignored in every method.
///
/// Source: [`SpanState`]: a host whose provider panicked in `start_span` has
/// nothing else to hand in; "nothing on the path of a span panics".
pub fn foreign_span_states_are_harmless(subject: &Subject) {
    struct Foreign(#[expect(dead_code, reason = "a provider must not look at it")] String);

    subject.promises("span states of others are harmless", |trial| {
        let provider = trial.provider();
        let states: [fn() -> SpanState; 5] = [
            SpanState::none,
            || SpanState::token(42),
            || SpanState::token(u64::MAX),
            || SpanState::boxed(Box::new(Foreign("not a span".to_owned()))),
            || SpanState::boxed(Box::new(())),
        ];
        for state in states {
            let mut span = state();
            write_all(provider, &mut span);
            provider.enter_span(&mut span);
            provider.exit_span(&mut span);
            provider.end_span(span, END);
            provider.end_span(state(), Timestamp::default());
        }
        record_with(provider, 1, |span| write_all(provider, span));
        let Some(span) = trial.only_span() else { return };
        assert_eq!((span.span_id, &*span.name, &span.status), (span_id(1), "written", &StatusData::Ok));
        check_attributes(&span.attributes, &[OwnedAttribute::new("key", "value")]);
        assert_eq!((span.events.len(), span.links.len()), (1, 1), "events and links");
    });
}

/// Spans are entered and left in any order, too often, not often enough, on
/// several threads and while they end; they arrive with all that was written.
///
/// Source: [`enter_span`](TracingProvider::enter_span): "Brackets nest like calls
/// except when the service drops its guards out of order".
pub fn brackets_in_any_order_are_harmless(subject: &Subject) {
    subject.promises("brackets in any order are harmless", |trial| {
        let provider = trial.provider();
        let ids = [1, 2, 3].map(context);
        let [mut a, mut b, mut c] = ids.each_ref().map(|id| provider.start_span(&start("brackets", id)));
        // Left without being entered; nested; crossed; twice; and again after that.
        provider.exit_span(&mut a);
        provider.enter_span(&mut a);
        provider.enter_span(&mut b);
        provider.exit_span(&mut b);
        provider.enter_span(&mut b);
        provider.exit_span(&mut a);
        provider.enter_unsampled(&ids[2]);
        provider.exit_span(&mut b);
        provider.exit_unsampled(&ids[2]);
        provider.exit_unsampled(&ids[2]);
        provider.enter_span(&mut a);
        provider.enter_span(&mut a);
        provider.exit_span(&mut a);
        // Entered here, left and ended elsewhere.
        provider.enter_span(&mut b);
        provider.enter_span(&mut c);
        thread::scope(|scope| {
            scope.spawn(|| {
                provider.exit_span(&mut b);
                provider.enter_span(&mut b);
                write_all(provider, &mut b);
                provider.end_span(b, END);
            });
        });
        for mut span in [c, a] {
            write_all(provider, &mut span);
            provider.end_span(span, END);
        }
        record_with(provider, 4, |span| {
            provider.enter_span(span);
            provider.exit_span(span);
        });
        let Some(spans) = trial.delivered() else { return };
        let found: Vec<_> = spans.iter().map(|span| (span.span_id, &*span.name)).collect();
        let last = name(4);
        let expected = [(1, "written"), (2, "written"), (3, "written"), (4, last.as_str())];
        assert_eq!(found, expected.map(|(n, name)| (span_id(n), name)), "spans delivered");
        for span in &spans[..3] {
            check_attributes(&span.attributes, &[OwnedAttribute::new("key", "value")]);
        }
        assert!(spans.iter().all(|span| span.parent_span_id.is_none()), "the parent is that of the start");
    });
}

/// Calls every method that writes on a span.
fn write_all(provider: &dyn TracingProvider, span: &mut SpanState) {
    let attributes = [Attribute::new("key", "value")];
    let other = context(9);
    provider.set_span_name(span, "written");
    provider.set_span_status(span, Status::Ok);
    provider.add_span_attributes(span, &attributes);
    provider.add_span_event(span, &Event { name: "event", time: LATER, attributes: &attributes });
    provider.add_span_link(span, &Link { context: &other, attributes: &attributes });
}
