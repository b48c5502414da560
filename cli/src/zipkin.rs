//! Zipkin JSON, version 2.
//!
//! What it has no place for is lost: nanoseconds below a microsecond, types of attributes
//! (all are texts), links, the trace state, and which attributes were those of the
//! resource.
//!
//! Source: Zipkin API 2.0 (openapi `zipkin2-api.yaml`); OpenTelemetry specification
//! 1.x, "OpenTelemetry to Zipkin Transformation".

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use spandrel_plugin_api::json::{Object, object};
use spandrel_plugin_api::wire::{field, put_attribute, put_bytes, put_fixed64, put_uint};
use spandrel_plugin_api::{AnyValue, Attribute, Attributes, SpanKind, SpanView, Status};

use crate::filter::service;
use crate::otlp_json::hex;

/// Appends one span as a Zipkin object.
pub(crate) fn write_span(out: &mut Vec<u8>, span: &SpanView<'_>) {
    object(out, |zipkin| {
        zipkin.display("traceId", &span.trace_id());
        zipkin.display("id", &span.span_id());
        if let Some(parent) = span.parent_span_id() {
            zipkin.display("parentId", &parent);
        }
        if span.kind() != SpanKind::Internal {
            zipkin.text("kind", &span.kind().as_str().to_uppercase());
        }
        zipkin.text("name", span.name());
        let start = span.start().unix_nanos();
        zipkin.number("timestamp", micros(start));
        // Rounded up, as 0 means that nothing is known.
        zipkin.number("duration", micros(span.duration_nanos()).max(1));
        zipkin.object("localEndpoint", |endpoint| endpoint.text("serviceName", &service(span)));
        zipkin.object("tags", |tags| write_tags(tags, span));
        zipkin.array("annotations", |annotations| {
            for event in span.events() {
                annotations.object(|annotation| {
                    annotation.number("timestamp", micros(event.time().unix_nanos()));
                    annotation.text("value", &annotation_value(event.name(), event.attributes()));
                });
            }
        });
    });
}

fn write_tags(tags: &mut Object<'_>, span: &SpanView<'_>) {
    let mut used = BTreeSet::new();
    // Zipkin has one value for a key, and the first is ours.
    let mut tag = |key: &str, value: &str| {
        if used.insert(key.to_owned()) {
            tags.text(key, value);
        }
    };
    match span.status() {
        Status::Unset => {}
        Status::Ok => tag("otel.status_code", "OK"),
        Status::Error(message) => {
            tag("otel.status_code", "ERROR");
            tag("error", message);
        }
    }
    for (key, text) in [("otel.scope.name", span.scope().name), ("otel.scope.version", span.scope().version)] {
        if !text.is_empty() {
            tag(key, text);
        }
    }
    let (attributes, events, links) = span.dropped_counts();
    for (what, count) in [("attributes", attributes), ("events", events), ("links", links)] {
        if count > 0 {
            tag(&format!("otel.dropped_{what}_count"), &count.to_string());
        }
    }
    for (key, value) in span.attributes() {
        tag(key, &tag_value(value));
    }
    for (key, value) in span.resource().into_iter().filter(|(key, _)| *key != "service.name") {
        tag(key, &tag_value(value));
    }
}

/// Texts bare, everything else as JSON.
fn tag_value(value: AnyValue<'_>) -> String {
    match value {
        AnyValue::Str(text) => text.to_owned(),
        AnyValue::Array(_) | AnyValue::KeyValueList(_) => {
            let mut out = Vec::new();
            object(&mut out, |holder| holder.value("", value));
            // `{"":` before it, and `}` behind.
            String::from_utf8_lossy(&out[4..out.len() - 1]).into_owned()
        }
        other => other.to_string(),
    }
}

fn annotation_value(name: &str, attributes: Attributes<'_>) -> String {
    if attributes.into_iter().next().is_none() {
        return name.to_owned();
    }
    let mut out = Vec::new();
    object(&mut out, |holder| holder.attributes(name, &[attributes]));
    String::from_utf8_lossy(&out[1..out.len() - 1]).into_owned()
}

const fn micros(nanos: u64) -> u64 {
    nanos / 1_000 + (nanos % 1_000 >= 500) as u64
}

/// One `ExportTraceServiceRequest` from an array of spans.
pub(crate) fn request(document: &Value) -> Result<Vec<u8>, String> {
    let Value::Array(spans) = document else { return Err("Zipkin has an array of spans".to_owned()) };
    // By name and version of their scopes.
    type Scopes<'a> = BTreeMap<[&'a str; 2], Vec<&'a Map<String, Value>>>;
    let mut services: BTreeMap<&str, Scopes<'_>> = BTreeMap::new();
    for (number, span) in spans.iter().enumerate() {
        let Value::Object(span) = span else { return Err(format!("span {}: not an object", number + 1)) };
        let service = span.get("localEndpoint").and_then(|endpoint| endpoint["serviceName"].as_str());
        let scope = ["otel.scope.name", "otel.scope.version"].map(|key| tag(span, key).unwrap_or_default());
        services.entry(service.unwrap_or_default()).or_default().entry(scope).or_default().push(span);
    }
    let mut out = Vec::new();
    for (service, scopes) in services {
        let mut resource = Vec::new();
        put_text_attribute(&mut resource, field::RESOURCE_ATTRIBUTES, "service.name", service);
        let mut resource_spans = Vec::new();
        put_bytes(&mut resource_spans, field::RESOURCE_SPANS_RESOURCE, &resource);
        for ([name, version], spans) in scopes {
            let mut scope = Vec::new();
            put_bytes(&mut scope, field::SCOPE_NAME, name.as_bytes());
            put_bytes(&mut scope, field::SCOPE_VERSION, version.as_bytes());
            let mut scope_spans = Vec::new();
            put_bytes(&mut scope_spans, field::SCOPE_SPANS_SCOPE, &scope);
            for span in spans {
                put_bytes(&mut scope_spans, field::SCOPE_SPANS_SPANS, &read_span(span)?);
            }
            put_bytes(&mut resource_spans, field::RESOURCE_SPANS_SCOPE_SPANS, &scope_spans);
        }
        put_bytes(&mut out, field::REQUEST_RESOURCE_SPANS, &resource_spans);
    }
    Ok(out)
}

