//! Protobuf as OTLP uses it: field numbers, writing and reading.
//!
//! Source: opentelemetry-proto, `common.proto`, `resource.proto`, `trace.proto`;
//! Protocol Buffers encoding guide.

use crate::{Attribute, Error, ErrorKind, Value};

/// Field numbers of the OTLP messages, named `MESSAGE_FIELD`.
pub mod field {
    #![expect(missing_docs, reason = "the names are those of the .proto files")]

    pub const REQUEST_RESOURCE_SPANS: u32 = 1;
    pub const RESOURCE_SPANS_RESOURCE: u32 = 1;
    pub const RESOURCE_SPANS_SCOPE_SPANS: u32 = 2;
    pub const SCOPE_SPANS_SCOPE: u32 = 1;
    pub const SCOPE_SPANS_SPANS: u32 = 2;
    pub const RESOURCE_ATTRIBUTES: u32 = 1;
    pub const SCOPE_NAME: u32 = 1;
    pub const SCOPE_VERSION: u32 = 2;
    pub const SPAN_TRACE_ID: u32 = 1;
    pub const SPAN_SPAN_ID: u32 = 2;
    pub const SPAN_TRACE_STATE: u32 = 3;
    pub const SPAN_PARENT_SPAN_ID: u32 = 4;
    pub const SPAN_NAME: u32 = 5;
    pub const SPAN_KIND: u32 = 6;
    pub const SPAN_START: u32 = 7;
    pub const SPAN_END: u32 = 8;
    pub const SPAN_ATTRIBUTES: u32 = 9;
    pub const SPAN_DROPPED_ATTRIBUTES: u32 = 10;
    pub const SPAN_EVENTS: u32 = 11;
    pub const SPAN_DROPPED_EVENTS: u32 = 12;
    pub const SPAN_LINKS: u32 = 13;
    pub const SPAN_DROPPED_LINKS: u32 = 14;
    pub const SPAN_STATUS: u32 = 15;
    pub const SPAN_FLAGS: u32 = 16;
    pub const EVENT_TIME: u32 = 1;
    pub const EVENT_NAME: u32 = 2;
    pub const EVENT_ATTRIBUTES: u32 = 3;
    pub const EVENT_DROPPED_ATTRIBUTES: u32 = 4;
    pub const LINK_TRACE_ID: u32 = 1;
    pub const LINK_SPAN_ID: u32 = 2;
    pub const LINK_TRACE_STATE: u32 = 3;
    pub const LINK_ATTRIBUTES: u32 = 4;
    pub const LINK_DROPPED_ATTRIBUTES: u32 = 5;
    pub const LINK_FLAGS: u32 = 6;
    pub const STATUS_MESSAGE: u32 = 2;
    pub const STATUS_CODE: u32 = 3;
    pub const KEY_VALUE_KEY: u32 = 1;
    pub const KEY_VALUE_VALUE: u32 = 2;
    pub const ANY_STRING: u32 = 1;
    pub const ANY_BOOL: u32 = 2;
    pub const ANY_INT: u32 = 3;
    pub const ANY_DOUBLE: u32 = 4;
    pub const ANY_ARRAY: u32 = 5;
    pub const ANY_KEY_VALUE_LIST: u32 = 6;
    pub const ANY_BYTES: u32 = 7;
    pub const LIST_VALUES: u32 = 1;

    /// Of `Span.flags` and `Link.flags`: the remote bit below is meaningful.
    pub const FLAGS_HAS_IS_REMOTE: u32 = 0x100;
    /// Of `Span.flags`: the parent is remote. Of `Link.flags`: the linked span is.
    pub const FLAGS_IS_REMOTE: u32 = 0x200;
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LEN: u32 = 2;
const FIXED32: u32 = 5;

/// Appends a variable-length integer.
#[inline]
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`put_varint`] appends.
#[must_use]
#[inline]
pub const fn varint_len(value: u64) -> usize {
    // One byte for each started group of 7 bits.
    ((64 - (value | 1).leading_zeros()) as usize).div_ceil(7)
}

/// Appends an integer field.
#[inline]
pub fn put_uint(out: &mut Vec<u8>, field: u32, value: u64) {
    put_varint(out, u64::from(field << 3 | VARINT));
    put_varint(out, value);
}

