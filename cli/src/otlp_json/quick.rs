//! The quick way from OTLP/JSON to protobuf: each value goes where it belongs as it is
//! read, without a tree in between. It knows what most write, and gives up at all else.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use spandrel_plugin_api::wire::{put_bytes, put_fixed32, put_fixed64, put_uint, put_varint, varint_len};

use super::schema::{self, Kind, Message};
use super::{base64, double_of, number_of};

/// One `ExportTraceServiceRequest`; `None` if the other way has to look at it.
pub(super) fn request(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 2);
    let mut document = serde_json::Deserializer::from_slice(text);
    Fill { out: &mut out, schema: &schema::REQUEST }.deserialize(&mut document).ok()?;
    document.end().ok()?;
    Some(out)
}

/// Appends the fields of a message.
struct Fill<'o> {
    out: &'o mut Vec<u8>,
    schema: &'static Message,
}

impl<'de> DeserializeSeed<'de> for Fill<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, document: D) -> Result<(), D::Error> {
        document.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fill<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut required = 0;
        while let Some(name) = fields.next_key_seed(Name(self.schema))? {
            match name {
                Some((number, kind, is_required)) => {
                    required += usize::from(is_required);
                    fields.next_value_seed(Put { out: self.out, number, kind })?;
                }
                None => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        match required == self.schema.required.len() {
            true => Ok(()),
            false => Err(Error::custom("incomplete")),
        }
    }
}

/// The field of a message that has the name; `None` for one that is not read.
struct Name(&'static Message);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<(u32, &'static Kind, bool)>;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Self::Value, D::Error> {
        // A known name needs no check of its UTF-8.
        name.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<(u32, &'static Kind, bool)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_bytes<E: Error>(self, name: &[u8]) -> Result<Self::Value, E> {
        match self.0.field(name) {
            None if name.iter().all(u8::is_ascii_graphic) => Ok(None),
            None => Err(wrong()),
            Some((number, kind)) => {
                let is_required = self.0.required.iter().any(|required| required.as_bytes() == name);
                Ok(Some((number, kind, is_required)))
            }
        }
    }
}

/// Appends one field.
struct Put<'o> {
    out: &'o mut Vec<u8>,
    number: u32,
    kind: &'static Kind,
}

impl<'de> DeserializeSeed<'de> for Put<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        match self.kind {
            Kind::One(schema) => nested(self.out, self.number, |out| Fill { out, schema }.deserialize(value)),
            Kind::List(_) => value.deserialize_seq(self),
            _ => value.deserialize_any(self),
        }
    }
}

fn wrong<E: Error>() -> E {
    E::custom("another form")
}

impl<'de> Visitor<'de> for Put<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Kind::List(schema) = self.kind else { return Err(wrong()) };
        loop {
            let start = begin(self.out, self.number);
            if items.next_element_seed(Fill { out: self.out, schema })?.is_none() {
                self.out.truncate(start.0);
                return Ok(());
            }
            end(self.out, start);
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        let number = self.number;
        match self.kind {
            Kind::Text => put_bytes(self.out, number, text.as_bytes()),
            Kind::Id(bytes) => {
                let mut id = [0; 16];
                let id = &mut id[..*bytes];
                if !read_hex(text.as_bytes(), id) {
                    return Err(wrong());
                }
                put_bytes(self.out, number, id);
            }
            Kind::Time => put_fixed64(self.out, number, text.parse().map_err(|_| wrong())?),
            Kind::Integer => put_uint(self.out, number, text.parse::<i64>().map_err(|_| wrong())?.cast_unsigned()),
            Kind::Double => put_fixed64(self.out, number, double_of(text).ok_or_else(wrong)?.to_bits()),
            Kind::Choice(prefix, names) => {
                put_uint(self.out, number, number_of(text, prefix, names).ok_or_else(wrong)?);
            }
            Kind::Bytes => put_bytes(self.out, number, &base64(text).map_err(|_| wrong())?),
            _ => return Err(wrong()),
        }
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        let small = u32::try_from(value).map_err(|_| wrong::<E>());
        match self.kind {
            Kind::Time => put_fixed64(self.out, self.number, value),
            Kind::Flags => put_fixed32(self.out, self.number, small?),
            Kind::Count | Kind::Choice(..) => put_uint(self.out, self.number, small?.into()),
            Kind::Integer if i64::try_from(value).is_ok() => put_uint(self.out, self.number, value),
            Kind::Double => put_fixed64(self.out, self.number, (value as f64).to_bits()),
            _ => return Err(wrong()),
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        match self.kind {
            Kind::Integer => put_uint(self.out, self.number, value.cast_unsigned()),
            Kind::Double => put_fixed64(self.out, self.number, (value as f64).to_bits()),
            _ => return Err(wrong()),
        }
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        match self.kind {
            Kind::Double => put_fixed64(self.out, self.number, value.to_bits()),
            _ => return Err(wrong()),
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        match self.kind {
            Kind::Boolean => put_uint(self.out, self.number, value.into()),
            _ => return Err(wrong()),
        }
        Ok(())
    }
}

fn nested<E>(out: &mut Vec<u8>, number: u32, fill: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
    let start = begin(out, number);
    fill(out)?;
    end(out, start);
    Ok(())
}

/// Where a message begins, and where its content does.
type Start = (usize, usize);

/// Appends the head of a message whose length is not known yet.
fn begin(out: &mut Vec<u8>, number: u32) -> Start {
    const MESSAGE: u32 = 2;
    let start = out.len();
    put_varint(out, u64::from(number << 3 | MESSAGE));
    out.push(0);
    (start, out.len())
}

/// Writes the length into the head, for which one byte was left.
fn end(out: &mut Vec<u8>, (_, content): Start) {
    let length = out.len() - content;
    let more = varint_len(length as u64) - 1;
    if more > 0 {
        let old = out.len();
        out.resize(old + more, 0);
        out.copy_within(content..old, content + more);
    }
    let mut rest = length;
    for byte in &mut out[content - 1..content + more] {
        *byte = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
    }
    out[content + more - 1] &= 0x7f;
}

/// Whether the text is the bytes in hexadecimal digits.
fn read_hex(text: &[u8], bytes: &mut [u8]) -> bool {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => 0xff,
    };
    let mut wrong = 0;
    for (pair, byte) in text.chunks_exact(2).zip(bytes.iter_mut()) {
        let (high, low) = (digit(pair[0]), digit(pair[1]));
        wrong |= (high | low) & 0xf0;
        *byte = high << 4 | (low & 0x0f);
    }
    text.len() == 2 * bytes.len() && wrong == 0
}
