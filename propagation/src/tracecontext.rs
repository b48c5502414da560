use spandrel_plugin_api::{Carrier, CarrierMut, SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use crate::{Extracted, Outgoing, Propagator};

/// W3C Trace Context: `traceparent` and `tracestate`.
///
/// A `traceparent` that is malformed or occurs twice is as good as none, and the
/// `tracestate` goes with it. A malformed `tracestate` is dropped alone. A
/// well-formed one is passed on whole, whatever its length.
///
/// Source: W3C Trace Context Level 2, sections 3.2 to 3.5.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "has nothing to configure")]
pub struct TraceContextPropagator;

impl Propagator for TraceContextPropagator {
    fn name(&self) -> &'static str {
        "tracecontext"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[TRACEPARENT, TRACESTATE]
    }

    fn extract(&self, carrier: &dyn Carrier, into: &mut Extracted) {
        if let Some(context) = traceparent(carrier) {
            let context = context.with_trace_state(tracestate(carrier)).with_remote(true);
            into.span_context = Some(context);
        }
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn CarrierMut) {
        let Some(context) = outgoing.span_context.filter(|context| context.is_valid()) else { return };
        let header = write_traceparent(context);
        if let Ok(header) = std::str::from_utf8(&header) {
            carrier.set(TRACEPARENT, header);
        }
        // A trace state copied from elsewhere would be another trace's.
        if context.trace_state().is_empty() {
            carrier.remove(TRACESTATE);
        } else {
            carrier.set(TRACESTATE, context.trace_state().as_str());
        }
    }
}

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// Bytes of a `traceparent` of version 00, and the least of any later version.
const TRACEPARENT_LEN: usize = 55;

/// Most bytes of trace state that are looked at, over all lines: as many as the
/// longest legal one has, with a key and a value of 256 bytes in each member.
const MAX_STATE_LEN: usize = TraceState::MAX_MEMBERS * (256 + "=".len() + 256 + ",".len());

fn traceparent(carrier: &dyn Carrier) -> Option<SpanContext> {
    let mut lines = 0_usize;
    let mut context = None;
    carrier.for_each_value(TRACEPARENT, &mut |line| {
        lines = lines.saturating_add(1);
        context = if lines == 1 { parse_traceparent(line) } else { None };
    });
    context
}

fn parse_traceparent(line: &str) -> Option<SpanContext> {
    let line = line.trim_matches([' ', '\t']).as_bytes();
    let (known, rest) = line.split_at_checked(TRACEPARENT_LEN)?;
    let well_formed = match parse_byte(&known[..2])? {
        0 => rest.is_empty(),
        0xff => false,
        // A later version may have more fields behind those known today.
        _ => rest.is_empty() || rest.starts_with(b"-"),
    };
    if !well_formed || [2, 35, 52].iter().any(|at| known[*at] != b'-') {
        return None;
    }
    let trace_id = TraceId::from_hex(&known[3..35])?;
    let span_id = SpanId::from_hex(&known[36..52])?;
    let flags = TraceFlags::from_bits(parse_byte(&known[53..])?);
    Some(SpanContext::new(trace_id, span_id, flags))
}

/// Two lower-case hexadecimal digits. The parsers of `std` take signs and upper case.
fn parse_byte(hex: &[u8]) -> Option<u8> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    match hex {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    }
}

fn tracestate(carrier: &dyn Carrier) -> TraceState {
    let mut joined = String::new();
    let mut len = 0_usize;
    carrier.for_each_value(TRACESTATE, &mut |line| {
        len = len.saturating_add(line.len()).saturating_add(1);
        if len <= MAX_STATE_LEN {
            joined.push_str(line);
            joined.push(',');
        }
    });
    // The comma behind the last line makes an empty member, which is allowed.
    if len <= MAX_STATE_LEN { TraceState::parse(&joined).unwrap_or_default() } else { TraceState::default() }
}

fn write_traceparent(context: &SpanContext) -> [u8; TRACEPARENT_LEN] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let flags = usize::from(context.flags().bits());
    let mut header = *b"00-00000000000000000000000000000000-0000000000000000-00";
    header[3..35].copy_from_slice(&context.trace_id().to_hex());
    header[36..52].copy_from_slice(&context.span_id().to_hex());
    header[53..].copy_from_slice(&[DIGITS[flags >> 4], DIGITS[flags & 15]]);
    header
}

#[cfg(test)]
mod tests;
