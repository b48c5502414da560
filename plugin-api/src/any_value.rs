use crate::Error;
use crate::wire::{Field, Fields, field, malformed};

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
    pub(crate) message: &'a [u8],
    pub(crate) field: u32,
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

/// Deeper than the decoders of other languages go, and no danger to the stack.
const MAX_DEPTH: u32 = 64;

pub(crate) fn messages(message: &[u8], wanted: u32) -> impl Iterator<Item = &[u8]> + Clone {
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
pub(crate) fn check_key_value(message: &[u8], depth: u32) -> Result<(), Error> {
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

pub(crate) fn check_attributes(message: &[u8], wanted: u32, depth: u32) -> Result<(), Error> {
    for item in Fields::new(message) {
        match item? {
            (number, Field::Len(bytes)) if number == wanted => check_key_value(bytes, depth)?,
            _ => {}
        }
    }
    Ok(())
}

pub(crate) fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| malformed("text that is not UTF-8"))
}
