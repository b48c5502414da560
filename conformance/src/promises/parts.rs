use spandrel_plugin_api::wire::field::{FLAGS_HAS_IS_REMOTE, FLAGS_IS_REMOTE};
use spandrel_plugin_api::{
    Attribute, Event, Link, OwnedAttribute, OwnedValue, SpanContext, SpanId, SpanStart, TraceFlags, TraceState,
};

use crate::fixture::{END, LATER, START, at, check_attributes, context, record_with, start};
use crate::subject::Subject;

/// Events arrive in the order in which they were added, whatever their times,
/// each with its name, its time and its attributes.
///
/// Source: [`add_span_event`](spandrel_plugin_api::TracingProvider::add_span_event);
/// OpenTelemetry specification, Trace API, "Add Events": "Events SHOULD preserve
/// the order in which they are recorded".
pub fn events_arrive_in_their_order(subject: &Subject) {
    subject.promises("events arrive in their order", |trial| {
        let provider = trial.provider();
        let time_of = |i: i64| at(LATER.unix_nanos() + (i * 7919 % 100) as u64);
        record_with(provider, 1, |span| {
            for i in 0..100 {
                let name = if i % 10 == 0 { "the same".to_owned() } else { format!("event {i}") };
                let both = [Attribute::new("number", &i), Attribute::new("name", &name)];
                let attributes = &both[..(i % 3) as usize];
                provider.add_span_event(span, &Event { name: &name, time: time_of(i), attributes });
            }
        });
        let Some(span) = trial.only_span() else { return };
        assert_eq!(span.events.len(), 100, "events");
        for (i, event) in (0..).zip(&span.events) {
            let name = if i % 10 == 0 { "the same".to_owned() } else { format!("event {i}") };
            let both = [OwnedAttribute::new("number", i), OwnedAttribute::new("name", name.as_str())];
            assert_eq!((&event.name, event.time), (&name, time_of(i)), "name and time of event {i}");
            check_attributes(&event.attributes, &both[..(i % 3) as usize]);
            assert_eq!(event.dropped_attributes, 0, "attributes dropped");
        }
    });
}

/// Links arrive in their order, those from the start first, each with ids, flags,
/// trace state, attributes and whether the other span is remote.
///
/// Source: [`add_span_link`](spandrel_plugin_api::TracingProvider::add_span_link);
/// OpenTelemetry specification, Trace API, "Link": "Span SHOULD preserve the order
/// in which Links are set"; OpenTelemetry protocol, `Link.flags`.
pub fn links_arrive(subject: &Subject) {
    subject.promises("links arrive", |trial| {
        let state = TraceState::parse("a=1,b=2").expect("a trace state by the rules");
        let unsampled = SpanContext::new(context(9).trace_id(), SpanId::from_bytes([9; 8]), TraceFlags::RANDOM);
        let contexts =
            [context(2), context(3).with_remote(true), context(4).with_trace_state(state).with_remote(true), unsampled];
        let why = [Attribute::new("why", "retry"), Attribute::new("attempt", &2)];
        let links: Vec<Link<'_>> =
            contexts.iter().zip(0..).map(|(context, i)| Link { context, attributes: &why[..i % 3] }).collect();
        let id = context(1);
        let provider = trial.provider();
        let mut span = provider.start_span(&SpanStart { links: &links[..2], ..start("links", &id) });
        links[2..].iter().for_each(|link| provider.add_span_link(&mut span, link));
        provider.end_span(span, END);

        let Some(span) = trial.only_span() else { return };
        assert_eq!(span.links.len(), links.len(), "links");
        for (found, link) in span.links.iter().zip(&links) {
            let expected = link.context;
            assert_eq!((found.trace_id, found.span_id), (expected.trace_id(), expected.span_id()), "ids");
            assert_eq!(found.trace_state, expected.trace_state().as_str(), "trace state");
            let remote = if expected.is_remote() { FLAGS_IS_REMOTE } else { 0 };
            let flags = u32::from(expected.flags().bits()) | FLAGS_HAS_IS_REMOTE | remote;
            assert_eq!(found.flags, flags, "flags, and whether it is remote");
            let attributes: Vec<OwnedAttribute> = link.attributes.iter().map(Attribute::to_owned).collect();
            check_attributes(&found.attributes, &attributes);
        }
    });
}

/// Of 1,000 attributes, events and links each one arrives or is counted in the
/// span as dropped; what arrives is unchanged.
///
/// Source: [`SpanData::dropped_counts`](spandrel_plugin_api::SpanData); OpenTelemetry specification,
/// Trace SDK, "Span Limits": "Counts for attributes, events and links dropped due
/// to collection limits MUST be available for exporters to report".
pub fn what_a_limit_keeps_out_is_counted_in_the_span(subject: &Subject) {
    const MANY: i64 = 1000;
    subject.promises("what a limit keeps out is counted in the span", |trial| {
        let keys: Vec<String> = (0..MANY).map(|i| format!("key {i}")).collect();
        let numbers: Vec<i64> = (0..MANY).collect();
        let attributes: Vec<Attribute<'_>> = keys.iter().zip(&numbers).map(|(k, v)| Attribute::new(k, v)).collect();
        let other = context(2);
        let provider = trial.provider();
        record_with(provider, 1, |span| {
            attributes.chunks(7).for_each(|some| provider.add_span_attributes(span, some));
            for _ in 1..MANY {
                provider.add_span_event(span, &Event { name: "small", time: START, attributes: &[] });
                provider.add_span_link(span, &Link { context: &other, attributes: &[] });
            }
        });
        record_with(provider, 2, |span| {
            provider.add_span_event(span, &Event { name: "large", time: START, attributes: &attributes });
            provider.add_span_link(span, &Link { context: &other, attributes: &attributes });
        });

        let Some(spans) = trial.delivered() else { return };
        let [wide, deep] = spans.as_slice() else { panic!("{} spans of 2 were delivered", spans.len()) };
        let (dropped_attributes, dropped_events, dropped_links) = wide.dropped_counts;
        check_numbered(&wide.attributes, dropped_attributes, MANY as usize);
        assert_eq!(wide.events.len() + dropped_events as usize, MANY as usize - 1, "events kept and dropped");
        assert_eq!(wide.links.len() + dropped_links as usize, MANY as usize - 1, "links kept and dropped");
        let (event, link) = (&deep.events[0], &deep.links[0]);
        check_numbered(&event.attributes, event.dropped_attributes, MANY as usize);
        check_numbered(&link.attributes, link.dropped_attributes, MANY as usize);
    });
}

/// Fails unless so many attributes are there or dropped, each with its number.
fn check_numbered(attributes: &[OwnedAttribute], dropped: u32, total: usize) {
    assert_eq!(attributes.len() + dropped as usize, total, "attributes kept and dropped");
    for OwnedAttribute { key, value } in attributes {
        let OwnedValue::I64(number) = value else { panic!("{key} is {value:?}") };
        assert_eq!(*key, format!("key {number}"), "key and value belong together");
    }
}
