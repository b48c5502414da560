//! Spans as data, which only the reader of `plugin-api` can make.

use spandrel_plugin_api::wire::field::{self, FLAGS_HAS_IS_REMOTE, FLAGS_IS_REMOTE};
use spandrel_plugin_api::wire::put_bytes;
use spandrel_plugin_api::{Event, EventData, Link, LinkData, SpanContext, SpanData, SpanReader, SpanStart};

/// A span as it starts, without attributes, links and resource.
pub(crate) fn span_of(start: &SpanStart<'_>) -> SpanData {
    let mut span = read();
    span.events.clear();
    span.links.clear();
    span.trace_id = start.context.trace_id();
    span.span_id = start.context.span_id();
    span.flags = u32::from(start.context.flags().bits());
    span.parent_span_id = start.parent.map(SpanContext::span_id);
    span.has_remote_parent = start.parent.is_some_and(SpanContext::is_remote);
    start.context.trace_state().as_str().clone_into(&mut span.trace_state);
    start.name.clone_into(&mut span.name);
    span.kind = start.kind;
    span.start = start.time;
    start.scope.name.clone_into(&mut span.scope_name);
    start.scope.version.clone_into(&mut span.scope_version);
    span
}

/// An event without attributes.
pub(crate) fn event_of(event: &Event<'_>) -> EventData {
    let mut data = read().events.remove(0);
    event.name.clone_into(&mut data.name);
    data.time = event.time;
    data
}

/// A link without attributes.
pub(crate) fn link_of(link: &Link<'_>) -> LinkData {
    let mut data = read().links.remove(0);
    let remote = if link.context.is_remote() { FLAGS_IS_REMOTE } else { 0 };
    data.trace_id = link.context.trace_id();
    data.span_id = link.context.span_id();
    data.flags = u32::from(link.context.flags().bits()) | FLAGS_HAS_IS_REMOTE | remote;
    link.context.trace_state().as_str().clone_into(&mut data.trace_state);
    data
}

/// A span with an event and a link and nothing else.
fn read() -> SpanData {
    let span = nested(nested(Vec::new(), field::SPAN_EVENTS), field::SPAN_LINKS);
    let scope = nested_in(&span, field::SCOPE_SPANS_SPANS);
    let resource = nested_in(&scope, field::RESOURCE_SPANS_SCOPE_SPANS);
    let request = nested_in(&resource, field::REQUEST_RESOURCE_SPANS);
    let parts = [&request[..]];
    let span = SpanReader::new(&parts).next().expect("there is a span").expect("it is well-formed");
    SpanData::from(&span)
}

/// The message with an empty one added.
fn nested(mut message: Vec<u8>, number: u32) -> Vec<u8> {
    put_bytes(&mut message, number, &[]);
    message
}

fn nested_in(message: &[u8], number: u32) -> Vec<u8> {
    let mut outer = Vec::new();
    put_bytes(&mut outer, number, message);
    outer
}
