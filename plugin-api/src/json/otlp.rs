//! OTLP/JSON: what the OpenTelemetry Collector's file exporter writes.
//!
//! Ids are hexadecimal, 64-bit integers are texts, enumerations are numbers and
//! field names are in camel case.
//!
//! Source: OTLP specification 1.x, section "JSON Protobuf Encoding"; file
//! exporter specification (status: development).

use super::{Object, object};
use crate::{AnyValue, Attributes, Error, EventView, LinkView, SpanBatch, SpanView, Status};

/// Appends the batch as one OTLP/JSON object `{"resourceSpans":[...]}`, without a line end.
///
/// # Errors
///
/// [`Malformed`](crate::ErrorKind::Malformed) if the batch cannot be read; `out`
/// is as it was then.
pub fn write_batch(out: &mut Vec<u8>, batch: &SpanBatch<'_>) -> Result<(), Error> {
    let spans = batch.spans().collect::<Result<Vec<_>, _>>()?;
    object(out, |traces| {
        traces.array("resourceSpans", |all| {
            // Spans of one resource stand together, and so do those of one scope.
            for spans in spans.chunk_by(|a, b| a.resource().is_same(b.resource())) {
                all.object(|object| resource_spans(object, spans));
            }
        });
    });
    Ok(())
}

fn resource_spans(object: &mut Object<'_>, spans: &[SpanView<'_>]) {
    if let Some(span) = spans.first() {
        object.object("resource", |resource| key_values(resource, "attributes", span.resource()));
    }
    object.array("scopeSpans", |all| {
        for spans in spans.chunk_by(|a, b| a.scope() == b.scope()) {
            all.object(|object| scope_spans(object, spans));
        }
    });
}

fn scope_spans(object: &mut Object<'_>, spans: &[SpanView<'_>]) {
    if let Some(span) = spans.first() {
        object.object("scope", |scope| {
            scope.text("name", span.scope().name);
            text_if_any(scope, "version", span.scope().version);
        });
    }
    object.array("spans", |all| spans.iter().for_each(|span| all.object(|object| write_span(object, span))));
}

fn write_span(object: &mut Object<'_>, span: &SpanView<'_>) {
    let (dropped_attributes, dropped_events, dropped_links) = span.dropped_counts();
    object.display("traceId", &span.trace_id());
    object.display("spanId", &span.span_id());
    text_if_any(object, "traceState", span.trace_state());
    if let Some(parent) = span.parent_span_id() {
        object.display("parentSpanId", &parent);
    }
    number_if_any(object, "flags", span.flags());
    object.text("name", span.name());
    object.number("kind", span.kind().to_otlp());
    object.display("startTimeUnixNano", &span.start().unix_nanos());
    object.display("endTimeUnixNano", &span.end().unix_nanos());
    if span.attributes().into_iter().next().is_some() {
        key_values(object, "attributes", span.attributes());
    }
    number_if_any(object, "droppedAttributesCount", dropped_attributes);
    if span.events().next().is_some() {
        object.array("events", |all| span.events().for_each(|event| all.object(|object| write_event(object, &event))));
    }
    number_if_any(object, "droppedEventsCount", dropped_events);
    if span.links().next().is_some() {
        object.array("links", |all| span.links().for_each(|link| all.object(|object| write_link(object, &link))));
    }
    number_if_any(object, "droppedLinksCount", dropped_links);
    object.object("status", |status| match span.status() {
        Status::Unset => {}
        Status::Ok => status.number("code", 1),
        Status::Error(message) => {
            text_if_any(status, "message", message);
            status.number("code", 2);
        }
    });
}

fn write_event(object: &mut Object<'_>, event: &EventView<'_>) {
    object.display("timeUnixNano", &event.time().unix_nanos());
    object.text("name", event.name());
    key_values(object, "attributes", event.attributes());
    number_if_any(object, "droppedAttributesCount", event.dropped_attributes());
}

fn write_link(object: &mut Object<'_>, link: &LinkView<'_>) {
    object.display("traceId", &link.trace_id());
    object.display("spanId", &link.span_id());
    text_if_any(object, "traceState", link.trace_state());
    key_values(object, "attributes", link.attributes());
    number_if_any(object, "droppedAttributesCount", link.dropped_attributes());
    number_if_any(object, "flags", link.flags());
}

fn key_values(object: &mut Object<'_>, key: &str, attributes: Attributes<'_>) {
    object.array(key, |all| {
        for (key, value) in attributes {
            all.object(|pair| {
                pair.text("key", key);
                pair.object("value", |object| write_value(object, value));
            });
        }
    });
}

// Nested no deeper than the reader allows, like `plain`.
fn write_value(object: &mut Object<'_>, value: AnyValue<'_>) {
    match value {
        AnyValue::Empty => {}
        AnyValue::Str(v) => object.text("stringValue", v),
        AnyValue::Bool(v) => object.boolean("boolValue", v),
        AnyValue::I64(v) => object.display("intValue", &v),
        AnyValue::F64(v) => object.float("doubleValue", v),
        AnyValue::Bytes(_) => object.value("bytesValue", value),
        AnyValue::Array(values) => object.object("arrayValue", |list| {
            list.array("values", |all| values.into_iter().for_each(|v| all.object(|object| write_value(object, v))));
        }),
        AnyValue::KeyValueList(list) => object.object("kvlistValue", |map| key_values(map, "values", list)),
    }
}

fn text_if_any(object: &mut Object<'_>, key: &str, text: &str) {
    if !text.is_empty() {
        object.text(key, text);
    }
}

fn number_if_any(object: &mut Object<'_>, key: &str, number: u32) {
    if number > 0 {
        object.number(key, number);
    }
}
