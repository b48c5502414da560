//! The structures of the boundary as Rust values. Nothing in them is believed but
//! that pointers point to what they say.

use std::borrow::Cow;
use std::mem::MaybeUninit;

use super::types::{Attribute, Context, Error, Event, Link, SpanStart, Stats, Text, Value};
use super::{
    Batch, Carrier, CarrierMut, CreateArguments, Descriptor, ExporterTable, Host, Instance, ProviderTable, VALUE_BOOL,
    VALUE_BOOL_ARRAY, VALUE_F64, VALUE_F64_ARRAY, VALUE_I64, VALUE_I64_ARRAY, VALUE_TEXT, VALUE_TEXT_ARRAY,
};
use crate::{
    InstrumentationScope, OwnedAttribute, OwnedValue, SpanContext, SpanId, SpanKind, Timestamp, TraceFlags, TraceId,
    TraceState,
};

/// So many attributes are read without allocating.
const ON_STACK: usize = 16;

/// A structure that may grow: it says how many of its bytes are there.
///
/// # Safety
///
/// All bytes zero is a value of the type, in which everything is absent, and so is
/// a value whose last fields were replaced by zeros.
pub unsafe trait Prefixed: Copy {
    /// Where the field `size` is.
    const SIZE_OFFSET: usize;
}

macro_rules! prefixed {
    ($($name:ident)*) => {
        // SAFETY: numbers, raw pointers and optional functions only.
        $(unsafe impl Prefixed for $name {
            const SIZE_OFFSET: usize = std::mem::offset_of!($name, size);
        })*
    };
}

prefixed! {
    Batch Carrier CarrierMut CreateArguments Descriptor Error Event ExporterTable Host Instance ProviderTable
    SpanStart Stats
}

/// The bytes that are there, and zeros for the others; `None` for null.
///
/// # Safety
///
/// `from` is null, or it is aligned and points to at least as many readable bytes as
/// its field `size` says, and to that field.
#[must_use]
#[inline]
pub unsafe fn copy_prefix<T: Prefixed>(from: *const T) -> Option<T> {
    if from.is_null() {
        return None;
    }
    // SAFETY: as the caller promises, the field is there.
    let size = unsafe { from.byte_add(T::SIZE_OFFSET).cast::<usize>().read() };
    if size >= size_of::<T>() {
        // SAFETY: all bytes are there.
        return Some(unsafe { from.read() });
    }
    let mut copy = MaybeUninit::<T>::zeroed();
    // Half a pointer is none; no structure ends within one.
    let size = size - size % align_of::<T>();
    // SAFETY: `size` bytes are there, fewer than `copy` has; zeros for the others
    // make a value, as the trait promises.
    unsafe {
        std::ptr::copy_nonoverlapping(from.cast::<u8>(), copy.as_mut_ptr().cast::<u8>(), size);
        Some(copy.assume_init())
    }
}

/// Calls `f` with what is there; copies it only if that is less than this crate knows.
///
/// # Safety
///
/// As for [`copy_prefix`].
#[inline]
unsafe fn with_prefix<T: Prefixed, R>(from: *const T, f: impl FnOnce(&T) -> R) -> Option<R> {
    // SAFETY: as the caller promises.
    unsafe {
        if !from.is_null() && from.byte_add(T::SIZE_OFFSET).cast::<usize>().read() >= size_of::<T>() {
            return Some(f(&*from));
        }
        copy_prefix(from).map(|copy| f(&copy))
    }
}

/// The text; what is not UTF-8 is replaced.
///
/// # Safety
///
/// `text` points to as many readable bytes as it says, for as long as `'a`.
#[must_use]
#[inline]
pub unsafe fn read_text<'a>(text: Text) -> Cow<'a, str> {
    // SAFETY: as the caller promises.
    let bytes = unsafe { elements(text.ptr.cast(), text.len) };
    as_text(bytes).map_or_else(|| replaced(bytes), Cow::Borrowed)
}

/// Names and values are short and ASCII nearly always; that is quicker to tell.
#[inline]
fn as_text(bytes: &[u8]) -> Option<&str> {
    if is_ascii(bytes) {
        // SAFETY: ASCII is UTF-8.
        return Some(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    std::str::from_utf8(bytes).ok()
}

/// As that of the standard library, which looks at the bytes of a short text one by one.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) if bytes.len() <= 16 => {
            (u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last)) & HIGH == 0
        }
        (None, _) => match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            (Some(first), Some(last)) => (u32::from_ne_bytes(*first) | u32::from_ne_bytes(*last)) & HIGH as u32 == 0,
            _ => bytes.iter().fold(0, |all, byte| all | byte) < 0x80,
        },
        _ => bytes.is_ascii(),
    }
}

