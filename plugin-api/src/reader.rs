use crate::wire::{Field, Fields, field, malformed, tag, take, varint};
use crate::{Error, SpanId, SpanKind, Status, Timestamp, TraceId};

/// Walks the spans of an `ExportTraceServiceRequest` without copying them.
///
/// Yields each span once it was checked to its last byte, so that the views
/// need no further error handling. The first malformed part ends the walk with
/// an error.
#[derive(Debug, Clone)]
pub struct SpanReader<'a> {
    cursor: Cursor<'a>,
    request_end: usize,
    resource_end: usize,
    scope_end: usize,
    resource: &'a [u8],
    scope: ScopeView<'a>,
}

/// A finished span, read in place.
#[derive(Debug, Clone, Copy)]
pub struct SpanView<'a> {
    message: &'a [u8],
    resource: &'a [u8],
    scope: ScopeView<'a>,
    trace_id: TraceId,
    span_id: SpanId,
    parent_span_id: Option<SpanId>,
    trace_state: &'a str,
    name: &'a str,
    kind: u64,
    start: u64,
    end: u64,
    status_code: u64,
    status_message: &'a str,
    flags: u32,
    dropped_attributes: u32,
    dropped_events: u32,
    dropped_links: u32,
}

/// The library that made a span, read in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ScopeView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version, or empty.
    pub version: &'a str,
}

/// An event, read in place.
#[derive(Debug, Clone, Copy)]
pub struct EventView<'a> {
    message: &'a [u8],
    name: &'a str,
    time: u64,
    dropped_attributes: u32,
}

/// A link, read in place.
#[derive(Debug, Clone, Copy)]
pub struct LinkView<'a> {
    message: &'a [u8],
    trace_id: TraceId,
    span_id: SpanId,
    trace_state: &'a str,
    flags: u32,
    dropped_attributes: u32,
}

/// An attribute value, read in place.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "fixed by OTLP")]
pub enum AnyValue<'a> {
    /// No value.
    Empty,
    /// Text.
    Str(&'a str),
    /// True or false.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// A double.
    F64(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// An array.
    Array(Values<'a>),
    /// A map.
    KeyValueList(Attributes<'a>),
}

/// The elements of an array value.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a>(&'a [u8]);

/// Attributes, read in place.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    message: &'a [u8],
    field: u32,
}

impl<'a> SpanReader<'a> {
    /// Reads the message that the parts make when concatenated.
    #[must_use]
    pub fn new(parts: &'a [&'a [u8]]) -> Self {
        let cursor = Cursor::new(parts);
        let request_end = parts.iter().map(|part| part.len()).sum();
        Self { cursor, request_end, resource_end: 0, scope_end: 0, resource: &[], scope: ScopeView::default() }
    }

    fn read(&mut self) -> Result<Option<SpanView<'a>>, Error> {
        loop {
            let position = self.cursor.position;
            if position < self.scope_end {
                if let Some(span) = self.cursor.message(field::SCOPE_SPANS_SPANS, self.scope_end)? {
                    return SpanView::parse(span, self.resource, self.scope).map(Some);
                }
            } else if position < self.resource_end {
                if let Some(end) = self.cursor.enter(field::RESOURCE_SPANS_SCOPE_SPANS, self.resource_end)? {
                    self.scope_end = end;
                    let scope = self.cursor.find(field::SCOPE_SPANS_SCOPE, end)?;
                    self.scope = ScopeView::parse(scope)?;
                }
            } else if position < self.request_end {
                if let Some(end) = self.cursor.enter(field::REQUEST_RESOURCE_SPANS, self.request_end)? {
                    self.resource_end = end;
                    self.resource = self.cursor.find(field::RESOURCE_SPANS_RESOURCE, end)?;
                    check_attributes(self.resource, field::RESOURCE_ATTRIBUTES, 0)?;
                }
            } else {
                return Ok(None);
            }
        }
    }
}

impl<'a> Iterator for SpanReader<'a> {
    type Item = Result<SpanView<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let span = self.read().transpose();
        if matches!(span, Some(Err(_))) {
            self.request_end = 0;
            self.resource_end = 0;
            self.scope_end = 0;
        }
        span
    }
}

