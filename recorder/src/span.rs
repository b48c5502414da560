use std::cell::RefCell;

use spandrel_plugin_api::wire::{self, field};
use spandrel_plugin_api::{Attribute, Event, Link, SpanContext, SpanStart, Status, Timestamp};

use crate::config::SpanLimits;
use crate::fork;

/// A span that has not ended: what OTLP says of it, encoded as it comes.
///
/// Attributes, events and links may stand in any order and are appended at once.
/// Decoders merge a repeated status and keep equal attribute keys twice, so
/// name, status and counts are slots written at the end, and an attribute set
/// again takes the place of the first.
#[derive(Default)]
pub(crate) struct RunningSpan {
    generation: u64,
    pub(crate) scope: u32,
    ids: Ids,
    start: u64,
    kind: u8,
    flags: u32,
    name: String,
    trace_state: String,
    status: StatusSlot,
    status_message: String,
    /// Attributes, events and links.
    body: Vec<u8>,
    /// Where the attributes lie in the body.
    attributes: Vec<AttributePlace>,
    events: usize,
    links: usize,
    dropped_attributes: u32,
    dropped_events: u32,
    dropped_links: u32,
    /// An event or link while it is put together; at the end, the head of the span.
    scratch: Vec<u8>,
}

#[derive(Default)]
struct Ids {
    trace: [u8; 16],
    span: [u8; 8],
    parent: Option<[u8; 8]>,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum StatusSlot {
    #[default]
    Unset,
    Ok,
    Error,
}

#[derive(Clone, Copy)]
struct AttributePlace {
    start: usize,
    key: usize,
    key_len: usize,
    end: usize,
}

impl RunningSpan {
    /// A span from this thread's pool.
    pub(crate) fn start(start: &SpanStart<'_>, scope: u32, limits: &SpanLimits) -> Box<Self> {
        let pooled = POOL.try_with(|pool| pool.try_borrow_mut().ok()?.pop()).ok().flatten();
        let mut span = pooled.unwrap_or_default();
        let context = start.context;
        span.generation = fork::generation();
        span.scope = scope;
        span.ids = Ids {
            trace: context.trace_id().to_bytes(),
            span: context.span_id().to_bytes(),
            parent: start.parent.map(|parent| parent.span_id().to_bytes()),
        };
        span.start = start.time.unix_nanos();
        span.kind = start.kind.to_otlp();
        span.flags = u32::from(context.flags().bits()) | field::FLAGS_HAS_IS_REMOTE;
        if start.parent.is_some_and(SpanContext::is_remote) {
            span.flags |= field::FLAGS_IS_REMOTE;
        }
        span.name.push_str(start.name);
        span.trace_state.push_str(context.trace_state().as_str());
        span.set_attributes(start.attributes, limits);
        for link in start.links {
            span.add_link(link, limits);
        }
        span
    }

    /// Whether the span was started by this process, not by one it was forked from.
    pub(crate) fn is_ours(&self) -> bool {
        self.generation == fork::generation()
    }

    pub(crate) fn set_name(&mut self, name: &str) {
        self.name.clear();
        self.name.push_str(name);
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
            self.status = slot;
            self.status_message.clear();
            self.status_message.push_str(message);
        }
    }

