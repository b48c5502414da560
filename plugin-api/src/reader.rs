use crate::any_value::check_attributes;
use crate::wire::{field, malformed, tag, take, varint};
use crate::{Error, ScopeView, SpanView};

/// Walks the spans of an `ExportTraceServiceRequest` without copying them.
///
/// Yields each span once it was checked to its last byte, so that the views
/// need no further error handling. The first malformed part ends the walk with
/// an error.
#[derive(Debug, Clone)]
pub struct SpanReader<'a> {
    cursor: Cursor<'a>,
    request_end: usize,
    resource_end: usize,
    scope_end: usize,
    resource: &'a [u8],
    scope: ScopeView<'a>,
}

impl<'a> SpanReader<'a> {
    /// Reads the message that the parts make when concatenated.
    #[must_use]
    pub fn new(parts: &'a [&'a [u8]]) -> Self {
        let cursor = Cursor::new(parts);
        let request_end = parts.iter().map(|part| part.len()).sum();
        Self { cursor, request_end, resource_end: 0, scope_end: 0, resource: &[], scope: ScopeView::default() }
    }

    fn read(&mut self) -> Result<Option<SpanView<'a>>, Error> {
        loop {
            let position = self.cursor.position;
            if position < self.scope_end {
                if let Some(span) = self.cursor.message(field::SCOPE_SPANS_SPANS, self.scope_end)? {
                    return SpanView::parse(span, self.resource, self.scope).map(Some);
                }
            } else if position < self.resource_end {
                if let Some(end) = self.cursor.enter(field::RESOURCE_SPANS_SCOPE_SPANS, self.resource_end)? {
                    self.scope_end = end;
                    let scope = self.cursor.find(field::SCOPE_SPANS_SCOPE, end)?;
                    self.scope = ScopeView::parse(scope)?;
                }
            } else if position < self.request_end {
                if let Some(end) = self.cursor.enter(field::REQUEST_RESOURCE_SPANS, self.request_end)? {
                    self.resource_end = end;
                    self.resource = self.cursor.find(field::RESOURCE_SPANS_RESOURCE, end)?;
                    check_attributes(self.resource, field::RESOURCE_ATTRIBUTES, 0)?;
                }
            } else {
                return Ok(None);
            }
        }
    }
}

impl<'a> Iterator for SpanReader<'a> {
    type Item = Result<SpanView<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let span = self.read().transpose();
        if matches!(span, Some(Err(_))) {
            self.request_end = 0;
            self.resource_end = 0;
            self.scope_end = 0;
        }
        span
    }
}

/// A position in the concatenation of the parts.
#[derive(Debug, Clone)]
struct Cursor<'a> {
    parts: &'a [&'a [u8]],
    rest: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    fn new(parts: &'a [&'a [u8]]) -> Self {
        Self { parts, rest: &[], position: 0 }
    }

    /// Moves to the next part when this one is used up.
    fn settle(&mut self) {
        while self.rest.is_empty() {
            let Some((next, parts)) = self.parts.split_first() else { return };
            self.rest = next;
            self.parts = parts;
        }
    }

    /// Reads the head of a field that must end at or before `end`; skips a field of fixed size.
    fn head(&mut self, end: usize) -> Result<Option<(u32, usize)>, Error> {
        self.settle();
        let before = self.rest.len();
        let (number, wire) = tag(&mut self.rest)?;
        let len = match wire {
            0 => varint(&mut self.rest).map(|_| None)?,
            1 => take(&mut self.rest, 8).map(|_| None)?,
            5 => take(&mut self.rest, 4).map(|_| None)?,
            2 => Some(usize::try_from(varint(&mut self.rest)?).unwrap_or(usize::MAX)),
            _ => return Err(malformed("wire type not used by OTLP")),
        };
        self.position += before - self.rest.len();
        if self.position.saturating_add(len.unwrap_or(0)) > end {
            return Err(malformed("field longer than its message"));
        }
        Ok(len.map(|len| (number, len)))
    }

    /// Enters the message in field `wanted` and says where it ends, or skips another field.
    fn enter(&mut self, wanted: u32, end: usize) -> Result<Option<usize>, Error> {
        match self.head(end)? {
            Some((number, len)) if number == wanted => Ok(Some(self.position + len)),
            Some((_, len)) => self.skip(len).map(|()| None),
            None => Ok(None),
        }
    }

    /// Takes the bytes of field `wanted`, or skips another field.
    fn message(&mut self, wanted: u32, end: usize) -> Result<Option<&'a [u8]>, Error> {
        match self.head(end)? {
            Some((number, len)) if number == wanted => {
                if len > 0 {
                    self.settle();
                }
                let bytes =
                    take(&mut self.rest, len).map_err(|_| malformed("span crosses from one part into the next"))?;
                self.position += len;
                Ok(Some(bytes))
            }
            Some((_, len)) => self.skip(len).map(|()| None),
            None => Ok(None),
        }
    }

    /// Looks ahead for field `wanted` before `end`; empty if it is absent.
    fn find(&self, wanted: u32, end: usize) -> Result<&'a [u8], Error> {
        let mut ahead = self.clone();
        let mut found: &[u8] = &[];
        while ahead.position < end {
            if let Some(bytes) = ahead.message(wanted, end)? {
                found = bytes;
            }
        }
        Ok(found)
    }

    fn skip(&mut self, mut len: usize) -> Result<(), Error> {
        self.position += len;
        while len > 0 {
            self.settle();
            let step = len.min(self.rest.len());
            if step == 0 {
                return Err(malformed("message shorter than its fields"));
            }
            self.rest = &self.rest[step..];
            len -= step;
        }
        Ok(())
    }
}