/// A position in the concatenation of the parts.
#[derive(Debug, Clone)]
struct Cursor<'a> {
    parts: &'a [&'a [u8]],
    rest: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    fn new(parts: &'a [&'a [u8]]) -> Self {
        Self { parts, rest: &[], position: 0 }
    }

    /// Moves to the next part when this one is used up.
    fn settle(&mut self) {
        while self.rest.is_empty() {
            let Some((next, parts)) = self.parts.split_first() else { return };
            self.rest = next;
            self.parts = parts;
        }
    }

    /// Reads the head of a field that must end at or before `end`; skips a field of fixed size.
    fn head(&mut self, end: usize) -> Result<Option<(u32, usize)>, Error> {
        self.settle();
        let before = self.rest.len();
        let (number, wire) = tag(&mut self.rest)?;
        let len = match wire {
            0 => varint(&mut self.rest).map(|_| None)?,
            1 => take(&mut self.rest, 8).map(|_| None)?,
            5 => take(&mut self.rest, 4).map(|_| None)?,
            2 => Some(usize::try_from(varint(&mut self.rest)?).unwrap_or(usize::MAX)),
            _ => return Err(malformed("wire type not used by OTLP")),
        };
        self.position += before - self.rest.len();
        if self.position.saturating_add(len.unwrap_or(0)) > end {
            return Err(malformed("field longer than its message"));
        }
        Ok(len.map(|len| (number, len)))
    }

    /// Enters the message in field `wanted` and says where it ends, or skips another field.
    fn enter(&mut self, wanted: u32, end: usize) -> Result<Option<usize>, Error> {
        match self.head(end)? {
            Some((number, len)) if number == wanted => Ok(Some(self.position + len)),
            Some((_, len)) => self.skip(len).map(|()| None),
            None => Ok(None),
        }
    }

    /// Takes the bytes of field `wanted`, or skips another field.
    fn message(&mut self, wanted: u32, end: usize) -> Result<Option<&'a [u8]>, Error> {
        match self.head(end)? {
            Some((number, len)) if number == wanted => {
                if len > 0 {
                    self.settle();
                }
                let bytes =
                    take(&mut self.rest, len).map_err(|_| malformed("span crosses from one part into the next"))?;
                self.position += len;
                Ok(Some(bytes))
            }
            Some((_, len)) => self.skip(len).map(|()| None),
            None => Ok(None),
        }
    }

    /// Looks ahead for field `wanted` before `end`; empty if it is absent.
    fn find(&self, wanted: u32, end: usize) -> Result<&'a [u8], Error> {
        let mut ahead = self.clone();
        let mut found: &[u8] = &[];
        while ahead.position < end {
            if let Some(bytes) = ahead.message(wanted, end)? {
                found = bytes;
            }
        }
        Ok(found)
    }

    fn skip(&mut self, mut len: usize) -> Result<(), Error> {
        self.position += len;
        while len > 0 {
            self.settle();
            let step = len.min(self.rest.len());
            if step == 0 {
                return Err(malformed("message shorter than its fields"));
            }
            self.rest = &self.rest[step..];
            len -= step;
        }
        Ok(())
    }
}

impl<'a> SpanView<'a> {
    fn parse(message: &'a [u8], resource: &'a [u8], scope: ScopeView<'a>) -> Result<Self, Error> {
        let mut span = Self {
            message,
            resource,
            scope,
            trace_id: TraceId::INVALID,
            span_id: SpanId::INVALID,
            parent_span_id: None,
            trace_state: "",
            name: "",
            kind: 0,
            start: 0,
            end: 0,
            status_code: 0,
            status_message: "",
            flags: 0,
            dropped_attributes: 0,
            dropped_events: 0,
            dropped_links: 0,
        };
        for item in Fields::new(message) {
            match item? {
                (field::SPAN_TRACE_ID, Field::Len(bytes)) => span.trace_id = trace_id(bytes)?,
                (field::SPAN_SPAN_ID, Field::Len(bytes)) => span.span_id = span_id(bytes)?,
                (field::SPAN_TRACE_STATE, Field::Len(bytes)) => span.trace_state = text(bytes)?,
                (field::SPAN_PARENT_SPAN_ID, Field::Len(bytes)) => {
                    span.parent_span_id = Some(span_id(bytes)?).filter(|id| id.is_valid());
                }
                (field::SPAN_NAME, Field::Len(bytes)) => span.name = text(bytes)?,
                (field::SPAN_KIND, Field::Varint(v)) => span.kind = v,
                (field::SPAN_START, Field::Fixed64(v)) => span.start = v,
                (field::SPAN_END, Field::Fixed64(v)) => span.end = v,
                (field::SPAN_ATTRIBUTES, Field::Len(bytes)) => check_key_value(bytes, 0)?,
                (field::SPAN_DROPPED_ATTRIBUTES, Field::Varint(v)) => span.dropped_attributes = v as u32,
                (field::SPAN_EVENTS, Field::Len(bytes)) => drop(EventView::parse(bytes)?),
                (field::SPAN_DROPPED_EVENTS, Field::Varint(v)) => span.dropped_events = v as u32,
                (field::SPAN_LINKS, Field::Len(bytes)) => drop(LinkView::parse(bytes)?),
                (field::SPAN_DROPPED_LINKS, Field::Varint(v)) => span.dropped_links = v as u32,
                (field::SPAN_STATUS, Field::Len(bytes)) => {
                    // A repeated message merges into the earlier one.
                    for item in Fields::new(bytes) {
                        match item? {
                            (field::STATUS_MESSAGE, Field::Len(bytes)) => span.status_message = text(bytes)?,
                            (field::STATUS_CODE, Field::Varint(v)) => span.status_code = v,
                            _ => {}
                        }
                    }
                }
                (field::SPAN_FLAGS, Field::Fixed32(v)) => span.flags = v,
                _ => {}
            }
        }
        Ok(span)
    }