    pub(crate) fn set_attributes(&mut self, attributes: &[Attribute<'_>], limits: &SpanLimits) {
        for attribute in attributes.iter().filter(|a| !a.key.is_empty()) {
            self.set_attribute(attribute, limits);
        }
    }

    fn set_attribute(&mut self, attribute: &Attribute<'_>, limits: &SpanLimits) {
        let key = attribute.key.as_bytes();
        let known = self.attributes.iter().position(|place| self.body[place.key..][..place.key_len] == *key);
        if let Some(known) = known {
            self.remove_attribute(known);
        } else if self.attributes.len() >= limits.attributes {
            self.dropped_attributes += 1;
            return;
        }
        let start = self.body.len();
        let key_start = wire::put_attribute(&mut self.body, field::SPAN_ATTRIBUTES, attribute, limits.value_chars);
        let end = self.body.len();
        self.attributes.push(AttributePlace { start, key: key_start, key_len: key.len(), end });
    }

    /// Rare, so it may move what lies behind.
    fn remove_attribute(&mut self, index: usize) {
        let removed = self.attributes.remove(index);
        let len = removed.end - removed.start;
        self.body.drain(removed.start..removed.end);
        for place in self.attributes.iter_mut().filter(|place| place.start > removed.start) {
            place.start -= len;
            place.key -= len;
            place.end -= len;
        }
    }

    pub(crate) fn add_event(&mut self, event: &Event<'_>, limits: &SpanLimits) {
        if self.events >= limits.events {
            self.dropped_events += 1;
            return;
        }
        self.events += 1;
        let out = &mut self.scratch;
        out.clear();
        wire::put_fixed64(out, field::EVENT_TIME, event.time.unix_nanos());
        wire::put_bytes(out, field::EVENT_NAME, event.name.as_bytes());
        let dropped = put_attributes(out, field::EVENT_ATTRIBUTES, event.attributes, limits.event_attributes, limits);
        if dropped > 0 {
            wire::put_uint(out, field::EVENT_DROPPED_ATTRIBUTES, dropped);
        }
        wire::put_bytes(&mut self.body, field::SPAN_EVENTS, out);
    }

    pub(crate) fn add_link(&mut self, link: &Link<'_>, limits: &SpanLimits) {
        if self.links >= limits.links {
            self.dropped_links += 1;
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
        wire::put_bytes(&mut self.body, field::SPAN_LINKS, out);
    }

    /// Encodes what is left, shows `each` the span in two parts, and pools its buffers.
    pub(crate) fn finish<R>(mut self: Box<Self>, end: Timestamp, each: impl FnOnce(u32, &[u8], &[u8]) -> R) -> R {
        self.put_head(end);
        let result = each(self.scope, &self.scratch, &self.body);
        self.recycle();
        result
    }

    fn put_head(&mut self, end: Timestamp) {
        let out = &mut self.scratch;
        out.clear();
        wire::put_bytes(out, field::SPAN_TRACE_ID, &self.ids.trace);
        wire::put_bytes(out, field::SPAN_SPAN_ID, &self.ids.span);
        if !self.trace_state.is_empty() {
            wire::put_bytes(out, field::SPAN_TRACE_STATE, self.trace_state.as_bytes());
        }
        if let Some(parent) = &self.ids.parent {
            wire::put_bytes(out, field::SPAN_PARENT_SPAN_ID, parent);
        }
        wire::put_bytes(out, field::SPAN_NAME, self.name.as_bytes());
        wire::put_uint(out, field::SPAN_KIND, self.kind.into());
        wire::put_fixed64(out, field::SPAN_START, self.start);
        // A clock that was set back must not make a negative duration.
        wire::put_fixed64(out, field::SPAN_END, end.unix_nanos().max(self.start));
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
        wire::put_fixed32(out, field::SPAN_FLAGS, self.flags);
    }

    /// Empties the span and keeps its buffers for the next one on this thread.
    fn recycle(mut self: Box<Self>) {
        if self.body.capacity() > MAX_POOLED_BYTES || self.scratch.capacity() > MAX_POOLED_BYTES {
            return;
        }
        self.name.clear();
        self.trace_state.clear();
        self.status = StatusSlot::Unset;
        self.status_message.clear();
        self.body.clear();
        self.attributes.clear();
        self.events = 0;
        self.links = 0;
        self.dropped_attributes = 0;
        self.dropped_events = 0;
        self.dropped_links = 0;
        // While the thread-locals of an ending thread are destroyed there is no pool.
        let _ = POOL.try_with(|pool| {
            if let Ok(mut pool) = pool.try_borrow_mut()
                && pool.len() < MAX_POOLED_SPANS
            {
                pool.push(self);
            }
        });
    }
}

const MAX_POOLED_SPANS: usize = 64;
const MAX_POOLED_BYTES: usize = 16 << 10;

thread_local! {
    #[expect(clippy::vec_box, reason = "the boxes travel in and out, their contents stay")]
    static POOL: RefCell<Vec<Box<RunningSpan>>> = const { RefCell::new(Vec::new()) };
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
