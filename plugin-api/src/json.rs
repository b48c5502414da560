//! OTLP/JSON: what the OpenTelemetry Collector's file exporter writes.
//!
//! Ids are hexadecimal, 64-bit integers are texts, enumerations are numbers and
//! field names are in camel case.
//!
//! Source: OTLP specification 1.x, section "JSON Protobuf Encoding"; file
//! exporter specification (status: development).

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use crate::{AnyValue, Attributes, Error, EventView, LinkView, ScopeView, SpanBatch, SpanView, Status, TraceId};

/// Appends the batch as one JSON object `{"resourceSpans":[...]}`, without a line end.
///
/// # Errors
///
/// [`Malformed`](crate::ErrorKind::Malformed) if the batch cannot be read; `out`
/// is as it was then.
pub fn write_batch(out: &mut Vec<u8>, batch: &SpanBatch<'_>) -> Result<(), Error> {
    let spans = batch.spans().collect::<Result<Vec<_>, _>>()?;
    write(out, &TracesData(&spans));
    Ok(())
}

/// Appends any serialisable value as JSON.
pub fn write(out: &mut Vec<u8>, value: &impl Serialize) {
    // Writing into memory fails only for maps with keys that are not texts,
    // and there are none.
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// An attribute value as plain JSON: `3`, `"x"`, `[1, 2]`.
#[derive(Debug)]
pub struct PlainValue<'a>(pub AnyValue<'a>);

/// Attributes as a plain JSON object.
#[derive(Debug)]
pub struct PlainAttributes<'a>(pub Attributes<'a>);

impl Serialize for PlainValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            AnyValue::Empty => serializer.serialize_unit(),
            AnyValue::Str(v) => serializer.serialize_str(v),
            AnyValue::Bool(v) => serializer.serialize_bool(v),
            AnyValue::I64(v) => serializer.serialize_i64(v),
            AnyValue::F64(v) if v.is_finite() => serializer.serialize_f64(v),
            AnyValue::F64(v) => serializer.serialize_str(double_name(v)),
            AnyValue::Bytes(v) => serializer.serialize_str(&base64(v)),
            AnyValue::Array(values) => serializer.collect_seq(values.into_iter().map(PlainValue)),
            AnyValue::KeyValueList(list) => PlainAttributes(list).serialize(serializer),
        }
    }
}

impl Serialize for PlainAttributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.into_iter().map(|(key, value)| (key, PlainValue(value))))
    }
}

struct TracesData<'a, 'b>(&'b [SpanView<'a>]);
struct ResourceSpans<'a, 'b>(&'b [SpanView<'a>]);
struct ScopeSpans<'a, 'b>(&'b [SpanView<'a>]);
struct Scope<'a>(ScopeView<'a>);
struct Span<'a, 'b>(&'b SpanView<'a>);
struct Event<'a>(EventView<'a>);
struct Link<'a>(LinkView<'a>);
struct StatusObject<'a>(Status<'a>);
struct KeyValues<'a>(Attributes<'a>);
struct KeyValue<'a>(&'a str, AnyValue<'a>);
struct Any<'a>(AnyValue<'a>);
struct Seq<I>(I);

impl Serialize for TracesData<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Spans of one resource stand together, and so do those of one scope.
        let groups: Vec<_> = self.0.chunk_by(|a, b| a.resource().is_same(b.resource())).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("resourceSpans", &Seq(groups.iter().map(|spans| ResourceSpans(spans))))?;
        map.end()
    }
}

impl Serialize for ResourceSpans<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(span) = self.0.first() {
            map.serialize_entry("resource", &AttributesObject(span.resource()))?;
        }
        let groups: Vec<_> = self.0.chunk_by(|a, b| a.scope() == b.scope()).collect();
        map.serialize_entry("scopeSpans", &Seq(groups.iter().map(|spans| ScopeSpans(spans))))?;
        map.end()
    }
}

struct AttributesObject<'a>(Attributes<'a>);

impl Serialize for AttributesObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("attributes", &KeyValues(self.0))?;
        map.end()
    }
}

impl Serialize for ScopeSpans<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(span) = self.0.first() {
            map.serialize_entry("scope", &Scope(span.scope()))?;
        }
        map.serialize_entry("spans", &Seq(self.0.iter().map(Span)))?;
        map.end()
    }
}

impl Serialize for Scope<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", self.0.name)?;
        if !self.0.version.is_empty() {
            map.serialize_entry("version", self.0.version)?;
        }
        map.end()
    }
}

