//! The messages of OTLP that a span of ours has a place for, by their names in JSON.
//!
//! Source: opentelemetry-proto 1.x, `trace.proto`, `common.proto`, `resource.proto`.

use spandrel_plugin_api::wire::field;

/// A message: its fields that are read. Others are left alone.
pub(super) struct Message {
    fields: &'static [(&'static str, u32, Kind)],
    /// Names of fields that must be there.
    pub(super) required: &'static [&'static str],
    /// What is said if they are not.
    pub(super) incomplete: &'static str,
}

/// How the value of a field is written, there and here.
pub(super) enum Kind {
    Text,
    /// Hexadecimal digits of so many bytes.
    Id(usize),
    Time,
    Flags,
    Count,
    /// A number, or one of the names, with the prefix or without.
    Choice(&'static str, &'static [&'static str]),
    Boolean,
    Integer,
    Double,
    Bytes,
    One(&'static Message),
    List(&'static Message),
}

impl Message {
    const fn new(fields: &'static [(&'static str, u32, Kind)]) -> Self {
        Self { fields, required: &[], incomplete: "" }
    }

    /// The number and the kind of a field.
    pub(super) fn field(&self, name: &[u8]) -> Option<(u32, &'static Kind)> {
        self.fields.iter().find(|(known, ..)| known.as_bytes() == name).map(|(_, number, kind)| (*number, kind))
    }
}

pub(super) static REQUEST: Message = Message {
    required: &["resourceSpans"],
    ..Message::new(&[("resourceSpans", field::REQUEST_RESOURCE_SPANS, Kind::List(&RESOURCE_SPANS))])
};

static RESOURCE_SPANS: Message = Message::new(&[
    ("resource", field::RESOURCE_SPANS_RESOURCE, Kind::One(&RESOURCE)),
    ("scopeSpans", field::RESOURCE_SPANS_SCOPE_SPANS, Kind::List(&SCOPE_SPANS)),
]);

static RESOURCE: Message = Message::new(&[("attributes", field::RESOURCE_ATTRIBUTES, Kind::List(&KEY_VALUE))]);

static SCOPE_SPANS: Message = Message::new(&[
    ("scope", field::SCOPE_SPANS_SCOPE, Kind::One(&SCOPE)),
    ("spans", field::SCOPE_SPANS_SPANS, Kind::List(&SPAN)),
]);

static SCOPE: Message =
    Message::new(&[("name", field::SCOPE_NAME, Kind::Text), ("version", field::SCOPE_VERSION, Kind::Text)]);

static SPAN: Message = Message {
    required: &["traceId", "spanId"],
    incomplete: "a span without `traceId` or `spanId`",
    ..Message::new(&[
        ("traceId", field::SPAN_TRACE_ID, Kind::Id(16)),
        ("spanId", field::SPAN_SPAN_ID, Kind::Id(8)),
        ("traceState", field::SPAN_TRACE_STATE, Kind::Text),
        ("parentSpanId", field::SPAN_PARENT_SPAN_ID, Kind::Id(8)),
        ("flags", field::SPAN_FLAGS, Kind::Flags),
        ("name", field::SPAN_NAME, Kind::Text),
        ("kind", field::SPAN_KIND, Kind::Choice("SPAN_KIND_", &KINDS)),
        ("startTimeUnixNano", field::SPAN_START, Kind::Time),
        ("endTimeUnixNano", field::SPAN_END, Kind::Time),
        ("attributes", field::SPAN_ATTRIBUTES, Kind::List(&KEY_VALUE)),
        ("droppedAttributesCount", field::SPAN_DROPPED_ATTRIBUTES, Kind::Count),
        ("events", field::SPAN_EVENTS, Kind::List(&EVENT)),
        ("droppedEventsCount", field::SPAN_DROPPED_EVENTS, Kind::Count),
        ("links", field::SPAN_LINKS, Kind::List(&LINK)),
        ("droppedLinksCount", field::SPAN_DROPPED_LINKS, Kind::Count),
        ("status", field::SPAN_STATUS, Kind::One(&STATUS)),
    ])
};

const KINDS: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

static EVENT: Message = Message::new(&[
    ("timeUnixNano", field::EVENT_TIME, Kind::Time),
    ("name", field::EVENT_NAME, Kind::Text),
    ("attributes", field::EVENT_ATTRIBUTES, Kind::List(&KEY_VALUE)),
    ("droppedAttributesCount", field::EVENT_DROPPED_ATTRIBUTES, Kind::Count),
]);

static LINK: Message = Message::new(&[
    ("traceId", field::LINK_TRACE_ID, Kind::Id(16)),
    ("spanId", field::LINK_SPAN_ID, Kind::Id(8)),
    ("traceState", field::LINK_TRACE_STATE, Kind::Text),
    ("attributes", field::LINK_ATTRIBUTES, Kind::List(&KEY_VALUE)),
    ("droppedAttributesCount", field::LINK_DROPPED_ATTRIBUTES, Kind::Count),
    ("flags", field::LINK_FLAGS, Kind::Flags),
]);

static STATUS: Message = Message::new(&[
    ("message", field::STATUS_MESSAGE, Kind::Text),
    ("code", field::STATUS_CODE, Kind::Choice("STATUS_CODE_", &["UNSET", "OK", "ERROR"])),
]);

static KEY_VALUE: Message = Message::new(&[
    ("key", field::KEY_VALUE_KEY, Kind::Text),
    ("value", field::KEY_VALUE_VALUE, Kind::One(&ANY_VALUE)),
]);

static ANY_VALUE: Message = Message::new(&[
    ("stringValue", field::ANY_STRING, Kind::Text),
    ("boolValue", field::ANY_BOOL, Kind::Boolean),
    ("intValue", field::ANY_INT, Kind::Integer),
    ("doubleValue", field::ANY_DOUBLE, Kind::Double),
    ("bytesValue", field::ANY_BYTES, Kind::Bytes),
    ("arrayValue", field::ANY_ARRAY, Kind::One(&ARRAY)),
    ("kvlistValue", field::ANY_KEY_VALUE_LIST, Kind::One(&KEY_VALUE_LIST)),
]);

static ARRAY: Message = Message::new(&[("values", field::LIST_VALUES, Kind::List(&ANY_VALUE))]);

static KEY_VALUE_LIST: Message = Message::new(&[("values", field::LIST_VALUES, Kind::List(&KEY_VALUE))]);
