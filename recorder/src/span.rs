use std::ops::Range;

use spandrel_plugin_api::wire::{self, Field, Fields, field};
use spandrel_plugin_api::{Attribute, Event, Link, SpanContext, SpanKind, SpanStart, Status, Timestamp};

use crate::config::SpanLimits;
use crate::fork;

/// A span that has not ended: what OTLP says of it, encoded as it comes.
///
/// The one who runs the span keeps it and hands it to [`Recorder::start`] and
/// [`Recorder::end`]; used again for the next span, it allocates nothing.
///
/// Attributes, events and links may stand in any order and are appended at once.
/// Decoders merge a repeated status and keep equal attribute keys twice, so
/// status and counts are slots written at the end, and what is set again takes
/// the place of the first.
///
/// [`Recorder::start`]: crate::Recorder::start
/// [`Recorder::end`]: crate::Recorder::end
#[derive(Default)]
pub struct RunningSpan {
    generation: u64,
    scope: u32,
    /// Room for the head, then the fields of the span.
    bytes: Vec<u8>,
    start: u64,
    /// Where the name lies.
    name: Range<usize>,
    /// Where the attributes lie.
    attributes: Vec<Range<usize>>,
    /// What is asked for each attribute, as [`SpanLimits`] has it.
    max_attributes: usize,
    value_chars: usize,
    /// A bit for each of the attributes' keys; a key whose bit is not set is new.
    keys: u64,
    events: usize,
    links: usize,
    dropped_attributes: u32,
    dropped_events: u32,
    dropped_links: u32,
    status: StatusSlot,
    status_message: String,
    /// Whether there is more to write at the end than the time.
    has_slots: bool,
    /// An event or link while it is put together.
    scratch: Vec<u8>,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum StatusSlot {
    #[default]
    Unset,
    Ok,
    Error,
}

/// Tag and length of the field that holds the span, of which the length is known
/// last: one byte and at most ten.
const HEAD_ROOM: usize = 11;

/// The fields that every span has, at fixed places.
const FIXED: [u8; HEAD_ROOM + 54] = {
    let mut fixed = [0; HEAD_ROOM + 54];
    fixed[TRACE_ID_AT - 2] = len_tag(field::SPAN_TRACE_ID);
    fixed[TRACE_ID_AT - 1] = 16;
    fixed[SPAN_ID_AT - 2] = len_tag(field::SPAN_SPAN_ID);
    fixed[SPAN_ID_AT - 1] = 8;
    fixed[KIND_AT - 1] = (field::SPAN_KIND << 3) as u8;
    // A number above 15 makes a tag of two bytes.
    fixed[FLAGS_AT - 2] = (field::SPAN_FLAGS << 3 | 5) as u8 | 0x80;
    fixed[FLAGS_AT - 1] = (field::SPAN_FLAGS >> 4) as u8;
    fixed[START_AT - 1] = (field::SPAN_START << 3 | 1) as u8;
    fixed[END_AT - 1] = (field::SPAN_END << 3 | 1) as u8;
    fixed
};

const TRACE_ID_AT: usize = HEAD_ROOM + 2;
const SPAN_ID_AT: usize = TRACE_ID_AT + 16 + 2;
const KIND_AT: usize = SPAN_ID_AT + 8 + 1;
const FLAGS_AT: usize = KIND_AT + 1 + 2;
const START_AT: usize = FLAGS_AT + 4 + 1;
const END_AT: usize = START_AT + 8 + 1;

/// Of the field of `ScopeSpans` that the span is.
const TAG: u8 = len_tag(field::SCOPE_SPANS_SPANS);

const fn len_tag(field: u32) -> u8 {
    (field << 3 | 2) as u8
}

impl RunningSpan {
    /// Begins a span in what [`clear`](Self::clear) left.
    #[inline]
    pub(crate) fn begin(&mut self, start: &SpanStart<'_>, scope: u32, limits: &SpanLimits) {
        self.begin_named(start.name, start.context, start.parent, start.time, limits);
        self.fixed()[KIND_AT] = start.kind.to_otlp();
        self.scope = scope;
        if !start.attributes.is_empty() {
            self.set_attributes(start.attributes);
        }
        for link in start.links {
            self.add_link(link, limits);
        }
    }

