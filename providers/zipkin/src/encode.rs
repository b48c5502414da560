use std::fmt::Write;

use spandrel_plugin_api::{AnyValue, EventView, SpanKind, SpanView, Status, json};
use spandrel_post::{Encode, Tags, json_of, text_of};

use crate::remote;

/// Zipkin's format: v2 JSON, a list of spans.
///
/// Source: OpenTelemetry specification, "OpenTelemetry to Zipkin Transformation"; zipkin-api,
/// `zipkin2-api.yaml`.
#[derive(Debug)]
pub(crate) struct Json;

impl Encode for Json {
    fn body(&self, spans: &[SpanView<'_>]) -> (&'static str, Vec<u8>) {
        let mut out = vec![b'['];
        for (i, span) in spans.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            json::object(&mut out, |object| write_span(object, span));
        }
        out.push(b']');
        ("application/json", out)
    }
}

fn write_span(object: &mut json::Object<'_>, span: &SpanView<'_>) {
    object.display("traceId", &span.trace_id());
    object.display("id", &span.span_id());
    if let Some(parent) = span.parent_span_id() {
        object.display("parentId", &parent);
    }
    match span.kind() {
        SpanKind::Internal => {}
        SpanKind::Server => object.text("kind", "SERVER"),
        SpanKind::Client => object.text("kind", "CLIENT"),
        SpanKind::Producer => object.text("kind", "PRODUCER"),
        SpanKind::Consumer => object.text("kind", "CONSUMER"),
    }
    object.text("name", span.name());
    let start = span.start().unix_nanos() / 1000;
    if start > 0 {
        object.number("timestamp", start);
    }
    // Without one, or with 0, Zipkin takes a span for one that has not ended.
    object.number("duration", (span.duration_nanos() / 1000).max(1));
    let service = span.resource().into_iter().filter(|(key, _)| *key == "service.name").last();
    let service = service.map(|(_, value)| text_of(value)).filter(|name| !name.is_empty());
    object.object("localEndpoint", |endpoint| {
        endpoint.text("serviceName", service.as_deref().unwrap_or("unknown_service"));
    });
    remote::write(object, span);
    if span.events().next().is_some() {
        object.array("annotations", |all| {
            for event in span.events() {
                all.object(|object| {
                    object.number("timestamp", event.time().unix_nanos() / 1000);
                    object.text("value", &annotation(&event));
                });
            }
        });
    }
    write_tags(object, span);
}

fn write_tags(object: &mut json::Object<'_>, span: &SpanView<'_>) {
    let mut tags = Tags::new();
    // Those of the span win over those of the resource.
    tags.extend(span.resource().into_iter().filter(|(key, _)| *key != "service.name"));
    // To Zipkin any `error` is one.
    let is_no_error = |value: AnyValue<'_>| matches!(value, AnyValue::Bool(false) | AnyValue::Str("false"));
    tags.extend_from_span(span);
    if let Status::Error(message) = span.status() {
        tags.set("error", AnyValue::Str(message));
    }
    let tags = tags.into_vec();
    let mut tags = tags.into_iter().filter(|(key, value)| *key != "error" || !is_no_error(*value)).peekable();
    if tags.peek().is_none() && span.links().next().is_none() {
        return;
    }
    object.object("tags", |object| {
        tags.for_each(|(key, value)| object.text(key, &text_of(value)));
        // Zipkin has no links. The OpenTelemetry Collector writes and reads them like this.
        let mut key = String::new();
        for (i, link) in span.links().enumerate() {
            key.clear();
            // Writing into memory does not fail.
            let _ = write!(key, "otlp.link.{i}");
            let mut attributes = Tags::new();
            attributes.extend(link.attributes());
            let (trace, span, state) = (link.trace_id(), link.span_id(), link.trace_state());
            let (attributes, dropped) = (json_of(attributes), link.dropped_attributes());
            object.display(&key, &format_args!("{trace}|{span}|{state}|{attributes}|{dropped}"));
        }
    });
}

/// `paid`, or with attributes `"paid":{"amount":9.5}`.
fn annotation(event: &EventView<'_>) -> String {
    let mut attributes = Tags::new();
    attributes.extend(event.attributes());
    attributes.set_count("otel.dropped_attributes_count", event.dropped_attributes());
    let attributes = attributes.into_vec();
    if attributes.is_empty() {
        return event.name().to_owned();
    }
    let mut out = Vec::new();
    json::object(&mut out, |object| {
        object.object(event.name(), |object| {
            attributes.into_iter().for_each(|(key, value)| object.value(key, value));
        });
    });
    String::from_utf8_lossy(&out[1..out.len() - 1]).into_owned()
}