fn read_span(span: &Map<String, Value>) -> Result<Vec<u8>, String> {
    let text = |key: &str| span.get(key).and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| span.get(key).and_then(Value::as_u64).unwrap_or(0);
    let mut out = Vec::new();
    // Ids of 64 bits have zeros before them.
    let trace = format!("{:0>32}", text("traceId"));
    let ids = [(field::SPAN_TRACE_ID, &*trace, 16), (field::SPAN_SPAN_ID, text("id"), 8)];
    let parent = Some((field::SPAN_PARENT_SPAN_ID, text("parentId"), 8)).filter(|(_, id, _)| !id.is_empty());
    for (number, id, bytes) in ids.into_iter().chain(parent) {
        let id = hex(id).filter(|id| id.len() == bytes && id.iter().any(|byte| *byte != 0));
        let wrong = || format!("the ids of span `{}` are not hexadecimal digits", text("name"));
        put_bytes(&mut out, number, &id.ok_or_else(wrong)?);
    }
    put_bytes(&mut out, field::SPAN_NAME, text("name").as_bytes());
    let kinds = [SpanKind::Server, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer];
    let kind = kinds.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text("kind")));
    put_uint(&mut out, field::SPAN_KIND, kind.unwrap_or(SpanKind::Internal).to_otlp().into());
    let start = number("timestamp").saturating_mul(1_000);
    put_fixed64(&mut out, field::SPAN_START, start);
    put_fixed64(&mut out, field::SPAN_END, start.saturating_add(number("duration").saturating_mul(1_000)));

    let tags = span.get("tags").and_then(Value::as_object);
    for (key, value) in tags.into_iter().flatten() {
        let count = || value.as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
        match &**key {
            "otel.status_code" | "otel.scope.name" | "otel.scope.version" => {}
            "error" => {}
            "otel.dropped_attributes_count" => put_uint(&mut out, field::SPAN_DROPPED_ATTRIBUTES, count()),
            "otel.dropped_events_count" => put_uint(&mut out, field::SPAN_DROPPED_EVENTS, count()),
            "otel.dropped_links_count" => put_uint(&mut out, field::SPAN_DROPPED_LINKS, count()),
            _ => put_text_attribute(&mut out, field::SPAN_ATTRIBUTES, key, &plain(value)),
        }
    }
    for annotation in span.get("annotations").and_then(Value::as_array).into_iter().flatten() {
        put_bytes(&mut out, field::SPAN_EVENTS, &read_annotation(annotation));
    }
    put_bytes(&mut out, field::SPAN_STATUS, &read_status(span));
    Ok(out)
}

fn read_status(span: &Map<String, Value>) -> Vec<u8> {
    let mut status = Vec::new();
    match (tag(span, "otel.status_code"), tag(span, "error")) {
        (Some("OK"), _) => put_uint(&mut status, field::STATUS_CODE, 1),
        // Zipkin's own sign of a failure is that the tag is there.
        (Some("ERROR"), message) | (_, message @ Some(_)) => {
            put_bytes(&mut status, field::STATUS_MESSAGE, message.unwrap_or_default().as_bytes());
            put_uint(&mut status, field::STATUS_CODE, 2);
        }
        _ => {}
    }
    status
}

/// An event; of `"name":{"key":1}` the attributes, too.
fn read_annotation(annotation: &Value) -> Vec<u8> {
    let time = annotation["timestamp"].as_u64().unwrap_or(0).saturating_mul(1_000);
    let value = annotation["value"].as_str().unwrap_or_default();
    let mut event = Vec::new();
    put_fixed64(&mut event, field::EVENT_TIME, time);
    let parsed = serde_json::from_str::<Map<String, Value>>(&format!("{{{value}}}")).ok();
    let parsed = parsed.filter(|parsed| parsed.len() == 1).and_then(|parsed| parsed.into_iter().next());
    match parsed {
        Some((name, Value::Object(attributes))) => {
            put_bytes(&mut event, field::EVENT_NAME, name.as_bytes());
            for (key, value) in &attributes {
                put_text_attribute(&mut event, field::EVENT_ATTRIBUTES, key, &plain(value));
            }
        }
        _ => put_bytes(&mut event, field::EVENT_NAME, value.as_bytes()),
    }
    event
}

fn tag<'a>(span: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    span.get("tags")?.get(key)?.as_str()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn put_text_attribute(out: &mut Vec<u8>, number: u32, key: &str, value: &str) {
    put_attribute(out, number, &Attribute::new(key, value), usize::MAX);
}