    /// The trace.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The span.
    #[must_use]
    pub const fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The parent; `None` for the root of a trace.
    #[must_use]
    pub const fn parent_span_id(&self) -> Option<SpanId> {
        self.parent_span_id
    }

    /// Whether the parent is in another process; false if nobody said so.
    #[must_use]
    pub const fn has_remote_parent(&self) -> bool {
        let both = field::FLAGS_HAS_IS_REMOTE | field::FLAGS_IS_REMOTE;
        self.flags & both == both
    }

    /// The W3C trace state.
    #[must_use]
    pub const fn trace_state(&self) -> &'a str {
        self.trace_state
    }

    /// The W3C flags and the two remote bits.
    #[must_use]
    pub const fn flags(&self) -> u32 {
        self.flags
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The role.
    #[must_use]
    pub const fn kind(&self) -> SpanKind {
        SpanKind::from_otlp(self.kind)
    }

    /// When it began.
    #[must_use]
    pub const fn start(&self) -> Timestamp {
        Timestamp::from_unix_nanos(self.start)
    }

    /// When it ended.
    #[must_use]
    pub const fn end(&self) -> Timestamp {
        Timestamp::from_unix_nanos(self.end)
    }

    /// Nanoseconds from start to end; 0 if the end lies before the start.
    #[must_use]
    pub const fn duration_nanos(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// The outcome.
    #[must_use]
    pub const fn status(&self) -> Status<'a> {
        match self.status_code {
            1 => Status::Ok,
            2 => Status::Error(self.status_message),
            _ => Status::Unset,
        }
    }

    /// The attributes.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes { message: self.message, field: field::SPAN_ATTRIBUTES }
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<AnyValue<'a>> {
        self.attributes().into_iter().find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// The events in their order.
    pub fn events(&self) -> impl Iterator<Item = EventView<'a>> + Clone + use<'a> {
        messages(self.message, field::SPAN_EVENTS).filter_map(|m| EventView::parse(m).ok())
    }

    /// The links in their order.
    pub fn links(&self) -> impl Iterator<Item = LinkView<'a>> + Clone + use<'a> {
        messages(self.message, field::SPAN_LINKS).filter_map(|m| LinkView::parse(m).ok())
    }

    /// Attributes, events and links that the limits kept out.
    #[must_use]
    pub const fn dropped_counts(&self) -> (u32, u32, u32) {
        (self.dropped_attributes, self.dropped_events, self.dropped_links)
    }

    /// The attributes of what produced the span.
    #[must_use]
    pub const fn resource(&self) -> Attributes<'a> {
        Attributes { message: self.resource, field: field::RESOURCE_ATTRIBUTES }
    }

    /// The library that made the span.
    #[must_use]
    pub const fn scope(&self) -> ScopeView<'a> {
        self.scope
    }
}

impl<'a> ScopeView<'a> {
    fn parse(message: &'a [u8]) -> Result<Self, Error> {
        let mut scope = Self::default();
        for item in Fields::new(message) {
            match item? {
                (field::SCOPE_NAME, Field::Len(bytes)) => scope.name = text(bytes)?,
                (field::SCOPE_VERSION, Field::Len(bytes)) => scope.version = text(bytes)?,
                _ => {}
            }
        }
        Ok(scope)
    }
}