    /// As [`begin`](Self::begin), for an internal span of the usual scope that has only a name.
    #[inline(always)]
    pub(crate) fn begin_named(
        &mut self,
        name: &str,
        context: &SpanContext,
        parent: Option<&SpanContext>,
        time: Timestamp,
        limits: &SpanLimits,
    ) {
        self.max_attributes = limits.attributes;
        self.value_chars = limits.value_chars;
        self.generation = fork::generation();
        self.scope = 0;
        self.start = time.unix_nanos();
        let mut flags = u32::from(context.flags().bits()) | field::FLAGS_HAS_IS_REMOTE;
        if parent.is_some_and(SpanContext::is_remote) {
            flags |= field::FLAGS_IS_REMOTE;
        }
        let fixed = self.fixed();
        fixed[TRACE_ID_AT..][..16].copy_from_slice(context.trace_id().as_bytes());
        fixed[SPAN_ID_AT..][..8].copy_from_slice(context.span_id().as_bytes());
        fixed[KIND_AT] = SpanKind::Internal.to_otlp();
        fixed[FLAGS_AT..][..4].copy_from_slice(&flags.to_le_bytes());
        fixed[START_AT..][..8].copy_from_slice(&time.unix_nanos().to_le_bytes());
        if let Some(parent) = parent {
            let mut field = [len_tag(field::SPAN_PARENT_SPAN_ID), 8, 0, 0, 0, 0, 0, 0, 0, 0];
            field[2..].copy_from_slice(parent.span_id().as_bytes());
            self.bytes.extend_from_slice(&field);
        }
        if !context.trace_state().is_empty() {
            wire::put_bytes(&mut self.bytes, field::SPAN_TRACE_STATE, context.trace_state().as_str().as_bytes());
        }
        self.put_name(name);
    }

    /// The bytes that every span has.
    #[inline(always)]
    fn fixed(&mut self) -> &mut [u8; FIXED.len()] {
        if self.bytes.len() < FIXED.len() {
            self.put_fixed();
        }
        match self.bytes.first_chunk_mut() {
            Some(fixed) => fixed,
            None => unreachable!("they were put there"),
        }
    }

    /// Only for the first span that is kept here.
    #[cold]
    fn put_fixed(&mut self) {
        self.bytes.clear();
        self.bytes.reserve(USUAL_BYTES);
        self.bytes.extend_from_slice(&FIXED);
    }

    /// Whether the span was started by this process, not by one it was forked from.
    #[inline]
    pub(crate) fn is_ours(&self) -> bool {
        self.generation == fork::generation()
    }

    /// Replaces the name. Rare, so it may move what lies behind.
    pub(crate) fn set_name(&mut self, name: &str) {
        self.remove(self.name.clone());
        self.put_name(name);
    }

    #[inline(always)]
    fn put_name(&mut self, name: &str) {
        let start = self.bytes.len();
        wire::put_len(&mut self.bytes, field::SPAN_NAME, name.len());
        self.bytes.extend_from_slice(name.as_bytes());
        self.name = start..self.bytes.len();
    }

    /// `Ok` is final, `Unset` is ignored, only an error carries a text. An error
    /// without a text keeps an earlier one, which knows more.
    pub(crate) fn set_status(&mut self, status: Status<'_>) {
        let (slot, message) = match status {
            Status::Unset => return,
            Status::Ok => (StatusSlot::Ok, ""),
            Status::Error(message) => (StatusSlot::Error, message),
        };
        let says_less = message.is_empty() && (self.status, slot) == (StatusSlot::Error, StatusSlot::Error);
        if self.status != StatusSlot::Ok && !says_less {
            self.has_slots = true;
            self.status = slot;
            self.status_message.clear();
            self.status_message.push_str(message);
        }
    }