/// Appends a field of eight bytes, least significant first.
#[inline]
pub fn put_fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    if field < 16 {
        let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
        return out.extend_from_slice(&[(field << 3 | FIXED64) as u8, a, b, c, d, e, f, g, h]);
    }
    put_varint(out, u64::from(field << 3 | FIXED64));
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a field of four bytes, least significant first.
#[inline]
pub fn put_fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    put_varint(out, u64::from(field << 3 | FIXED32));
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends the head of a field whose `len` bytes the caller appends next.
#[inline]
pub fn put_len(out: &mut Vec<u8>, field: u32, len: usize) {
    if field < 16 && len < 0x80 {
        return out.extend_from_slice(&[len_tag(field), len as u8]);
    }
    put_varint(out, u64::from(field << 3 | LEN));
    put_varint(out, len as u64);
}

/// Appends a field of bytes or text.
#[inline]
pub fn put_bytes(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    put_len(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// How many bytes a field of `len` bytes has, its head included.
#[must_use]
#[inline]
pub const fn len_field_len(field: u32, len: usize) -> usize {
    varint_len((field << 3 | LEN) as u64) + varint_len(len as u64) + len
}

/// Appends a field that holds an attribute as a `KeyValue`; texts are cut to
/// `max_chars` characters.
#[inline(always)]
pub fn put_attribute(out: &mut Vec<u8>, field: u32, attribute: &Attribute<'_>, max_chars: usize) {
    const VALUE: u8 = len_tag(field::KEY_VALUE_VALUE);
    let key = attribute.key.as_bytes();
    // Nearly all attributes are so short that each length has one byte.
    match attribute.value {
        Value::Str(text) if is_short(field, key.len() + text.len()) && text.len() <= max_chars => {
            let len = text.len() as u8;
            put_short_key(out, field, key, len + 2);
            out.extend_from_slice(&[VALUE, len + 2, len_tag(field::ANY_STRING), len]);
            out.extend_from_slice(text.as_bytes());
        }
        Value::I64(value @ 0..0x80) if is_short(field, key.len()) => {
            put_short_key(out, field, key, 2);
            out.extend_from_slice(&[VALUE, 2, (field::ANY_INT << 3) as u8, value as u8]);
        }
        Value::F64(value) if is_short(field, key.len() + 8) => {
            put_short_key(out, field, key, 9);
            let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
            out.extend_from_slice(&[VALUE, 9, (field::ANY_DOUBLE << 3 | FIXED64) as u8, a, b, c, d, e, f, g, h]);
        }
        _ => put_other_attribute(out, field, attribute, max_chars),
    }
}

/// An integer above 127 or below 0, of a short key.
fn put_long_int(out: &mut Vec<u8>, field: u32, key: &[u8], value: u64) {
    const VALUE: u8 = len_tag(field::KEY_VALUE_VALUE);
    const INT: u8 = (field::ANY_INT << 3) as u8;
    // Counts of tokens and statuses of HTTP have two bytes, nearly always.
    if value < 0x4000 {
        put_short_key(out, field, key, 3);
        return out.extend_from_slice(&[VALUE, 3, INT, value as u8 | 0x80, (value >> 7) as u8]);
    }
    let len = varint_len(value) as u8 + 1;
    put_short_key(out, field, key, len);
    out.extend_from_slice(&[VALUE, len, INT]);
    put_varint(out, value);
}

/// Whether all lengths of an attribute have one byte, as has the tag of its field.
#[inline]
const fn is_short(field: u32, key_and_value: usize) -> bool {
    field < 16 && key_and_value < 0x80 - 6
}

#[inline]
const fn len_tag(field: u32) -> u8 {
    (field << 3 | LEN) as u8
}

/// Appends what comes before a value of `value` bytes.
#[inline(always)]
fn put_short_key(out: &mut Vec<u8>, field: u32, key: &[u8], value: u8) {
    let len = key.len() as u8;
    out.extend_from_slice(&[len_tag(field), len + value + 4, len_tag(field::KEY_VALUE_KEY), len]);
    out.extend_from_slice(key);
}

/// What is less usual and short all the same.
fn put_other_attribute(out: &mut Vec<u8>, field: u32, attribute: &Attribute<'_>, max_chars: usize) {
    const VALUE: u8 = len_tag(field::KEY_VALUE_VALUE);
    let key = attribute.key.as_bytes();
    match attribute.value {
        Value::Bool(value) if is_short(field, key.len()) => {
            put_short_key(out, field, key, 2);
            return out.extend_from_slice(&[VALUE, 2, (field::ANY_BOOL << 3) as u8, value.into()]);
        }
        Value::I64(value) if is_short(field, key.len() + 10) => return put_long_int(out, field, key, value as u64),
        Value::StrArray(texts) => {
            let mut texts = texts.iter();
            // One short text, nearly always.
            if let (Some(text), None) = (texts.next(), texts.next())
                && is_short(field, key.len() + text.len() + 4)
                && text.len() <= max_chars
            {
                let len = text.len() as u8;
                put_short_key(out, field, key, len + 6);
                let [array, element] = [len_tag(field::ANY_ARRAY), len_tag(field::LIST_VALUES)];
                out.extend_from_slice(&[VALUE, len + 6, array, len + 4, element, len + 2]);
                return put_bytes(out, field::ANY_STRING, text.as_bytes());
            }
        }
        _ => {}
    }
    put_any_attribute(out, field, attribute, max_chars);
}

/// Any attribute, whatever its lengths are.
fn put_any_attribute(out: &mut Vec<u8>, field: u32, attribute: &Attribute<'_>, max_chars: usize) {
    let value_len = any_len(&attribute.value, max_chars);
    let key_len = len_field_len(field::KEY_VALUE_KEY, attribute.key.len());
    put_len(out, field, key_len + len_field_len(field::KEY_VALUE_VALUE, value_len));
    put_bytes(out, field::KEY_VALUE_KEY, attribute.key.as_bytes());
    put_len(out, field::KEY_VALUE_VALUE, value_len);
    put_any(out, &attribute.value, max_chars);
}

/// The first `max_chars` characters of a text.
#[must_use]
#[inline]
pub fn cut(text: &str, max_chars: usize) -> &str {
    // A character has at least one byte, so short texts need no counting.
    if text.len() <= max_chars {
        return text;
    }
    text.char_indices().nth(max_chars).map_or(text, |(end, _)| &text[..end])
}

fn any_len(value: &Value<'_>, max_chars: usize) -> usize {
    match *value {
        Value::Bool(_) => 2,
        Value::I64(v) => 1 + varint_len(v as u64),
        Value::F64(_) => 9,
        Value::Str(v) => len_field_len(field::ANY_STRING, cut(v, max_chars).len()),
        _ => len_field_len(field::ANY_ARRAY, array_len(value, max_chars)),
    }
}

fn array_len(value: &Value<'_>, max_chars: usize) -> usize {
    let mut len = 0;
    for_each_element(value, |element| {
        len += len_field_len(field::LIST_VALUES, any_len(&element, max_chars));
    });
    len
}

fn put_any(out: &mut Vec<u8>, value: &Value<'_>, max_chars: usize) {
    match *value {
        Value::Bool(v) => put_uint(out, field::ANY_BOOL, v.into()),
        Value::I64(v) => put_uint(out, field::ANY_INT, v as u64),
        Value::F64(v) => put_fixed64(out, field::ANY_DOUBLE, v.to_bits()),
        Value::Str(v) => put_bytes(out, field::ANY_STRING, cut(v, max_chars).as_bytes()),
        _ => {
            put_len(out, field::ANY_ARRAY, array_len(value, max_chars));
            for_each_element(value, |element| {
                put_len(out, field::LIST_VALUES, any_len(&element, max_chars));
                put_any(out, &element, max_chars);
            });
        }
    }
}

fn for_each_element(value: &Value<'_>, mut each: impl FnMut(Value<'_>)) {
    match *value {
        Value::BoolArray(v) => v.iter().for_each(|v| each(Value::Bool(*v))),
        Value::I64Array(v) => v.iter().for_each(|v| each(Value::I64(*v))),
        Value::F64Array(v) => v.iter().for_each(|v| each(Value::F64(*v))),
        Value::StrArray(v) => v.iter().for_each(|v| each(Value::Str(v))),
        Value::Bool(_) | Value::I64(_) | Value::F64(_) | Value::Str(_) => {}
    }
}

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "fixed by the protobuf encoding")]
pub enum Field<'a> {
    /// An integer, boolean or enumeration.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Bytes, text or a message.
    Len(&'a [u8]),
    /// Four bytes.
    Fixed32(u32),
}