impl<'a> EventView<'a> {
    fn parse(message: &'a [u8]) -> Result<Self, Error> {
        let mut event = Self { message, name: "", time: 0, dropped_attributes: 0 };
        for item in Fields::new(message) {
            match item? {
                (field::EVENT_TIME, Field::Fixed64(v)) => event.time = v,
                (field::EVENT_NAME, Field::Len(bytes)) => event.name = text(bytes)?,
                (field::EVENT_ATTRIBUTES, Field::Len(bytes)) => check_key_value(bytes, 0)?,
                (field::EVENT_DROPPED_ATTRIBUTES, Field::Varint(v)) => event.dropped_attributes = v as u32,
                _ => {}
            }
        }
        Ok(event)
    }

    /// What happened.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// When.
    #[must_use]
    pub const fn time(&self) -> Timestamp {
        Timestamp::from_unix_nanos(self.time)
    }

    /// Details.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes { message: self.message, field: field::EVENT_ATTRIBUTES }
    }

    /// Attributes that the limits kept out.
    #[must_use]
    pub const fn dropped_attributes(&self) -> u32 {
        self.dropped_attributes
    }
}

impl<'a> LinkView<'a> {
    fn parse(message: &'a [u8]) -> Result<Self, Error> {
        let mut link = Self {
            message,
            trace_id: TraceId::INVALID,
            span_id: SpanId::INVALID,
            trace_state: "",
            flags: 0,
            dropped_attributes: 0,
        };
        for item in Fields::new(message) {
            match item? {
                (field::LINK_TRACE_ID, Field::Len(bytes)) => link.trace_id = trace_id(bytes)?,
                (field::LINK_SPAN_ID, Field::Len(bytes)) => link.span_id = span_id(bytes)?,
                (field::LINK_TRACE_STATE, Field::Len(bytes)) => link.trace_state = text(bytes)?,
                (field::LINK_ATTRIBUTES, Field::Len(bytes)) => check_key_value(bytes, 0)?,
                (field::LINK_DROPPED_ATTRIBUTES, Field::Varint(v)) => link.dropped_attributes = v as u32,
                (field::LINK_FLAGS, Field::Fixed32(v)) => link.flags = v,
                _ => {}
            }
        }
        Ok(link)
    }

    /// The trace of the other span.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The other span.
    #[must_use]
    pub const fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// Its W3C trace state.
    #[must_use]
    pub const fn trace_state(&self) -> &'a str {
        self.trace_state
    }

    /// Its W3C flags and the two remote bits.
    #[must_use]
    pub const fn flags(&self) -> u32 {
        self.flags
    }

    /// Why it is linked.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes { message: self.message, field: field::LINK_ATTRIBUTES }
    }

    /// Attributes that the limits kept out.
    #[must_use]
    pub const fn dropped_attributes(&self) -> u32 {
        self.dropped_attributes
    }
}

impl<'a> AnyValue<'a> {
    fn parse(message: &'a [u8], depth: u32) -> Result<Self, Error> {
        if depth > MAX_DEPTH {
            return Err(malformed("attribute value nested too deeply"));
        }
        let mut value = AnyValue::Empty;
        for item in Fields::new(message) {
            value = match item? {
                (field::ANY_STRING, Field::Len(bytes)) => AnyValue::Str(text(bytes)?),
                (field::ANY_BOOL, Field::Varint(v)) => AnyValue::Bool(v != 0),
                (field::ANY_INT, Field::Varint(v)) => AnyValue::I64(v as i64),
                (field::ANY_DOUBLE, Field::Fixed64(v)) => AnyValue::F64(f64::from_bits(v)),
                (field::ANY_BYTES, Field::Len(bytes)) => AnyValue::Bytes(bytes),
                (field::ANY_ARRAY, Field::Len(bytes)) => AnyValue::Array(Values(bytes)),
                (field::ANY_KEY_VALUE_LIST, Field::Len(bytes)) => {
                    AnyValue::KeyValueList(Attributes { message: bytes, field: field::LIST_VALUES })
                }
                _ => value,
            };
        }
        Ok(value)
    }

