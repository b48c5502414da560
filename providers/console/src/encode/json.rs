use serde::Serialize;
use spandrel_plugin_api::json::{PlainAttributes, write};
use spandrel_plugin_api::{EventView, LinkView, SpanView, Status};

use super::{SERVICE_NAME, UNKNOWN_SERVICE};
use crate::text::json_for_terminals;

/// A span as a line with a JSON object.
pub(crate) fn json(span: &SpanView<'_>) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes, &Span::from(span));
    json_for_terminals(&String::from_utf8_lossy(&bytes)) + "\n"
}

#[derive(Serialize)]
struct Span<'a> {
    name: &'a str,
    trace_id: String,
    span_id: String,
    parent_span_id: Option<String>,
    kind: &'static str,
    service: &'a str,
    start: u64,
    duration_ns: u64,
    status: &'static str,
    status_message: Option<&'a str>,
    attributes: PlainAttributes<'a>,
    events: Vec<Event<'a>>,
    links: Vec<Link<'a>>,
}

#[derive(Serialize)]
struct Event<'a> {
    name: &'a str,
    time: u64,
    attributes: PlainAttributes<'a>,
}

#[derive(Serialize)]
struct Link<'a> {
    trace_id: String,
    span_id: String,
    attributes: PlainAttributes<'a>,
}

impl<'a> From<&SpanView<'a>> for Span<'a> {
    fn from(span: &SpanView<'a>) -> Self {
        let (status, message) = match span.status() {
            Status::Unset => ("unset", ""),
            Status::Ok => ("ok", ""),
            Status::Error(message) => ("error", message),
        };
        let service = span.resource().into_iter().find(|(key, _)| *key == SERVICE_NAME);
        Self {
            name: span.name(),
            trace_id: span.trace_id().to_string(),
            span_id: span.span_id().to_string(),
            parent_span_id: span.parent_span_id().map(|id| id.to_string()),
            kind: span.kind().as_str(),
            service: service.and_then(|(_, name)| name.as_str()).unwrap_or(UNKNOWN_SERVICE),
            start: span.start().unix_nanos(),
            duration_ns: span.duration_nanos(),
            status,
            status_message: Some(message).filter(|message| !message.is_empty()),
            attributes: PlainAttributes(span.attributes()),
            events: span.events().map(Event::from).collect(),
            links: span.links().map(Link::from).collect(),
        }
    }
}

impl<'a> From<EventView<'a>> for Event<'a> {
    fn from(event: EventView<'a>) -> Self {
        Self { name: event.name(), time: event.time().unix_nanos(), attributes: PlainAttributes(event.attributes()) }
    }
}

impl<'a> From<LinkView<'a>> for Link<'a> {
    fn from(link: LinkView<'a>) -> Self {
        Self {
            trace_id: link.trace_id().to_string(),
            span_id: link.span_id().to_string(),
            attributes: PlainAttributes(link.attributes()),
        }
    }
}