#[cold]
fn replaced(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The context; what is not a trace state is left out.
///
/// # Safety
///
/// The trace state points to as many readable bytes as it says.
#[must_use]
#[inline]
pub unsafe fn read_context(context: &Context) -> SpanContext {
    let flags = TraceFlags::from_bits((context.flags & 0xff) as u8);
    let (trace_id, span_id) = (TraceId::from_bytes(context.trace_id), SpanId::from_bytes(context.span_id));
    let read = SpanContext::new(trace_id, span_id, flags).with_remote(context.is_remote == 1);
    if context.trace_state.len == 0 {
        return read;
    }
    // SAFETY: as the caller promises.
    let state = unsafe { read_text(context.trace_state) };
    read.with_trace_state(TraceState::parse(&state).unwrap_or_default())
}

/// Calls `f` with the attributes; those of unknown kinds are left out.
///
/// # Safety
///
/// `attributes` points to `len` attributes, whose pointers point to as much as they say.
#[inline]
pub unsafe fn read_attributes<R>(
    attributes: *const Attribute,
    len: usize,
    f: impl FnOnce(&[crate::Attribute<'_>]) -> R,
) -> R {
    // SAFETY: as the caller promises.
    let attributes = unsafe { elements(attributes, len) };
    if len <= ON_STACK {
        let mut read = [const { MaybeUninit::uninit() }; ON_STACK];
        let mut count = 0;
        for (slot, attribute) in read.iter_mut().zip(attributes) {
            // SAFETY: as the caller promises.
            let Some(attribute) = (unsafe { borrow_attribute(attribute) }) else { break };
            slot.write(attribute);
            count += 1;
        }
        if count == len {
            // SAFETY: the first `count` elements were written.
            return f(unsafe { std::slice::from_raw_parts(read.as_ptr().cast(), count) });
        }
    }
    // SAFETY: as the caller promises.
    let owned: Vec<OwnedAttribute> = attributes.iter().filter_map(|a| unsafe { own_attribute(a) }).collect();
    let read: Vec<crate::Attribute<'_>> = owned.iter().map(OwnedAttribute::as_attribute).collect();
    f(&read)
}

/// Calls `f` with the start of a span.
///
/// # Safety
///
/// As for [`read_attributes`], and `start` is as [`copy_prefix`] asks.
#[inline]
pub unsafe fn read_span_start<R>(start: *const SpanStart, f: impl FnOnce(&crate::SpanStart<'_>) -> R) -> Option<R> {
    // SAFETY: as the caller promises.
    unsafe { with_prefix(start, |start| read_whole_start(start, f)) }.flatten()
}

#[inline]
unsafe fn read_whole_start<R>(start: &SpanStart, f: impl FnOnce(&crate::SpanStart<'_>) -> R) -> Option<R> {
    // SAFETY: all as the caller promises; null pointers are looked for.
    unsafe {
        let context = read_context(start.context.as_ref()?);
        let parent = start.parent.as_ref().map(|parent| read_context(parent));
        let texts = (borrow_text(start.name), borrow_text(start.scope_name), borrow_text(start.scope_version));
        let replaced;
        let (name, scope_name, scope_version) = match texts {
            (Some(name), Some(scope_name), Some(scope_version)) => (name, scope_name, scope_version),
            _ => {
                replaced = [start.name, start.scope_name, start.scope_version].map(|text| read_text(text));
                (&*replaced[0], &*replaced[1], &*replaced[2])
            }
        };
        let read = crate::SpanStart {
            name,
            context: &context,
            parent: parent.as_ref(),
            kind: SpanKind::from_otlp(start.kind.into()),
            time: Timestamp::from_unix_nanos(start.time_ns),
            attributes: &[],
            links: &[],
            scope: InstrumentationScope { name: scope_name, version: scope_version },
        };
        if start.attributes_len == 0 && start.links_len == 0 {
            return Some(f(&read));
        }
        read_attributes(start.attributes, start.attributes_len, |attributes| {
            read_links(start.links, start.links_len, |links| Some(f(&crate::SpanStart { attributes, links, ..read })))
        })
    }
}

/// Calls `f` with the event.
///
/// # Safety
///
/// As for [`read_span_start`].
#[inline]
pub unsafe fn read_event<R>(event: *const Event, f: impl FnOnce(&crate::Event<'_>) -> R) -> Option<R> {
    // SAFETY: as the caller promises.
    unsafe {
        let event = copy_prefix(event)?;
        let (name, time) = (read_text(event.name), Timestamp::from_unix_nanos(event.time_ns));
        let read = |attributes: &[crate::Attribute<'_>]| f(&crate::Event { name: &name, time, attributes });
        Some(read_attributes(event.attributes, event.attributes_len, read))
    }
}

/// Calls `f` with the link.
///
/// # Safety
///
/// As for [`read_attributes`], and `link` is null or points to a link.
pub unsafe fn read_link<R>(link: *const Link, f: impl FnOnce(&crate::Link<'_>) -> R) -> Option<R> {
    // SAFETY: as the caller promises.
    unsafe {
        let link = link.as_ref()?;
        let context = read_context(&link.context);
        let read = |attributes: &[crate::Attribute<'_>]| f(&crate::Link { context: &context, attributes });
        Some(read_attributes(link.attributes, link.attributes_len, read))
    }
}

#[inline]
unsafe fn read_links<R>(links: *const Link, len: usize, f: impl FnOnce(&[crate::Link<'_>]) -> R) -> R {
    if len == 0 {
        return f(&[]);
    }
    // SAFETY: as the caller promises.
    let owned: Vec<(SpanContext, Vec<OwnedAttribute>)> = unsafe {
        let read = |link: &Link| {
            let attributes = elements(link.attributes, link.attributes_len);
            (read_context(&link.context), attributes.iter().filter_map(|a| own_attribute(a)).collect())
        };
        elements(links, len).iter().map(read).collect()
    };
    let attributes: Vec<Vec<crate::Attribute<'_>>> =
        owned.iter().map(|(_, owned)| owned.iter().map(OwnedAttribute::as_attribute).collect()).collect();
    let links: Vec<crate::Link<'_>> =
        owned.iter().zip(&attributes).map(|((context, _), attributes)| crate::Link { context, attributes }).collect();
    f(&links)
}

/// `None` for what cannot be borrowed as it is.
#[inline]
unsafe fn borrow_attribute<'a>(attribute: &Attribute) -> Option<crate::Attribute<'a>> {
    let Value { kind, data, .. } = attribute.value;
    // SAFETY: the kind says which member was written, and pointers are as the
    // caller promises.
    unsafe {
        let value = match kind {
            VALUE_BOOL => crate::Value::Bool(data.boolean != 0),
            VALUE_I64 => crate::Value::I64(data.integer),
            VALUE_F64 => crate::Value::F64(data.number),
            VALUE_TEXT => crate::Value::Str(borrow_text(data.text)?),
            VALUE_I64_ARRAY => crate::Value::I64Array(elements(data.array.ptr.cast(), data.array.len)),
            VALUE_F64_ARRAY => crate::Value::F64Array(elements(data.array.ptr.cast(), data.array.len)),
            _ => return None,
        };
        Some(crate::Attribute { key: borrow_text(attribute.key)?, value })
    }
}

/// `None` for an unknown kind.
unsafe fn own_attribute(attribute: &Attribute) -> Option<OwnedAttribute> {
    let Value { kind, data, .. } = attribute.value;
    // SAFETY: as in `borrow_attribute`.
    unsafe {
        let value = match kind {
            VALUE_BOOL => OwnedValue::Bool(data.boolean != 0),
            VALUE_I64 => OwnedValue::I64(data.integer),
            VALUE_F64 => OwnedValue::F64(data.number),
            VALUE_TEXT => OwnedValue::Str(read_text(data.text).into_owned()),
            VALUE_BOOL_ARRAY => {
                let bytes: &[u8] = elements(data.array.ptr.cast(), data.array.len);
                OwnedValue::BoolArray(bytes.iter().map(|byte| *byte != 0).collect())
            }
            VALUE_I64_ARRAY => OwnedValue::I64Array(elements(data.array.ptr.cast(), data.array.len).to_vec()),
            VALUE_F64_ARRAY => OwnedValue::F64Array(elements(data.array.ptr.cast(), data.array.len).to_vec()),
            VALUE_TEXT_ARRAY => {
                let texts: &[Text] = elements(data.array.ptr.cast(), data.array.len);
                OwnedValue::StrArray(texts.iter().map(|text| read_text(*text).into_owned()).collect())
            }
            _ => return None,
        };
        Some(OwnedAttribute { key: read_text(attribute.key).into_owned(), value })
    }
}

#[inline]
unsafe fn borrow_text<'a>(text: Text) -> Option<&'a str> {
    // SAFETY: as the caller promises.
    as_text(unsafe { elements(text.ptr.cast(), text.len) })
}

/// As many elements as there are; none at null.
#[inline]
pub(super) unsafe fn elements<'a, T>(ptr: *const T, len: usize) -> &'a [T] {
    match ptr.is_null() || len == 0 {
        true => &[],
        // SAFETY: as the caller promises.
        false => unsafe { std::slice::from_raw_parts(ptr, len) },
    }
}
