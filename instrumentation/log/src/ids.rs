use std::fmt;

use log::kv::{Error, Key, Source, Value, VisitSource};
use spandrel::SpanContext;

/// The key of the trace id, as OpenTelemetry has it for JSON logs.
pub const TRACE_ID: &str = "trace_id";
/// The key of the span id.
pub const SPAN_ID: &str = "span_id";
/// The key of the flags: `01` if the trace is sampled.
pub const TRACE_FLAGS: &str = "trace_flags";

/// The ids of the current span of this thread; nothing where there is none.
///
/// ```
/// spandrel::with_span("checkout", |_| {
///     println!("INFO paid {}", spandrel_log::ids());
/// });
/// ```
#[must_use]
pub fn ids() -> Ids {
    Ids::of(spandrel::current().as_ref())
}

/// The ids of a span, as text (`trace_id=… span_id=… trace_flags=01`) and as key-values of `log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids {
    /// In lower-case hexadecimal, if there is a span.
    texts: Option<Texts>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Texts {
    trace_id: [u8; 32],
    span_id: [u8; 16],
    flags: [u8; 2],
}

impl Ids {
    /// The ids of this span.
    #[must_use]
    pub fn of(span: Option<&SpanContext>) -> Self {
        let texts = span.filter(|span| span.is_valid()).map(|span| Texts {
            trace_id: hex(&span.trace_id().to_bytes()),
            span_id: hex(&span.span_id().to_bytes()),
            flags: hex(&[span.flags().bits()]),
        });
        Self { texts }
    }

    /// Whether there is no span.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.texts.is_none()
    }

    /// Keys and values; empty where there is no span.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.texts.iter().flat_map(|texts| {
            [(TRACE_ID, &texts.trace_id[..]), (SPAN_ID, &texts.span_id[..]), (TRACE_FLAGS, &texts.flags[..])]
                .map(|(key, digits)| (key, std::str::from_utf8(digits).unwrap_or("")))
        })
    }
}

/// `trace_id=… span_id=… trace_flags=01`; empty where there is no span.
impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, value)) in self.pairs().enumerate() {
            let blank = if at == 0 { "" } else { " " };
            write!(f, "{blank}{key}={value}")?;
        }
        Ok(())
    }
}

impl Source for Ids {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        self.pairs().try_for_each(|(key, value)| visitor.visit_pair(Key::from_str(key), Value::from(value)))
    }

    fn count(&self) -> usize {
        self.pairs().count()
    }
}

fn hex<const N: usize>(bytes: &[u8]) -> [u8; N] {
    std::array::from_fn(|at| {
        let byte = bytes[at / 2];
        b"0123456789abcdef"[usize::from(if at % 2 == 0 { byte >> 4 } else { byte & 0xF })]
    })
}

#[cfg(test)]
mod tests {
    use spandrel::{SpanContext, SpanId, TraceFlags, TraceId};

    use super::Ids;

    #[test]
    fn texts_are_those_of_a_traceparent() {
        let context = SpanContext::new(
            TraceId::from_bytes(*b"\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36"),
            SpanId::from_bytes(*b"\x00\xf0\x67\xaa\x0b\xa9\x02\xb7"),
            TraceFlags::SAMPLED,
        );
        assert_eq!(
            Ids::of(Some(&context)).to_string(),
            "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 trace_flags=01"
        );
        assert_eq!(Ids::of(None).to_string(), "");
    }
}
