use spandrel_plugin_api::{Carrier, CarrierMut, SpanContext, TraceFlags, TraceState};

use crate::{Extracted, Outgoing, Propagator, header, hex};

/// W3C Trace Context: `traceparent` and `tracestate`.
///
/// A `traceparent` that is malformed or occurs twice is as good as none, and the
/// `tracestate` goes with it. A malformed `tracestate` is dropped alone, and so is one of
/// more than [`TraceContextPropagator::MAX_STATE_BYTES`]; a shorter one is passed on whole.
///
/// Source: W3C Trace Context Level 2, sections 3.2 to 3.5.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "has nothing to configure")]
pub struct TraceContextPropagator;

impl TraceContextPropagator {
    /// Most bytes of trace state that are looked at, over all lines together, with a comma for
    /// each line but the first. The specification asks for 512.
    pub const MAX_STATE_BYTES: usize = 8_192;

    /// Most members of a trace state that are looked at, empty ones included.
    const MAX_STATE_PIECES: usize = 4 * TraceState::MAX_MEMBERS;
}

impl Propagator for TraceContextPropagator {
    fn name(&self) -> &'static str {
        "tracecontext"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[TRACEPARENT, TRACESTATE]
    }

    fn extract(&self, carrier: &dyn Carrier, into: &mut Extracted) {
        if into.span_context.is_some() {
            return;
        }
        if let Ok(Some(context)) = header::read(carrier, TRACEPARENT, MAX_PARENT_LEN, parse_traceparent) {
            into.span_context = Some(context.with_trace_state(tracestate(carrier)).with_remote(true));
        }
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn CarrierMut) {
        let Some(context) = outgoing.valid_span_context() else { return };
        header::write_ascii(carrier, TRACEPARENT, &write_traceparent(context));
        // A trace state copied from elsewhere would be another trace's.
        if context.trace_state().is_empty() {
            carrier.remove(TRACESTATE);
        } else {
            header::write(carrier, TRACESTATE, context.trace_state().as_str());
        }
    }
}

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// Bytes of a `traceparent` of version 00, and the least of any later version.
const TRACEPARENT_LEN: usize = 55;

/// Most bytes that a later version may have here; OpenTelemetry for Python has the same limit.
const MAX_PARENT_LEN: usize = 512;

fn parse_traceparent(line: &str) -> Option<SpanContext> {
    let (known, rest) = line.as_bytes().split_first_chunk::<TRACEPARENT_LEN>()?;
    let well_formed = match hex::byte([known[0], known[1]])? {
        0 => rest.is_empty(),
        0xff => false,
        // A later version may have more fields behind those known today.
        _ => rest.is_empty() || rest.starts_with(b"-"),
    };
    if !well_formed || known[2] != b'-' || known[35] != b'-' || known[52] != b'-' {
        return None;
    }
    let trace_id = hex::trace_id(known[3..35].first_chunk()?)?;
    let span_id = hex::span_id(known[36..52].first_chunk()?)?;
    let flags = TraceFlags::from_bits(hex::byte([known[53], known[54]])?);
    Some(SpanContext::new(trace_id, span_id, flags))
}

fn tracestate(carrier: &dyn Carrier) -> TraceState {
    let (mut lines, mut bytes, mut pieces) = (0_usize, 0_usize, 0_usize);
    let mut state = None;
    let fits = |bytes, pieces| {
        bytes <= TraceContextPropagator::MAX_STATE_BYTES && pieces <= TraceContextPropagator::MAX_STATE_PIECES
    };
    carrier.for_each_value(TRACESTATE, &mut |line| {
        bytes = bytes.saturating_add(usize::from(lines > 0)).saturating_add(line.len());
        if bytes <= TraceContextPropagator::MAX_STATE_BYTES {
            pieces += 1 + header::commas(line);
        }
        lines += 1;
        // Nearly always there is one line, which is parsed as it stands.
        if lines == 1 && fits(bytes, pieces) {
            state = TraceState::parse(line).ok();
        }
    });
    if !fits(bytes, pieces) {
        header::over_limit(TRACESTATE, format_args!("{} bytes", TraceContextPropagator::MAX_STATE_BYTES));
        return TraceState::default();
    }
    if lines > 1 {
        let mut joined = String::with_capacity(bytes + 1);
        carrier.for_each_value(TRACESTATE, &mut |line| joined.extend([line, ","]));
        // The comma behind the last line makes an empty member, which is allowed.
        state = TraceState::parse(&joined).ok();
    }
    state.unwrap_or_default()
}

fn write_traceparent(context: &SpanContext) -> [u8; TRACEPARENT_LEN] {
    let mut header = *b"00-00000000000000000000000000000000-0000000000000000-00";
    header[3..35].copy_from_slice(&hex::of_trace_id(context.trace_id()));
    header[36..52].copy_from_slice(&hex::of_span_id(context.span_id()));
    header[53..].copy_from_slice(&hex::of_byte(context.flags().bits()));
    header
}

#[cfg(test)]
mod tests;
