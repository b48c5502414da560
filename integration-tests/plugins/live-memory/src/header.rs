//! A header of its own: trace id, span id, flags and trace state, with blanks between.

use spandrel_plugin_api::{Carrier, CarrierMut, SpanContext, TraceFlags, TraceState};

pub(crate) const NAME: &str = "x-live-memory";

pub(crate) fn write(context: &SpanContext, carrier: &mut dyn CarrierMut) {
    let (trace, span, flags) = (context.trace_id(), context.span_id(), context.flags().bits());
    carrier.set(NAME, &format!("{trace} {span} {flags} {}", context.trace_state().as_str()));
}

/// The last value that is one.
pub(crate) fn read(carrier: &dyn Carrier) -> Option<SpanContext> {
    let mut found = None;
    carrier.for_each_value(NAME, &mut |value| found = parse(value).or(found.take()));
    found
}

fn parse(value: &str) -> Option<SpanContext> {
    let mut parts = value.splitn(4, ' ');
    let (trace, span) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let flags = TraceFlags::from_bits(parts.next()?.parse().ok()?);
    let state = TraceState::parse(parts.next()?).ok()?;
    Some(SpanContext::new(trace, span, flags).with_trace_state(state).with_remote(true))
}