    #[inline]
    pub(crate) fn set_attributes(&mut self, attributes: &[Attribute<'_>]) {
        for attribute in attributes {
            self.set_attribute(attribute);
        }
    }

    /// Sets an attribute of a span that was begun; a key that is there already gets the new value.
    #[inline(always)]
    pub fn set_attribute(&mut self, attribute: &Attribute<'_>) {
        let key = attribute.key.as_bytes();
        let bit = key_bit(key);
        if (self.keys & bit != 0 || self.attributes.len() >= self.max_attributes || key.is_empty())
            && !self.make_room(key)
        {
            return;
        }
        self.keys |= bit;
        let start = self.bytes.len();
        wire::put_attribute(&mut self.bytes, field::SPAN_ATTRIBUTES, attribute, self.value_chars);
        self.attributes.push(start..self.bytes.len());
    }

    /// Removes an attribute with this key; false if there is none and no more may come.
    #[cold]
    fn make_room(&mut self, key: &[u8]) -> bool {
        if key.is_empty() {
            return false;
        }
        if let Some(known) = self.attributes.iter().position(|place| has_key(&self.bytes[place.clone()], key)) {
            let removed = self.attributes.remove(known);
            self.remove(removed);
        } else if self.attributes.len() >= self.max_attributes {
            self.dropped_attributes += 1;
            self.has_slots = true;
            return false;
        }
        true
    }

    /// Takes bytes out and remembers where the others lie then.
    #[cold]
    fn remove(&mut self, removed: Range<usize>) {
        let len = removed.len();
        let moved = |place: &Range<usize>| match place.start > removed.start {
            true => place.start - len..place.end - len,
            false => place.clone(),
        };
        for place in &mut self.attributes {
            *place = moved(place);
        }
        self.name = moved(&self.name);
        self.bytes.drain(removed);
    }

    #[inline]
    pub(crate) fn add_event(&mut self, event: &Event<'_>, limits: &SpanLimits) {
        if self.events >= limits.events {
            self.dropped_events += 1;
            self.has_slots = true;
            return;
        }
        self.events += 1;
        if event.attributes.is_empty() && event.name.len() < 0x80 - 11 {
            return self.put_short_event(event);
        }
        let out = &mut self.scratch;
        out.clear();
        wire::put_fixed64(out, field::EVENT_TIME, event.time.unix_nanos());
        wire::put_bytes(out, field::EVENT_NAME, event.name.as_bytes());
        let dropped = put_attributes(out, field::EVENT_ATTRIBUTES, event.attributes, limits.event_attributes, limits);
        if dropped > 0 {
            wire::put_uint(out, field::EVENT_DROPPED_ATTRIBUTES, dropped);
        }
        wire::put_bytes(&mut self.bytes, field::SPAN_EVENTS, out);
        out.shrink_to(MAX_KEPT_BYTES);
    }

    /// An event that has only a name and a time.
    #[inline]
    fn put_short_event(&mut self, event: &Event<'_>) {
        const TIME: u8 = (field::EVENT_TIME << 3 | 1) as u8;
        let len = event.name.len() as u8;
        let mut head =
            [len_tag(field::SPAN_EVENTS), len + 11, TIME, 0, 0, 0, 0, 0, 0, 0, 0, len_tag(field::EVENT_NAME), len];
        head[3..11].copy_from_slice(&event.time.unix_nanos().to_le_bytes());
        self.bytes.extend_from_slice(&head);
        self.bytes.extend_from_slice(event.name.as_bytes());
    }

    pub(crate) fn add_link(&mut self, link: &Link<'_>, limits: &SpanLimits) {
        if self.links >= limits.links {
            self.dropped_links += 1;
            self.has_slots = true;
            return;
        }
        self.links += 1;
        let context = link.context;
        let out = &mut self.scratch;
        out.clear();
        wire::put_bytes(out, field::LINK_TRACE_ID, context.trace_id().as_bytes());
        wire::put_bytes(out, field::LINK_SPAN_ID, context.span_id().as_bytes());
        if !context.trace_state().is_empty() {
            wire::put_bytes(out, field::LINK_TRACE_STATE, context.trace_state().as_str().as_bytes());
        }
        let dropped = put_attributes(out, field::LINK_ATTRIBUTES, link.attributes, limits.link_attributes, limits);
        if dropped > 0 {
            wire::put_uint(out, field::LINK_DROPPED_ATTRIBUTES, dropped);
        }
        let remote = if context.is_remote() { field::FLAGS_IS_REMOTE } else { 0 };
        let flags = u32::from(context.flags().bits()) | field::FLAGS_HAS_IS_REMOTE | remote;
        wire::put_fixed32(out, field::LINK_FLAGS, flags);
        wire::put_bytes(&mut self.bytes, field::SPAN_LINKS, out);
        out.shrink_to(MAX_KEPT_BYTES);
    }

    /// Writes what is known at the end, and says the scope and the whole field of
    /// `ScopeSpans` that the span is.
    #[inline(always)]
    pub(crate) fn finish(&mut self, end: Timestamp) -> (u32, &[u8]) {
        // A clock that was set back must not make a negative duration.
        let end = end.unix_nanos().max(self.start);
        self.fixed()[END_AT..][..8].copy_from_slice(&end.to_le_bytes());
        if self.has_slots {
            self.put_slots();
        }
        let len = self.bytes.len() - HEAD_ROOM;
        let head = match len {
            0..0x80 => {
                self.fixed()[HEAD_ROOM - 2..][..2].copy_from_slice(&[TAG, len as u8]);
                HEAD_ROOM - 2
            }
            0x80..0x4000 => {
                self.fixed()[HEAD_ROOM - 3..][..3].copy_from_slice(&[TAG, len as u8 | 0x80, (len >> 7) as u8]);
                HEAD_ROOM - 3
            }
            _ => self.put_long_head(len),
        };
        (self.scope, &self.bytes[head..])
    }

    #[cold]
    fn put_long_head(&mut self, len: usize) -> usize {
        let mut head = Vec::with_capacity(HEAD_ROOM);
        wire::put_len(&mut head, field::SCOPE_SPANS_SPANS, len);
        let start = HEAD_ROOM - head.len();
        self.bytes[start..HEAD_ROOM].copy_from_slice(&head);
        start
    }

    #[cold]
    fn put_slots(&mut self) {
        let out = &mut self.bytes;
        for (field, count) in [
            (field::SPAN_DROPPED_ATTRIBUTES, self.dropped_attributes),
            (field::SPAN_DROPPED_EVENTS, self.dropped_events),
            (field::SPAN_DROPPED_LINKS, self.dropped_links),
        ] {
            if count > 0 {
                wire::put_uint(out, field, count.into());
            }
        }
        if self.status != StatusSlot::Unset {
            let message = self.status_message.as_bytes();
            let message_len =
                if message.is_empty() { 0 } else { wire::len_field_len(field::STATUS_MESSAGE, message.len()) };
            wire::put_len(out, field::SPAN_STATUS, message_len + 2);
            if !message.is_empty() {
                wire::put_bytes(out, field::STATUS_MESSAGE, message);
            }
            wire::put_uint(out, field::STATUS_CODE, if self.status == StatusSlot::Ok { 1 } else { 2 });
        }
    }

    /// Empties it but for what every span has; buffers of a usual size stay.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if self.bytes.len() > MAX_KEPT_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.truncate(FIXED.len());
        self.attributes.clear();
        self.keys = 0;
        self.events = 0;
        self.links = 0;
        if self.has_slots {
            self.clear_slots();
        }
    }

