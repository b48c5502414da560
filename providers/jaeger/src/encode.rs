use spandrel_plugin_api::{AnyValue, Attributes, EventView, LinkView, SpanId, SpanKind, SpanView, Status, TraceId};
use spandrel_post::{Encode, Tags, text_of};

use crate::thrift::{self, Struct};

/// Jaeger's own format: a `Batch` of one process, in Thrift's binary protocol.
///
/// Source: OpenTelemetry specification before 1.23, "OpenTelemetry to Jaeger Transformation";
/// jaeger-idl, `jaeger.thrift`, from which the numbers of the fields are.
#[derive(Debug)]
pub(crate) struct Thrift;

impl Encode for Thrift {
    fn run(&self, spans: &[SpanView<'_>]) -> usize {
        let process_of = |span: &SpanView<'_>| {
            let mut out = Vec::new();
            thrift::write(&mut out, |process| write_process(process, span.resource()));
            out
        };
        let first = spans.first().map(process_of);
        spans.iter().take_while(|span| Some(process_of(span)) == first).count()
    }

    fn body(&self, spans: &[SpanView<'_>]) -> (&'static str, Vec<u8>) {
        let mut out = Vec::new();
        thrift::write(&mut out, |batch| {
            if let Some(first) = spans.first() {
                batch.object(1, |process| write_process(process, first.resource()));
            }
            batch.list(2, spans, write_span);
        });
        ("application/x-thrift", out)
    }
}

fn write_process(process: &mut Struct<'_>, resource: Attributes<'_>) {
    let mut tags = Tags::new();
    tags.extend(resource);
    let (service, tags): (Vec<_>, Vec<_>) = tags.into_vec().into_iter().partition(|(key, _)| *key == "service.name");
    let service = service.first().map(|(_, value)| text_of(*value)).filter(|name| !name.is_empty());
    process.bytes(1, service.as_deref().unwrap_or("unknown_service").as_bytes());
    write_tags(process, 2, tags);
}

fn write_span(object: &mut Struct<'_>, span: &SpanView<'_>) {
    let (high, low) = halves(span.trace_id());
    object.i64(1, low);
    object.i64(2, high);
    object.i64(3, number(span.span_id()));
    object.i64(4, span.parent_span_id().map_or(0, number));
    object.bytes(5, span.name().as_bytes());
    if span.links().next().is_some() {
        object.list(6, span.links(), write_reference);
    }
    // The second bit means something else in each of the two: here it would be "debug".
    object.i32(7, (span.flags() & 1) as i32);
    object.i64(8, micros(span.start().unix_nanos()));
    object.i64(9, micros(span.duration_nanos()));
    write_tags(object, 10, tags_of(span));
    let described: Vec<LinkView<'_>> = span.links().filter(is_described).collect();
    if span.events().next().is_some() || !described.is_empty() {
        let logs = span.events().map(Log::Event).chain(described.into_iter().map(Log::Link));
        object.list(11, logs, |object, log| write_log(object, &log, span));
    }
}

fn tags_of<'a>(span: &SpanView<'a>) -> Vec<(&'a str, AnyValue<'a>)> {
    let mut tags = Tags::new();
    tags.extend_from_span(span);
    if span.kind() != SpanKind::Internal {
        tags.set("span.kind", AnyValue::Str(span.kind().as_str()));
    }
    if let Status::Error(message) = span.status() {
        tags.set("error", AnyValue::Bool(true));
        if !message.is_empty() {
            tags.set("otel.status_description", AnyValue::Str(message));
        }
    }
    tags.into_vec()
}

/// A `SpanRef` of the type `FOLLOWS_FROM`.
fn write_reference(object: &mut Struct<'_>, link: LinkView<'_>) {
    let (high, low) = halves(link.trace_id());
    object.i32(1, 1);
    object.i64(2, low);
    object.i64(3, high);
    object.i64(4, number(link.span_id()));
}

enum Log<'a> {
    Event(EventView<'a>),
    /// What a reference has no place for.
    Link(LinkView<'a>),
}

fn is_described(link: &LinkView<'_>) -> bool {
    link.attributes().into_iter().next().is_some() || !link.trace_state().is_empty() || link.dropped_attributes() > 0
}

fn write_log(object: &mut Struct<'_>, log: &Log<'_>, span: &SpanView<'_>) {
    let (trace, other);
    let mut fields = Tags::new();
    match log {
        Log::Event(event) => {
            object.i64(1, micros(event.time().unix_nanos()));
            // An attribute of that name takes its place.
            fields.set("event", AnyValue::Str(event.name()));
            fields.extend(event.attributes());
            fields.set_count("otel.dropped_attributes_count", event.dropped_attributes());
        }
        Log::Link(link) => {
            object.i64(1, micros(span.start().unix_nanos()));
            (trace, other) = (link.trace_id().to_string(), link.span_id().to_string());
            fields.extend(link.attributes());
            fields.set("event", AnyValue::Str("link"));
            fields.set("trace_id", AnyValue::Str(&trace));
            fields.set("span_id", AnyValue::Str(&other));
            if !link.trace_state().is_empty() {
                fields.set("w3c.tracestate", AnyValue::Str(link.trace_state()));
            }
            fields.set_count("otel.dropped_attributes_count", link.dropped_attributes());
        }
    }
    write_tags(object, 2, fields.into_vec());
}

fn write_tags(object: &mut Struct<'_>, id: i16, tags: Vec<(&str, AnyValue<'_>)>) {
    object.list(id, tags, |tag, (key, value)| {
        tag.bytes(1, key.as_bytes());
        // The type, and then the value in the field of that type.
        match value {
            AnyValue::F64(value) => {
                tag.i32(2, 1);
                tag.double(4, value);
            }
            AnyValue::Bool(value) => {
                tag.i32(2, 2);
                tag.bool(5, value);
            }
            AnyValue::I64(value) => {
                tag.i32(2, 3);
                tag.i64(6, value);
            }
            AnyValue::Bytes(value) => {
                tag.i32(2, 4);
                tag.bytes(7, value);
            }
            AnyValue::Str(_) | AnyValue::Empty | AnyValue::Array(_) | AnyValue::KeyValueList(_) => {
                tag.i32(2, 0);
                tag.bytes(3, text_of(value).as_bytes());
            }
        }
    });
}

fn halves(id: TraceId) -> (i64, i64) {
    let id = u128::from_be_bytes(id.to_bytes());
    ((id >> 64) as i64, id as i64)
}

fn number(id: SpanId) -> i64 {
    i64::from_be_bytes(id.to_bytes())
}

/// Fits: nanoseconds in 64 bits are fewer microseconds.
const fn micros(nanos: u64) -> i64 {
    (nanos / 1000) as i64
}
