//! Writes Thrift's binary protocol, as much of it as Jaeger needs.
//!
//! Source: Apache Thrift, `thrift-binary-protocol.md`.

/// A struct being written.
#[derive(Debug)]
pub(crate) struct Struct<'a>(&'a mut Vec<u8>);

const BOOL: u8 = 2;
const DOUBLE: u8 = 4;
const I32: u8 = 8;
const I64: u8 = 10;
const BINARY: u8 = 11;
const STRUCT: u8 = 12;
const LIST: u8 = 15;

/// Appends a struct whose fields `fill` writes.
pub(crate) fn write(out: &mut Vec<u8>, fill: impl FnOnce(&mut Struct<'_>)) {
    fill(&mut Struct(out));
    out.push(0);
}

impl Struct<'_> {
    pub(crate) fn bool(&mut self, id: i16, value: bool) {
        self.field(BOOL, id).push(u8::from(value));
    }

    pub(crate) fn double(&mut self, id: i16, value: f64) {
        self.field(DOUBLE, id).extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, id: i16, value: i32) {
        self.field(I32, id).extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, id: i16, value: i64) {
        self.field(I64, id).extend_from_slice(&value.to_be_bytes());
    }

    /// A text, or bytes: the same on the wire.
    pub(crate) fn bytes(&mut self, id: i16, value: &[u8]) {
        let out = self.field(BINARY, id);
        out.extend_from_slice(&length(value.len()));
        out.extend_from_slice(value);
    }

    pub(crate) fn object(&mut self, id: i16, fill: impl FnOnce(&mut Struct<'_>)) {
        write(self.field(STRUCT, id), fill);
    }

    /// A list of structs, each written by `fill`.
    pub(crate) fn list<T>(
        &mut self,
        id: i16,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Struct<'_>, T),
    ) {
        let out = self.field(LIST, id);
        out.push(STRUCT);
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        let mut count = 0;
        for item in items {
            write(out, |object| fill(object, item));
            count += 1;
        }
        out[start..start + 4].copy_from_slice(&length(count));
    }

    fn field(&mut self, kind: u8, id: i16) -> &mut Vec<u8> {
        self.0.push(kind);
        self.0.extend_from_slice(&id.to_be_bytes());
        self.0
    }
}

/// Lengths are signed; the limit of a request is far below.
fn length(len: usize) -> [u8; 4] {
    i32::try_from(len).unwrap_or(i32::MAX).to_be_bytes()
}