    #[cold]
    fn clear_slots(&mut self) {
        self.has_slots = false;
        self.status = StatusSlot::Unset;
        self.status_message.clear();
        self.dropped_attributes = 0;
        self.dropped_events = 0;
        self.dropped_links = 0;
    }
}

/// Enough for most spans.
const USUAL_BYTES: usize = 512;
const MAX_KEPT_BYTES: usize = 16 << 10;

/// Whether this is the key of an attribute that is the field of a span.
#[inline]
fn has_key(attribute: &[u8], key: &[u8]) -> bool {
    const KEY: u8 = len_tag(field::KEY_VALUE_KEY);
    // Behind the tag and the length of the attribute, whose last byte has no high bit.
    let ([_, 0..0x80, content @ ..] | [_, _, 0..0x80, content @ ..]) = attribute else {
        return key_of(attribute) == Some(key);
    };
    match content {
        [KEY, len @ 0..0x80, rest @ ..] => usize::from(*len) == key.len() && rest.starts_with(key),
        _ => key_of(attribute) == Some(key),
    }
}

/// The key of an attribute that is the field of a span.
#[cold]
fn key_of(attribute: &[u8]) -> Option<&[u8]> {
    let field = |message, number| match Fields::new(message).next() {
        Some(Ok((found, Field::Len(bytes)))) if found == number => Some(bytes),
        _ => None,
    };
    field(field(attribute, field::SPAN_ATTRIBUTES)?, field::KEY_VALUE_KEY)
}

/// One of 64 bits, told by the length, the middle and the end of a key, where keys differ most. The factors are those with which the
/// attributes of one span fall on different bits most often, for calls over HTTP, of databases and of models.
#[inline]
fn key_bit(key: &[u8]) -> u64 {
    let last = key.last().copied().unwrap_or(0);
    let middle = key.get(key.len() / 2).copied().unwrap_or(0);
    let mixed =
        (key.len() as u32).wrapping_mul(13).wrapping_add(u32::from(last) * 3).wrapping_add(u32::from(middle) * 16);
    1 << (mixed & 63)
}

impl std::fmt::Debug for RunningSpan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RunningSpan({} bytes)", self.bytes.len().saturating_sub(HEAD_ROOM))
    }
}

/// Appends attributes; of equal keys the last one. Says how many the limit kept out.
fn put_attributes(
    out: &mut Vec<u8>,
    field: u32,
    attributes: &[Attribute<'_>],
    limit: usize,
    limits: &SpanLimits,
) -> u64 {
    let mut kept = 0;
    let mut dropped = 0;
    for (i, attribute) in attributes.iter().enumerate() {
        let set_again = attributes[i + 1..].iter().any(|later| later.key == attribute.key);
        if attribute.key.is_empty() || set_again {
            continue;
        }
        if kept < limit {
            kept += 1;
            wire::put_attribute(out, field, attribute, limits.value_chars);
        } else {
            dropped += 1;
        }
    }
    dropped
}