/// Reads the fields of one message.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of `message`.
    #[must_use]
    pub const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn read(&mut self) -> Result<(u32, Field<'a>), Error> {
        let (number, wire) = tag(&mut self.rest)?;
        let field = match wire {
            VARINT => Field::Varint(varint(&mut self.rest)?),
            FIXED64 => Field::Fixed64(u64::from_le_bytes(array(&mut self.rest)?)),
            LEN => {
                let len = usize::try_from(varint(&mut self.rest)?).unwrap_or(usize::MAX);
                Field::Len(take(&mut self.rest, len)?)
            }
            FIXED32 => Field::Fixed32(u32::from_le_bytes(array(&mut self.rest)?)),
            _ => return Err(malformed("wire type not used by OTLP")),
        };
        Ok((number, field))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Field<'a>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Reads the number and the wire type of a field.
pub(crate) fn tag(rest: &mut &[u8]) -> Result<(u32, u32), Error> {
    let tag = u32::try_from(varint(rest)?).map_err(|_| malformed("field number out of range"))?;
    match tag >> 3 {
        0 => Err(malformed("field number 0")),
        number => Ok((number, tag & 7)),
    }
}

pub(crate) fn varint(rest: &mut &[u8]) -> Result<u64, Error> {
    let mut value = 0;
    for (i, byte) in rest.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            if i == 9 && *byte > 1 {
                return Err(malformed("integer longer than 64 bits"));
            }
            *rest = &rest[i + 1..];
            return Ok(value);
        }
    }
    Err(malformed("integer without an end"))
}

