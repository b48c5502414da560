//! Renders spans in each format.

mod json;

use std::borrow::Cow;

use spandrel_plugin_api::{OwnedAttribute, OwnedValue, SpanData, SpanKind, StatusData};

use crate::pen::{Pen, Style};
use crate::pending::Trace;
use crate::text::{duration, label, offset, pair, quoted, word};
use crate::tree::{Node, guides, rows};

pub(crate) use json::json;

const SERVICE_NAME: &str = "service.name";
const UNKNOWN_SERVICE: &str = "unknown_service";

/// A trace as a tree, with an empty line behind it.
pub(crate) fn tree(trace: &Trace, is_colored: bool) -> String {
    let rows = rows(&trace.spans);
    let services = distinct(rows.iter().filter_map(|row| match row.node {
        Node::Span { span, .. } => Some(service(span)),
        Node::Missing { .. } => None,
    }));

    let mut pen = Pen::new(is_colored);
    header(&mut pen, trace, &services);
    for (row, guides) in rows.iter().zip(guides(&rows)) {
        pen.start(&guides.first, &guides.rest);
        match row.node {
            Node::Span { span, parent } => {
                let around = parent.map(service).or(services.first().copied());
                span_line(&mut pen, span, around);
                events_and_links(&mut pen, span, &guides.rest);
            }
            Node::Missing { id, is_remote } => {
                let why = match (trace.is_continued, is_remote) {
                    (true, _) => "printed before or not recorded",
                    (false, true) => "in another process",
                    (false, false) => "not ended or not recorded",
                };
                pen.part(0, Style::Dim, &format!("⋯ parent {id} ({why})"));
                pen.end();
            }
        }
    }
    pen.end();
    pen.finish()
}

/// A span as a line of `key=value`.
pub(crate) fn plain(span: &SpanData) -> String {
    let (status, message) = match &span.status {
        StatusData::Unset => ("unset", ""),
        StatusData::Ok => ("ok", ""),
        StatusData::Error(message) => ("error", message.as_str()),
    };
    let start = span.start.unix_nanos();
    let mut parts = vec![
        format!("name={}", word(&span.name)),
        format!("service={}", word(service(span))),
        format!("kind={}", span.kind.as_str()),
        format!("start={}.{:09}", start / 1_000_000_000, start % 1_000_000_000),
        format!("duration={}", compact(&duration(nanos(span)))),
        format!("status={status}"),
        format!("trace_id={}", span.trace_id),
        format!("span_id={}", span.span_id),
    ];
    parts.extend(span.parent_span_id.map(|id| format!("parent_span_id={id}")));
    if !message.is_empty() {
        parts.push(format!("status_message={}", word(message)));
    }
    parts.extend(pairs(&span.attributes));
    parts.extend(span.events.iter().map(|event| {
        let offset = compact(&offset(start, event.time.unix_nanos()));
        format!("event={}", quoted(&with_pairs(format!("{offset} {}", label(&event.name)), &event.attributes)))
    }));
    parts.extend(span.links.iter().map(|link| {
        let ids = format!("{}-{}", link.trace_id, link.span_id);
        format!("link={}", word(&with_pairs(ids, &link.attributes)))
    }));
    parts.join(" ") + "\n"
}

fn header(pen: &mut Pen, trace: &Trace, services: &[&str]) {
    let start = trace.spans.iter().map(|span| span.start.unix_nanos()).min().unwrap_or(0);
    let end = trace.spans.iter().map(|span| span.end.unix_nanos()).max().unwrap_or(0);
    let services: Vec<Cow<'_, str>> = services.iter().map(|service| label(service)).collect();
    let errors = trace.spans.iter().filter(|span| matches!(span.status, StatusData::Error(_))).count();

    pen.start("", "");
    pen.part(0, Style::Plain, &format!("trace {}", trace.id));
    pen.part(2, Style::Cyan, &services.join(", "));
    pen.part(2, Style::Plain, &duration(end.saturating_sub(start)));
    pen.part(2, Style::Plain, &count(trace.spans.len(), "span"));
    let style = if errors > 0 { Style::Red } else { Style::Plain };
    pen.part(2, style, &count(errors, "error"));
    pen.end();
}

/// Writes the line of a span; `around` is the service that need not be named again.
fn span_line(pen: &mut Pen, span: &SpanData, around: Option<&str>) {
    pen.part(0, Style::Bold, &label(&span.name));
    if around != Some(service(span)) {
        pen.part(2, Style::Cyan, &format!("({})", label(service(span))));
    }
    if span.kind != SpanKind::Internal {
        pen.part(2, Style::Plain, span.kind.as_str());
    }
    pen.part(2, Style::Plain, &duration(nanos(span)));
    match &span.status {
        StatusData::Unset => {}
        StatusData::Ok => pen.part(2, Style::Green, "✓"),
        StatusData::Error(message) if message.is_empty() => pen.part(2, Style::Red, "✗"),
        StatusData::Error(message) => pen.part(2, Style::Red, &format!("✗ {}", label(message))),
    }
    attributes(pen, &span.attributes);
    let (attributes, events, links) = span.dropped_counts;
    for (dropped, what) in [(attributes, "attribute"), (events, "event"), (links, "link")] {
        if dropped > 0 {
            pen.part(2, Style::Dim, &format!("({} dropped)", count(dropped as usize, what)));
        }
    }
    pen.end();
}

fn events_and_links(pen: &mut Pen, span: &SpanData, guides: &str) {
    for event in &span.events {
        let offset = offset(span.start.unix_nanos(), event.time.unix_nanos());
        pen.start(guides, guides);
        pen.part(0, Style::Plain, &format!("{offset} {}", label(&event.name)));
        attributes(pen, &event.attributes);
        pen.end();
    }
    for link in &span.links {
        pen.start(guides, guides);
        pen.part(0, Style::Plain, &format!("link to span {} of trace {}", link.span_id, link.trace_id));
        attributes(pen, &link.attributes);
        pen.end();
    }
}

fn attributes(pen: &mut Pen, attributes: &[OwnedAttribute]) {
    for (i, attribute) in pairs(attributes).enumerate() {
        let gap = if i == 0 { 2 } else { 1 };
        pen.part(gap, Style::Dim, &attribute);
    }
}

fn pairs(attributes: &[OwnedAttribute]) -> impl Iterator<Item = String> {
    attributes.iter().map(|attribute| pair(&attribute.key, &attribute.value))
}

fn with_pairs(head: String, attributes: &[OwnedAttribute]) -> String {
    pairs(attributes).fold(head, |text, pair| text + " " + &pair)
}

fn service(span: &SpanData) -> &str {
    let name = span.resource.iter().find(|attribute| attribute.key == SERVICE_NAME);
    match name.map(|attribute| &attribute.value) {
        Some(OwnedValue::Str(name)) => name,
        _ => UNKNOWN_SERVICE,
    }
}

fn nanos(span: &SpanData) -> u64 {
    span.end.unix_nanos().saturating_sub(span.start.unix_nanos())
}

/// A duration in one word of ASCII.
fn compact(duration: &str) -> String {
    duration.replace(' ', "").replace('µ', "u")
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Each text once, in the order in which they first come.
fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut distinct = Vec::new();
    for text in texts {
        if !distinct.contains(&text) {
            distinct.push(text);
        }
    }
    distinct
}
