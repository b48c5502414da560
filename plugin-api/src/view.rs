use crate::any_value::{check_key_value, messages, text};
use crate::wire::{Field, Fields, field, malformed};
use crate::{AnyValue, Attributes, Error, SpanId, SpanKind, Status, Timestamp, TraceId};

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

impl<'a> SpanView<'a> {
    pub(crate) fn parse(message: &'a [u8], resource: &'a [u8], scope: ScopeView<'a>) -> Result<Self, Error> {
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
    pub(crate) fn parse(message: &'a [u8]) -> Result<Self, Error> {
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