    /// The text, if it is one.
    #[must_use]
    pub const fn as_str(&self) -> Option<&'a str> {
        match self {
            AnyValue::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one.
    #[must_use]
    pub const fn as_i64(&self) -> Option<i64> {
        match self {
            AnyValue::I64(v) => Some(*v),
            _ => None,
        }
    }
}

impl Attributes<'_> {
    /// Whether these are the same bytes; the same place is quicker to tell.
    #[cfg(feature = "json")]
    pub(crate) fn is_same(self, other: Self) -> bool {
        std::ptr::eq(self.message, other.message) || self.message == other.message
    }
}

impl<'a> IntoIterator for Attributes<'a> {
    type Item = (&'a str, AnyValue<'a>);
    type IntoIter = AttributesIter<'a>;

    fn into_iter(self) -> AttributesIter<'a> {
        AttributesIter { fields: Fields::new(self.message), field: self.field }
    }
}

impl<'a> IntoIterator for Values<'a> {
    type Item = AnyValue<'a>;
    type IntoIter = ValuesIter<'a>;

    fn into_iter(self) -> ValuesIter<'a> {
        ValuesIter(Fields::new(self.0))
    }
}

/// Iterates over [`Attributes`].
#[derive(Debug, Clone)]
pub struct AttributesIter<'a> {
    fields: Fields<'a>,
    field: u32,
}

/// Iterates over [`Values`].
#[derive(Debug, Clone)]
pub struct ValuesIter<'a>(Fields<'a>);

impl<'a> Iterator for AttributesIter<'a> {
    type Item = (&'a str, AnyValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        next_message(&mut self.fields, self.field).and_then(|message| key_value(message, 0).ok())
    }
}

impl<'a> Iterator for ValuesIter<'a> {
    type Item = AnyValue<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        next_message(&mut self.0, field::LIST_VALUES).and_then(|message| AnyValue::parse(message, 0).ok())
    }
}

/// As deep as prost goes.
const MAX_DEPTH: u32 = 64;

fn messages(message: &[u8], wanted: u32) -> impl Iterator<Item = &[u8]> + Clone {
    Fields::new(message).filter_map(move |item| match item {
        Ok((number, Field::Len(bytes))) if number == wanted => Some(bytes),
        _ => None,
    })
}

fn next_message<'a>(fields: &mut Fields<'a>, wanted: u32) -> Option<&'a [u8]> {
    fields.find_map(|item| match item {
        Ok((number, Field::Len(bytes))) if number == wanted => Some(bytes),
        _ => None,
    })
}

fn key_value(message: &[u8], depth: u32) -> Result<(&str, AnyValue<'_>), Error> {
    let mut key = "";
    let mut value = AnyValue::Empty;
    for item in Fields::new(message) {
        match item? {
            (field::KEY_VALUE_KEY, Field::Len(bytes)) => key = text(bytes)?,
            (field::KEY_VALUE_VALUE, Field::Len(bytes)) => value = AnyValue::parse(bytes, depth)?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// Checks a `KeyValue` and all that is nested in it.
fn check_key_value(message: &[u8], depth: u32) -> Result<(), Error> {
    let (_, value) = key_value(message, depth)?;
    check_value(value, depth)
}

fn check_value(value: AnyValue<'_>, depth: u32) -> Result<(), Error> {
    match value {
        AnyValue::Array(Values(bytes)) => {
            for item in Fields::new(bytes) {
                if let (field::LIST_VALUES, Field::Len(bytes)) = item? {
                    check_value(AnyValue::parse(bytes, depth + 1)?, depth + 1)?;
                }
            }
            Ok(())
        }
        AnyValue::KeyValueList(list) => check_attributes(list.message, list.field, depth + 1),
        _ => Ok(()),
    }
}

fn check_attributes(message: &[u8], wanted: u32, depth: u32) -> Result<(), Error> {
    for item in Fields::new(message) {
        match item? {
            (number, Field::Len(bytes)) if number == wanted => check_key_value(bytes, depth)?,
            _ => {}
        }
    }
    Ok(())
}

fn trace_id(bytes: &[u8]) -> Result<TraceId, Error> {
    let bytes = bytes.try_into().map_err(|_| malformed("trace id without 16 bytes"))?;
    Ok(TraceId::from_bytes(bytes))
}

/// An empty parent id means a root.
fn span_id(bytes: &[u8]) -> Result<SpanId, Error> {
    if bytes.is_empty() {
        return Ok(SpanId::INVALID);
    }
    let bytes = bytes.try_into().map_err(|_| malformed("span id without 8 bytes"))?;
    Ok(SpanId::from_bytes(bytes))
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| malformed("text that is not UTF-8"))
}
