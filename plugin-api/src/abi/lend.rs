//! Rust values as the structures of the boundary, for the time of one call.

use std::mem::MaybeUninit;

use super::types::{Array, Attribute, Context, Event, Link, SpanStart, Text, Value, ValueData};
use super::{
    SPAN_CLIENT, SPAN_CONSUMER, SPAN_INTERNAL, SPAN_PRODUCER, SPAN_SERVER, VALUE_BOOL, VALUE_BOOL_ARRAY, VALUE_F64,
    VALUE_F64_ARRAY, VALUE_I64, VALUE_I64_ARRAY, VALUE_TEXT, VALUE_TEXT_ARRAY,
};
use crate::{SpanContext, SpanKind};

/// So many attributes are lent without allocating.
const ON_STACK: usize = 16;

/// A context of the boundary from one of Rust. It borrows, which its type does not show.
pub trait LendContext {
    /// The context, as long as `self` lives.
    fn lend(&self) -> Context;
}

impl LendContext for SpanContext {
    #[inline]
    fn lend(&self) -> Context {
        Context {
            trace_id: self.trace_id().to_bytes(),
            span_id: self.span_id().to_bytes(),
            flags: self.flags().bits().into(),
            is_remote: self.is_remote().into(),
            trace_state: Text::new(self.trace_state().as_str()),
        }
    }
}

/// Calls `f` with the attributes as they cross the boundary.
#[inline]
pub fn lend_attributes<R>(attributes: &[crate::Attribute<'_>], f: impl FnOnce(&[Attribute]) -> R) -> R {
    let mut texts = Vec::new();
    if attributes.len() > ON_STACK {
        let lent: Vec<Attribute> = attributes.iter().map(|attribute| lend_attribute(attribute, &mut texts)).collect();
        return f(&lent);
    }
    let mut lent = [const { MaybeUninit::uninit() }; ON_STACK];
    for (slot, attribute) in lent.iter_mut().zip(attributes) {
        slot.write(lend_attribute(attribute, &mut texts));
    }
    // SAFETY: the loop above has written the first `attributes.len()` elements, as
    // there are at most ON_STACK of them.
    f(unsafe { std::slice::from_raw_parts(lent.as_ptr().cast(), attributes.len()) })
}

/// Calls `f` with the start of a span as it crosses the boundary.
#[inline]
pub fn lend_span_start<R>(start: &crate::SpanStart<'_>, f: impl FnOnce(&SpanStart) -> R) -> R {
    let context = start.context.lend();
    let parent = start.parent.map(LendContext::lend);
    let mut lent = SpanStart {
        size: size_of::<SpanStart>(),
        context: &raw const context,
        parent: parent.as_ref().map_or(std::ptr::null(), |parent| &raw const *parent),
        name: Text::new(start.name),
        kind: lend_kind(start.kind),
        reserved: 0,
        time_ns: start.time.unix_nanos(),
        attributes: std::ptr::null(),
        attributes_len: 0,
        links: std::ptr::null(),
        links_len: 0,
        scope_name: Text::new(start.scope.name),
        scope_version: Text::new(start.scope.version),
    };
    if start.attributes.is_empty() && start.links.is_empty() {
        return f(&lent);
    }
    lend_attributes(start.attributes, |attributes| {
        lend_links(start.links, |links| {
            (lent.attributes, lent.attributes_len) = (attributes.as_ptr(), attributes.len());
            (lent.links, lent.links_len) = (links.as_ptr(), links.len());
            f(&lent)
        })
    })
}

/// Calls `f` with the event as it crosses the boundary.
#[inline]
pub fn lend_event<R>(event: &crate::Event<'_>, f: impl FnOnce(&Event) -> R) -> R {
    lend_attributes(event.attributes, |attributes| {
        f(&Event {
            size: size_of::<Event>(),
            time_ns: event.time.unix_nanos(),
            name: Text::new(event.name),
            attributes: attributes.as_ptr(),
            attributes_len: attributes.len(),
        })
    })
}

/// Calls `f` with the link as it crosses the boundary.
pub fn lend_link<R>(link: &crate::Link<'_>, f: impl FnOnce(&Link) -> R) -> R {
    lend_attributes(link.attributes, |attributes| {
        f(&Link { context: link.context.lend(), attributes: attributes.as_ptr(), attributes_len: attributes.len() })
    })
}

#[inline]
fn lend_links<R>(links: &[crate::Link<'_>], f: impl FnOnce(&[Link]) -> R) -> R {
    fn lend_rest<R>(rest: &[crate::Link<'_>], lent: &mut Vec<Link>, f: impl FnOnce(&[Link]) -> R) -> R {
        let mut lent_attributes = Vec::with_capacity(rest.len());
        let mut texts = Vec::new();
        for link in rest {
            let attributes: Vec<Attribute> = link.attributes.iter().map(|a| lend_attribute(a, &mut texts)).collect();
            lent.push(Link {
                context: link.context.lend(),
                attributes: attributes.as_ptr(),
                attributes_len: attributes.len(),
            });
            // Moving a vector leaves its elements where they are.
            lent_attributes.push(attributes);
        }
        f(lent)
    }
    match links {
        [] => f(&[]),
        links => lend_rest(links, &mut Vec::with_capacity(links.len()), f),
    }
}

/// `texts` keeps the arrays of texts that are made on the way; moving one of them
/// leaves its elements where they are.
#[inline]
fn lend_attribute(attribute: &crate::Attribute<'_>, texts: &mut Vec<Vec<Text>>) -> Attribute {
    let (kind, data) = match attribute.value {
        crate::Value::Bool(v) => (VALUE_BOOL, ValueData { boolean: v.into() }),
        crate::Value::I64(integer) => (VALUE_I64, ValueData { integer }),
        crate::Value::F64(number) => (VALUE_F64, ValueData { number }),
        crate::Value::Str(v) => (VALUE_TEXT, ValueData { text: Text::new(v) }),
        crate::Value::BoolArray(v) => (VALUE_BOOL_ARRAY, lend_array(v)),
        crate::Value::I64Array(v) => (VALUE_I64_ARRAY, lend_array(v)),
        crate::Value::F64Array(v) => (VALUE_F64_ARRAY, lend_array(v)),
        crate::Value::StrArray(v) => {
            texts.push(v.iter().map(Text::new).collect());
            (VALUE_TEXT_ARRAY, lend_array(texts.last().map_or(&[], Vec::as_slice)))
        }
    };
    Attribute { key: Text::new(attribute.key), value: Value { kind, reserved: 0, data } }
}

fn lend_array<T>(values: &[T]) -> ValueData {
    ValueData { array: Array { ptr: values.as_ptr().cast(), len: values.len() } }
}

const fn lend_kind(kind: SpanKind) -> u32 {
    match kind {
        SpanKind::Internal => SPAN_INTERNAL,
        SpanKind::Server => SPAN_SERVER,
        SpanKind::Client => SPAN_CLIENT,
        SpanKind::Producer => SPAN_PRODUCER,
        SpanKind::Consumer => SPAN_CONSUMER,
    }
}