pub(crate) fn take<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], Error> {
    let (taken, left) = rest.split_at_checked(len).ok_or_else(|| malformed("field longer than its message"))?;
    *rest = left;
    Ok(taken)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Error> {
    let bytes = take(rest, N)?;
    bytes.try_into().map_err(|_| malformed("field longer than its message"))
}

pub(crate) fn malformed(message: &'static str) -> Error {
    Error::new(ErrorKind::Malformed, message)
}

#[cfg(test)]
mod tests {
    use super::{Field, Fields, cut, put_any_attribute, put_attribute, put_varint, varint, varint_len};
    use crate::{Attribute, Value};

    #[test]
    fn varints_round_trip_with_the_right_length() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value), "{value}");
            assert_eq!(varint(&mut out.as_slice()).unwrap(), value);
        }
    }

    #[test]
    fn truncated_and_endless_fields_are_refused() {
        for bytes in [&[0x0a, 5, 1][..], &[0x80; 11], &[0x0b], &[0x09, 1], &[0x00, 0x00]] {
            assert!(Fields::new(bytes).any(|f| f.is_err()), "{bytes:?}");
        }
        let fields: Vec<_> = Fields::new(&[0x08, 0x96, 0x01]).map(Result::unwrap).collect();
        assert_eq!(fields, [(1, Field::Varint(150))]);
    }

    #[test]
    fn short_attributes_are_written_as_long_ones() {
        let texts = ["", "GET", &"x".repeat(100), &"x".repeat(117), &"x".repeat(118), &"x".repeat(300)];
        let ones = texts.map(|text| [text]);
        let others: [&[&str]; 2] = [&[], &["a", "b"]];
        let lists = ones.iter().map(|one| &one[..]).chain(others).map(|list| Value::StrArray(list.into()));
        let numbers = [0, 127, 128, 16_383, 16_384, -1, i64::MAX].map(Value::I64);
        let values = texts.map(Value::Str).into_iter().chain(numbers).chain([true, false].map(Value::Bool));
        for value in values.chain([0.5, f64::NAN].map(Value::F64)).chain(lists) {
            for key in ["k", "name", &"k".repeat(107), &"k".repeat(112), &"k".repeat(114), &"k".repeat(200)] {
                for field in [1, 9, 15, 16] {
                    let attribute = Attribute { key, value };
                    let (mut quick, mut full) = (vec![1], vec![1]);
                    put_attribute(&mut quick, field, &attribute, 117);
                    put_any_attribute(&mut full, field, &attribute, 117);
                    assert_eq!(quick, full, "{field} {attribute:?}");
                }
            }
        }
    }

    #[test]
    fn texts_are_cut_at_characters() {
        assert_eq!(cut("naïve", 3), "naï");
        assert_eq!(cut("naïve", 5), "naïve");
        assert_eq!(cut("x", 0), "");
    }
}
