use spandrel_plugin_api::{Carrier, CarrierMut, SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use crate::{Extracted, Outgoing, Propagator, header, hex};

/// B3, the format of Zipkin: the header `b3`, or several that begin with `x-b3-`.
///
/// Both forms are read, `b3` first; which one is written is chosen by the constructor. Ids are
/// read in any case, trace ids of 64 bits too; they are written with 128 bits in lower case.
///
/// The debug flag means sampled, and goes on to the next service: it travels as the member
/// `b3=d` of the trace state, so it survives a part of the way that speaks `tracecontext`.
/// A caller that leaves the decision open counts as sampled. A header with a decision but
/// without ids (`b3: 0`) is as good as none.
///
/// Source: openzipkin/b3-propagation, README; OpenTelemetry specification, context/api-propagators, B3.
#[derive(Debug, Clone, Copy)]
pub struct B3Propagator {
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Single,
    Multi,
}

impl B3Propagator {
    /// Writes the header `b3`. Its name is `b3`.
    #[must_use]
    pub const fn single() -> Self {
        Self { form: Form::Single }
    }

    /// Writes the headers that begin with `x-b3-`. Its name is `b3multi`.
    #[must_use]
    pub const fn multi() -> Self {
        Self { form: Form::Multi }
    }
}

impl Propagator for B3Propagator {
    fn name(&self) -> &'static str {
        match self.form {
            Form::Single => "b3",
            Form::Multi => "b3multi",
        }
    }

    fn fields(&self) -> &'static [&'static str] {
        &[SINGLE, TRACE_ID, SPAN_ID, SAMPLED, FLAGS]
    }

    fn extract(&self, carrier: &dyn Carrier, into: &mut Extracted) {
        if into.span_context.is_some() {
            return;
        }
        let single = header::read(carrier, SINGLE, MAX_LEN, parse_single).ok().flatten().flatten();
        into.span_context = single.or_else(|| read_multi(carrier)).map(Parts::into_context);
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn CarrierMut) {
        let Some(context) = outgoing.valid_span_context() else { return };
        match self.form {
            Form::Single => write_single(context, carrier),
            Form::Multi => write_multi(context, carrier),
        }
    }
}

const SINGLE: &str = "b3";
const TRACE_ID: &str = "x-b3-traceid";
const SPAN_ID: &str = "x-b3-spanid";
const SAMPLED: &str = "x-b3-sampled";
const FLAGS: &str = "x-b3-flags";

/// The longest `b3` has 68: two ids, a decision, the id of the parent.
const MAX_LEN: usize = 128;

/// The key of the debug flag in a trace state, and its value.
const STATE: (&str, &str) = ("b3", "d");

#[derive(Clone, Copy, PartialEq, Eq)]
enum Decision {
    Drop,
    Accept,
    Debug,
}

struct Parts {
    trace_id: TraceId,
    span_id: SpanId,
    decision: Option<Decision>,
}

impl Parts {
    fn into_context(self) -> SpanContext {
        // The caller leaves the decision to us. A span context has no word for that, and
        // "not sampled" would be a decision that nobody made.
        let decision = self.decision.unwrap_or(Decision::Accept);
        let flags = TraceFlags::default().with_sampled(decision != Decision::Drop);
        let context = SpanContext::new(self.trace_id, self.span_id, flags).with_remote(true);
        if decision == Decision::Debug { with_debug(context) } else { context }
    }
}

/// The inner `None` is a decision without ids.
fn parse_single(line: &str) -> Option<Option<Parts>> {
    let mut parts = line.split('-');
    let first = parts.next()?;
    let Some(span_id) = parts.next() else { return parse_decision(first).map(|_| None) };
    let (trace_id, span_id) = (parse_trace_id(first)?, parse_span_id(span_id)?);
    let mut third = parts.next();
    let decision = match third {
        Some(text) if text.len() == 1 => {
            third = parts.next();
            Some(parse_decision(text)?)
        }
        _ => None,
    };
    // What is left is the span id of the caller's parent, which nobody needs.
    if let Some(parent) = third {
        hex::decode_any_case::<16, 8>(parent.as_bytes().try_into().ok()?)?;
    }
    parts.next().is_none().then_some(Some(Parts { trace_id, span_id, decision }))
}

fn read_multi(carrier: &dyn Carrier) -> Option<Parts> {
    let trace_id = header::read(carrier, TRACE_ID, MAX_LEN, parse_trace_id).ok()??;
    let span_id = header::read(carrier, SPAN_ID, MAX_LEN, parse_span_id).ok()??;
    let decision = header::read(carrier, SAMPLED, MAX_LEN, parse_decision).ok()?;
    let flags = header::read(carrier, FLAGS, MAX_LEN, |flags| Some(flags == "1")).ok()?;
    let decision = if flags == Some(true) { Some(Decision::Debug) } else { decision };
    Some(Parts { trace_id, span_id, decision })
}

fn parse_trace_id(text: &str) -> Option<TraceId> {
    if matches!(text.len(), 16 | 32) { hex::padded_trace_id(text) } else { None }
}

fn parse_span_id(text: &str) -> Option<SpanId> {
    if text.len() == 16 { hex::padded_span_id(text) } else { None }
}

/// Old senders write `true` and `false`.
fn parse_decision(text: &str) -> Option<Decision> {
    match text {
        "0" => Some(Decision::Drop),
        "1" => Some(Decision::Accept),
        "d" => Some(Decision::Debug),
        _ if text.eq_ignore_ascii_case("false") => Some(Decision::Drop),
        _ if text.eq_ignore_ascii_case("true") => Some(Decision::Accept),
        _ => None,
    }
}

fn decision(context: &SpanContext) -> Decision {
    match (context.is_sampled(), is_debug(context)) {
        (false, _) => Decision::Drop,
        (true, false) => Decision::Accept,
        (true, true) => Decision::Debug,
    }
}

fn write_single(context: &SpanContext, carrier: &mut dyn CarrierMut) {
    let mut value = *b"00000000000000000000000000000000-0000000000000000-0";
    value[..32].copy_from_slice(&hex::of_trace_id(context.trace_id()));
    value[33..49].copy_from_slice(&hex::of_span_id(context.span_id()));
    value[50] = match decision(context) {
        Decision::Drop => b'0',
        Decision::Accept => b'1',
        Decision::Debug => b'd',
    };
    header::write_ascii(carrier, SINGLE, &value);
}

fn write_multi(context: &SpanContext, carrier: &mut dyn CarrierMut) {
    header::write_ascii(carrier, TRACE_ID, &hex::of_trace_id(context.trace_id()));
    header::write_ascii(carrier, SPAN_ID, &hex::of_span_id(context.span_id()));
    // Debug implies accept, and is written alone.
    let (written, value, other) = match decision(context) {
        Decision::Drop => (SAMPLED, "0", FLAGS),
        Decision::Accept => (SAMPLED, "1", FLAGS),
        Decision::Debug => (FLAGS, "1", SAMPLED),
    };
    header::write(carrier, written, value);
    carrier.remove(other);
}

/// Whether the caller asked for the trace to be kept whatever samplers say.
pub(crate) fn is_debug(context: &SpanContext) -> bool {
    !context.trace_state().is_empty() && context.trace_state().get(STATE.0) == Some(STATE.1)
}

/// The same context with that wish.
pub(crate) fn with_debug(context: SpanContext) -> SpanContext {
    match TraceState::default().with_member(STATE.0, STATE.1) {
        Ok(state) => context.with_trace_state(state),
        Err(_) => context,
    }
}