impl Serialize for Span<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let span = self.0;
        let (attributes, events, links) = span.dropped_counts();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("traceId", text(&trace_id(span.trace_id())))?;
        map.serialize_entry("spanId", text(&span.span_id().to_hex()))?;
        if !span.trace_state().is_empty() {
            map.serialize_entry("traceState", span.trace_state())?;
        }
        if let Some(parent) = span.parent_span_id() {
            map.serialize_entry("parentSpanId", text(&parent.to_hex()))?;
        }
        if span.flags() != 0 {
            map.serialize_entry("flags", &span.flags())?;
        }
        map.serialize_entry("name", span.name())?;
        map.serialize_entry("kind", &span.kind().to_otlp())?;
        map.serialize_entry("startTimeUnixNano", &Text(span.start().unix_nanos()))?;
        map.serialize_entry("endTimeUnixNano", &Text(span.end().unix_nanos()))?;
        if span.attributes().into_iter().next().is_some() {
            map.serialize_entry("attributes", &KeyValues(span.attributes()))?;
        }
        if attributes > 0 {
            map.serialize_entry("droppedAttributesCount", &attributes)?;
        }
        if span.events().next().is_some() {
            map.serialize_entry("events", &Seq(span.events().map(Event)))?;
        }
        if events > 0 {
            map.serialize_entry("droppedEventsCount", &events)?;
        }
        if span.links().next().is_some() {
            map.serialize_entry("links", &Seq(span.links().map(Link)))?;
        }
        if links > 0 {
            map.serialize_entry("droppedLinksCount", &links)?;
        }
        map.serialize_entry("status", &StatusObject(span.status()))?;
        map.end()
    }
}

impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timeUnixNano", &Text(self.0.time().unix_nanos()))?;
        map.serialize_entry("name", self.0.name())?;
        map.serialize_entry("attributes", &KeyValues(self.0.attributes()))?;
        if self.0.dropped_attributes() > 0 {
            map.serialize_entry("droppedAttributesCount", &self.0.dropped_attributes())?;
        }
        map.end()
    }
}

impl Serialize for Link<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("traceId", text(&trace_id(self.0.trace_id())))?;
        map.serialize_entry("spanId", text(&self.0.span_id().to_hex()))?;
        if !self.0.trace_state().is_empty() {
            map.serialize_entry("traceState", self.0.trace_state())?;
        }
        map.serialize_entry("attributes", &KeyValues(self.0.attributes()))?;
        if self.0.dropped_attributes() > 0 {
            map.serialize_entry("droppedAttributesCount", &self.0.dropped_attributes())?;
        }
        if self.0.flags() != 0 {
            map.serialize_entry("flags", &self.0.flags())?;
        }
        map.end()
    }
}

impl Serialize for StatusObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            Status::Unset => {}
            Status::Ok => map.serialize_entry("code", &1)?,
            Status::Error(message) => {
                if !message.is_empty() {
                    map.serialize_entry("message", message)?;
                }
                map.serialize_entry("code", &2)?;
            }
        }
        map.end()
    }
}

impl Serialize for KeyValues<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.into_iter().map(|(key, value)| KeyValue(key, value)))
    }
}

impl Serialize for KeyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("key", self.0)?;
        map.serialize_entry("value", &Any(self.1))?;
        map.end()
    }
}

impl Serialize for Any<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            AnyValue::Empty => {}
            AnyValue::Str(v) => map.serialize_entry("stringValue", v)?,
            AnyValue::Bool(v) => map.serialize_entry("boolValue", &v)?,
            AnyValue::I64(v) => map.serialize_entry("intValue", &Text(v))?,
            AnyValue::F64(_) => map.serialize_entry("doubleValue", &PlainValue(self.0))?,
            AnyValue::Bytes(v) => map.serialize_entry("bytesValue", &base64(v))?,
            AnyValue::Array(values) => map.serialize_entry("arrayValue", &Values(values))?,
            AnyValue::KeyValueList(list) => map.serialize_entry("kvlistValue", &ListObject(list))?,
        }
        map.end()
    }
}

struct Values<'a>(crate::Values<'a>);
struct ListObject<'a>(Attributes<'a>);
/// A 64-bit integer is a text in OTLP/JSON.
struct Text<T>(T);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("values", &Seq(self.0.into_iter().map(Any)))?;
        map.end()
    }
}

impl Serialize for ListObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("values", &KeyValues(self.0))?;
        map.end()
    }
}

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<I: Iterator<Item: Serialize> + Clone> Serialize for Seq<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(None)?;
        for item in self.0.clone() {
            seq.serialize_element(&item)?;
        }
        seq.end()
    }
}

fn trace_id(id: TraceId) -> [u8; 32] {
    id.to_hex()
}

fn text(hex: &[u8]) -> &str {
    std::str::from_utf8(hex).unwrap_or_default()
}

/// JSON has no such numbers; these are the names of the protobuf mapping.
fn double_name(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |g, b| g << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}
