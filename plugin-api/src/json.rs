//! JSON: a small writer for any document, and batches as OTLP/JSON.
//!
//! The writer appends to bytes and nests by closures, so that every bracket is
//! closed. Texts are escaped as RFC 8259 demands and no further; doubles without
//! a JSON form are the texts `"NaN"`, `"Infinity"` and `"-Infinity"`.

mod otlp;

use std::collections::HashSet;
use std::fmt::{self, Display, Write as _};
use std::io::Write as _;

use crate::{AnyValue, Attributes};

pub use otlp::write_batch;

/// Appends an object whose members `fill` writes.
///
/// # Examples
///
/// ```
/// use spandrel_plugin_api::json;
///
/// let mut out = Vec::new();
/// json::object(&mut out, |line| {
///     line.text("name", "checkout");
///     line.array("events", |events| events.object(|event| event.number("time", 7_u64)));
/// });
/// assert_eq!(out, br#"{"name":"checkout","events":[{"time":7}]}"#);
/// ```
pub fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    fill(&mut Object { out, is_empty: true });
    out.push(b'}');
}

/// An object being written.
///
/// The keys are the caller's affair: one used twice is written twice.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

/// An array being written.
#[derive(Debug)]
pub struct Array<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

// The generic methods do nothing but call their argument, so that what is
// compiled for each closure is little more than the closure.
impl Object<'_> {
    /// Writes a text.
    pub fn text(&mut self, key: &str, value: &str) {
        text(self.key(key), value);
    }

    /// Writes what is displayed as a text.
    pub fn display(&mut self, key: &str, value: &dyn Display) {
        let out = self.key(key);
        out.push(b'"');
        // Writing into memory does not fail; a `Display` that does is cut there.
        let _ = write!(Escaped(out), "{value}");
        out.push(b'"');
    }

    /// Writes an integer.
    pub fn number(&mut self, key: &str, value: impl Into<i128>) {
        integer(self.key(key), value.into());
    }

    /// Writes a double.
    pub fn float(&mut self, key: &str, value: f64) {
        float(self.key(key), value);
    }

    /// Writes true or false.
    pub fn boolean(&mut self, key: &str, value: bool) {
        boolean(self.key(key), value);
    }

    /// Writes null.
    pub fn null(&mut self, key: &str) {
        self.key(key).extend_from_slice(b"null");
    }

    /// Writes an attribute value as plain JSON: `3`, `"x"`, `[1,2]`; bytes in Base64.
    pub fn value(&mut self, key: &str, value: AnyValue<'_>) {
        plain(self.key(key), value);
    }

    /// Writes attributes of one or more places as a single object.
    ///
    /// Of those with the same key only the last is written.
    pub fn attributes(&mut self, key: &str, lists: &[Attributes<'_>]) {
        attributes(self.key(key), lists);
    }

    /// Writes an object whose members `fill` writes.
    pub fn object(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>)) {
        object(self.key(key), fill);
    }

    /// Writes an array whose elements `fill` writes.
    pub fn array(&mut self, key: &str, fill: impl FnOnce(&mut Array<'_>)) {
        array(self.key(key), fill);
    }

    /// Writes the key; the value goes into what is returned.
    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        separate(self.out, &mut self.is_empty);
        text(self.out, key);
        self.out.push(b':');
        self.out
    }
}

impl Array<'_> {
    /// Writes an attribute value as plain JSON.
    pub fn value(&mut self, value: AnyValue<'_>) {
        plain(self.element(), value);
    }

    /// Writes an object whose members `fill` writes.
    pub fn object(&mut self, fill: impl FnOnce(&mut Object<'_>)) {
        object(self.element(), fill);
    }

    fn element(&mut self) -> &mut Vec<u8> {
        separate(self.out, &mut self.is_empty);
        self.out
    }
}

