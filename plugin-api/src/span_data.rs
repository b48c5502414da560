use crate::{
    AnyValue, Attributes, OwnedAttribute, OwnedValue, SpanId, SpanKind, SpanView, Status, Timestamp, ToValue, TraceId,
    Value,
};

/// A finished span that owns its data.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are those of `SpanView`")]
pub struct SpanData {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub parent_span_id: Option<SpanId>,
    pub has_remote_parent: bool,
    pub trace_state: String,
    pub flags: u32,
    pub name: String,
    pub kind: SpanKind,
    pub start: Timestamp,
    pub end: Timestamp,
    pub status: StatusData,
    pub attributes: Vec<OwnedAttribute>,
    pub events: Vec<EventData>,
    pub links: Vec<LinkData>,
    /// Attributes, events and links that the limits kept out.
    pub dropped_counts: (u32, u32, u32),
    pub resource: Vec<OwnedAttribute>,
    pub scope_name: String,
    pub scope_version: String,
}

/// The outcome of a finished span.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "fixed by the OpenTelemetry specification")]
pub enum StatusData {
    /// Nothing was said.
    #[default]
    Unset,
    /// Declared successful.
    Ok,
    /// Failed, with a text that may be empty.
    Error(String),
}

/// An event of a finished span.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are those of `EventView`")]
pub struct EventData {
    pub name: String,
    pub time: Timestamp,
    pub attributes: Vec<OwnedAttribute>,
    pub dropped_attributes: u32,
}

/// A link of a finished span.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are those of `LinkView`")]
pub struct LinkData {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub trace_state: String,
    pub flags: u32,
    pub attributes: Vec<OwnedAttribute>,
    pub dropped_attributes: u32,
}

impl SpanData {
    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&OwnedValue> {
        self.attributes.iter().find(|a| a.key == key).map(|a| &a.value)
    }

    /// The first event with this name.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&EventData> {
        self.events.iter().find(|e| e.name == name)
    }
}

impl From<&SpanView<'_>> for SpanData {
    fn from(span: &SpanView<'_>) -> Self {
        Self {
            trace_id: span.trace_id(),
            span_id: span.span_id(),
            parent_span_id: span.parent_span_id(),
            has_remote_parent: span.has_remote_parent(),
            trace_state: span.trace_state().to_owned(),
            flags: span.flags(),
            name: span.name().to_owned(),
            kind: span.kind(),
            start: span.start(),
            end: span.end(),
            status: span.status().into(),
            attributes: owned(span.attributes()),
            events: span
                .events()
                .map(|event| EventData {
                    name: event.name().to_owned(),
                    time: event.time(),
                    attributes: owned(event.attributes()),
                    dropped_attributes: event.dropped_attributes(),
                })
                .collect(),
            links: span
                .links()
                .map(|link| LinkData {
                    trace_id: link.trace_id(),
                    span_id: link.span_id(),
                    trace_state: link.trace_state().to_owned(),
                    flags: link.flags(),
                    attributes: owned(link.attributes()),
                    dropped_attributes: link.dropped_attributes(),
                })
                .collect(),
            dropped_counts: span.dropped_counts(),
            resource: owned(span.resource()),
            scope_name: span.scope().name.to_owned(),
            scope_version: span.scope().version.to_owned(),
        }
    }
}

impl From<Status<'_>> for StatusData {
    fn from(status: Status<'_>) -> Self {
        match status {
            Status::Unset => Self::Unset,
            Status::Ok => Self::Ok,
            Status::Error(text) => Self::Error(text.to_owned()),
        }
    }
}

fn owned(attributes: Attributes<'_>) -> Vec<OwnedAttribute> {
    let attribute = |(key, value): (&str, _)| OwnedAttribute { key: key.to_owned(), value: owned_value(value) };
    attributes.into_iter().map(attribute).collect()
}

/// What the attribute model of the API cannot hold (bytes, maps, mixed arrays)
/// becomes text.
fn owned_value(value: AnyValue<'_>) -> OwnedValue {
    match value {
        AnyValue::Empty => OwnedValue::Str(String::new()),
        AnyValue::Str(v) => OwnedValue::Str(v.to_owned()),
        AnyValue::Bool(v) => OwnedValue::Bool(v),
        AnyValue::I64(v) => OwnedValue::I64(v),
        AnyValue::F64(v) => OwnedValue::F64(v),
        AnyValue::Bytes(_) | AnyValue::KeyValueList(_) => OwnedValue::Str(value.to_string()),
        AnyValue::Array(values) => {
            let values: Vec<OwnedValue> = values.into_iter().map(owned_value).collect();
            uniform(&values).unwrap_or_else(|| OwnedValue::Str(value.to_string()))
        }
    }
}

fn uniform(values: &[OwnedValue]) -> Option<OwnedValue> {
    macro_rules! all {
        ($one:ident, $many:ident) => {
            values
                .iter()
                .map(|v| match v {
                    OwnedValue::$one(v) => Some(v.clone()),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()
                .map(OwnedValue::$many)
        };
    }
    match values.first() {
        None | Some(OwnedValue::Str(_)) => all!(Str, StrArray),
        Some(OwnedValue::Bool(_)) => all!(Bool, BoolArray),
        Some(OwnedValue::I64(_)) => all!(I64, I64Array),
        Some(OwnedValue::F64(_)) => all!(F64, F64Array),
        Some(_) => None,
    }
}

/// For people: texts bare, arrays in brackets, maps in braces, bytes in hexadecimal.
impl std::fmt::Display for AnyValue<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            AnyValue::Empty => Ok(()),
            AnyValue::Str(v) => f.write_str(v),
            AnyValue::Bool(v) => write!(f, "{v}"),
            AnyValue::I64(v) => write!(f, "{v}"),
            AnyValue::F64(v) => write!(f, "{v}"),
            AnyValue::Bytes(v) => v.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
            AnyValue::Array(values) => {
                f.write_str("[")?;
                for (i, value) in values.into_iter().enumerate() {
                    write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            AnyValue::KeyValueList(list) => {
                f.write_str("{")?;
                for (i, (key, value)) in list.into_iter().enumerate() {
                    write!(f, "{}{key}: {value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

impl PartialEq<Value<'_>> for OwnedValue {
    fn eq(&self, other: &Value<'_>) -> bool {
        self.to_value() == *other
    }
}
