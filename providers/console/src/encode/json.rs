use spandrel_plugin_api::json::{Object, object};
use spandrel_plugin_api::{SpanView, Status};

use super::{SERVICE_NAME, UNKNOWN_SERVICE};
use crate::text::json_for_terminals;

/// A span as a line with a JSON object.
pub(crate) fn json(span: &SpanView<'_>) -> String {
    let mut bytes = Vec::new();
    object(&mut bytes, |line| write_span(line, span));
    json_for_terminals(&String::from_utf8_lossy(&bytes)) + "\n"
}

fn write_span(line: &mut Object<'_>, span: &SpanView<'_>) {
    let (status, message) = match span.status() {
        Status::Unset => ("unset", ""),
        Status::Ok => ("ok", ""),
        Status::Error(message) => ("error", message),
    };
    let service = span.resource().into_iter().find(|(key, _)| *key == SERVICE_NAME);

    line.text("name", span.name());
    line.display("trace_id", &span.trace_id());
    line.display("span_id", &span.span_id());
    match span.parent_span_id() {
        Some(id) => line.display("parent_span_id", &id),
        None => line.null("parent_span_id"),
    }
    line.text("kind", span.kind().as_str());
    line.text("service", service.and_then(|(_, name)| name.as_str()).unwrap_or(UNKNOWN_SERVICE));
    line.number("start", span.start().unix_nanos());
    line.number("duration_ns", span.duration_nanos());
    line.text("status", status);
    match message {
        "" => line.null("status_message"),
        message => line.text("status_message", message),
    }
    line.attributes("attributes", &[span.attributes()]);
    line.array("events", |events| {
        for event in span.events() {
            events.object(|object| {
                object.text("name", event.name());
                object.number("time", event.time().unix_nanos());
                object.attributes("attributes", &[event.attributes()]);
            });
        }
    });
    line.array("links", |links| {
        for link in span.links() {
            links.object(|object| {
                object.display("trace_id", &link.trace_id());
                object.display("span_id", &link.span_id());
                object.attributes("attributes", &[link.attributes()]);
            });
        }
    });
}