fn array(out: &mut Vec<u8>, fill: impl FnOnce(&mut Array<'_>)) {
    out.push(b'[');
    fill(&mut Array { out, is_empty: true });
    out.push(b']');
}

fn separate(out: &mut Vec<u8>, is_empty: &mut bool) {
    if !std::mem::take(is_empty) {
        out.push(b',');
    }
}

// Calls itself for what is nested in the value, which the reader has checked to
// end at a depth that is no danger to the stack.
fn plain(out: &mut Vec<u8>, value: AnyValue<'_>) {
    match value {
        AnyValue::Empty => out.extend_from_slice(b"null"),
        AnyValue::Str(v) => text(out, v),
        AnyValue::Bool(v) => boolean(out, v),
        AnyValue::I64(v) => integer(out, v.into()),
        AnyValue::F64(v) => float(out, v),
        AnyValue::Bytes(v) => base64(out, v),
        AnyValue::Array(values) => array(out, |array| values.into_iter().for_each(|v| array.value(v))),
        AnyValue::KeyValueList(list) => attributes(out, &[list]),
    }
}

fn attributes(out: &mut Vec<u8>, lists: &[Attributes<'_>]) {
    let mut all: Vec<_> = lists.iter().copied().flatten().collect();
    // From the end, so that the first of a key to be seen is the last.
    let mut seen = HashSet::with_capacity(all.len());
    all.reverse();
    all.retain(|(key, _)| seen.insert(*key));
    object(out, |object| all.into_iter().rev().for_each(|(key, value)| object.value(key, value)));
}

fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

fn integer(out: &mut Vec<u8>, value: i128) {
    // Writing into memory does not fail, here and below.
    let _ = match i64::try_from(value) {
        Ok(value) => write!(out, "{value}"),
        Err(_) => write!(out, "{value}"),
    };
}

/// JSON has no numbers that are not finite; these are the names of the protobuf mapping.
fn float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        // The shortest digits that read as the same double, as `0.5`, `3.0` or
        // `1e-7`: all of them are JSON.
        let _ = write!(out, "{value:?}");
    } else if value.is_nan() {
        text(out, "NaN");
    } else {
        text(out, if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
}

fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.push(b'"');
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |g, b| g << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let digit = DIGITS[(group >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= chunk.len() { digit } else { b'=' });
        }
    }
    out.push(b'"');
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    escape(out, text);
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    let mut copied = 0;
    for (i, byte) in bytes.iter().copied().enumerate() {
        let escape = match byte {
            b'"' | b'\\' => byte,
            0x20.. => continue,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            _ => b'u',
        };
        out.extend_from_slice(&bytes[copied..i]);
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            out.extend_from_slice(&[b'0', b'0', b'0' + (byte >> 4), DIGITS[usize::from(byte & 15)]]);
        }
        copied = i + 1;
    }
    out.extend_from_slice(&bytes[copied..]);
}

/// Escapes what is formatted into it.
struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.0, text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Object, object};

    fn written(fill: impl FnOnce(&mut Object<'_>)) -> String {
        let mut out = Vec::new();
        object(&mut out, fill);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn controls_are_escaped_and_nothing_else_but_quotes_and_backslashes() {
        for code in 0..0x20 {
            let c = char::from(code);
            let escape = match c {
                '\u{8}' => r"\b".to_owned(),
                '\t' => r"\t".to_owned(),
                '\n' => r"\n".to_owned(),
                '\u{c}' => r"\f".to_owned(),
                '\r' => r"\r".to_owned(),
                _ => format!(r"\u{code:04x}"),
            };
            assert_eq!(written(|o| o.text("k", &format!("{c}a{c}"))), format!(r#"{{"k":"{escape}a{escape}"}}"#));
        }
        assert_eq!(written(|o| o.text("\"\\\"", "a\"\\b/c")), r#"{"\"\\\"":"a\"\\b/c"}"#);
        let others = "käse 🧀 \u{7f}\u{9b}\u{2028}\u{fffd}\u{10ffff}";
        assert_eq!(written(|o| o.text(others, others)), format!(r#"{{"{others}":"{others}"}}"#));
    }

    #[test]
    fn what_is_displayed_is_one_text() {
        let [a, b] = ["\"a\n", "\\b"];
        assert_eq!(written(|o| o.display("k", &format_args!("{a}-{b:>4}"))), r#"{"k":"\"a\n-  \\b"}"#);
    }

    #[test]
    fn commas_stand_between() {
        let text = written(|o| {
            o.object("none", |_| {});
            o.array("empty", |_| {});
            o.null("null");
            o.boolean("yes", true);
            o.array("two", |a| {
                a.object(|o| o.boolean("no", false));
                a.object(|o| {
                    o.text("", "");
                    o.null("");
                });
            });
        });
        assert_eq!(text, r#"{"none":{},"empty":[],"null":null,"yes":true,"two":[{"no":false},{"":"","":null}]}"#);
    }

    #[test]
    fn numbers_to_their_limits() {
        let numbers = written(|o| {
            o.number("a", u64::MAX);
            o.number("b", i64::MIN);
            o.number("c", 0);
            o.number("d", i128::MIN);
        });
        let expected = r#"{"a":18446744073709551615,"b":-9223372036854775808,"c":0,"#;
        assert_eq!(numbers, format!(r#"{expected}"d":{}}}"#, i128::MIN));

        let floats = [3.0, -0.0, 1e-7, 1e16, 0.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let expected = ["3.0", "-0.0", "1e-7", "1e16", "0.1", r#""NaN""#, r#""Infinity""#, r#""-Infinity""#];
        for (value, text) in floats.into_iter().zip(expected) {
            assert_eq!(written(|o| o.float("k", value)), format!(r#"{{"k":{text}}}"#));
        }
    }
}
