use std::fmt::Write;

use spandrel_plugin_api::{Carrier, CarrierMut, SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use crate::{Extracted, Outgoing, Propagator, header, hex};

/// The format of Datadog's tracers: headers that begin with `x-datadog-`.
///
/// The upper half of a trace id of 128 bits travels as the tag `_dd.p.tid`. What a span context
/// has no place for (the priority, the origin and the other tags `_dd.p.*`) is kept as the member
/// `dd` of the trace state, in the form in which Datadog's tracers write it there; characters that
/// a trace state may not have come out as `_`. So it is passed on, also where a part of the
/// way speaks `tracecontext`.
///
/// A trace id or parent id that is 0 or missing is as good as none. A caller without a priority
/// leaves the decision open and counts as sampled.
///
/// Source: Datadog documentation, Trace Context Propagation; DataDog/system-tests, tests/parametric.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "has nothing to configure")]
pub struct DatadogPropagator;

impl Propagator for DatadogPropagator {
    fn name(&self) -> &'static str {
        "datadog"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[TRACE_ID, PARENT_ID, PRIORITY, ORIGIN, TAGS]
    }

    fn extract(&self, carrier: &dyn Carrier, into: &mut Extracted) {
        if into.span_context.is_none() {
            into.span_context = read(carrier);
        }
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn CarrierMut) {
        let Some(context) = outgoing.valid_span_context() else { return };
        let (upper, lower) = split_trace_id(context.trace_id());
        // A trace id of somebody else may be one that Datadog cannot express.
        if lower == 0 {
            return;
        }
        header::write(carrier, TRACE_ID, Decimal::new(lower).as_str());
        let span_id = u64::from_be_bytes(context.span_id().to_bytes());
        header::write(carrier, PARENT_ID, Decimal::new(span_id).as_str());
        let state = context.trace_state().get(STATE).unwrap_or_default();
        header::write(carrier, PRIORITY, priority(context, state));
        write_or_remove(carrier, ORIGIN, &origin(state));
        write_or_remove(carrier, TAGS, &tags(upper, state));
    }
}

const TRACE_ID: &str = "x-datadog-trace-id";
const PARENT_ID: &str = "x-datadog-parent-id";
const PRIORITY: &str = "x-datadog-sampling-priority";
const ORIGIN: &str = "x-datadog-origin";
const TAGS: &str = "x-datadog-tags";

/// A number of 64 bits has 20 digits.
const MAX_NUMBER_LEN: usize = 64;

/// What Datadog's tracers send and take at most.
const MAX_TAGS_LEN: usize = 512;

/// Longer than any name of a product.
const MAX_ORIGIN_LEN: usize = 128;

/// What begins the key of each tag that is passed on, and what stands for it in a trace state.
const TAG_PREFIX: &str = "_dd.p.";
const STATE_TAG_PREFIX: &str = "t.";

/// The tag with the upper half of the trace id.
const UPPER_HALF: &str = "tid";

/// The key in a trace state, and the most bytes that its value may have.
const STATE: &str = "dd";
const MAX_STATE_LEN: usize = 256;

fn read(carrier: &dyn Carrier) -> Option<SpanContext> {
    let lower = header::read(carrier, TRACE_ID, MAX_NUMBER_LEN, parse_number).ok()??;
    let span_id = header::read(carrier, PARENT_ID, MAX_NUMBER_LEN, parse_number).ok()??;
    let priority = header::read(carrier, PRIORITY, MAX_NUMBER_LEN, parse_priority).ok()?;

    let mut upper = [0; 8];
    let mut state = String::new();
    if let Some(priority) = priority {
        // Writing into memory does not fail.
        let _ = write!(state, "s:{priority}");
    }
    // From here on nothing is needed for the ids, so what is malformed is left out alone.
    let _ = header::read(carrier, ORIGIN, MAX_ORIGIN_LEN, |origin| {
        push(&mut state, "o:", "", origin);
        Some(())
    });
    let _ = header::read(carrier, TAGS, MAX_TAGS_LEN, |tags| {
        for (key, value) in tags.split(',').filter_map(|tag| tag.split_once('=')) {
            match header::trim(key).strip_prefix(TAG_PREFIX) {
                Some(UPPER_HALF) => upper = parse_upper_half(value).unwrap_or(upper),
                Some(key) if is_tag_key(key) => push(&mut state, STATE_TAG_PREFIX, key, header::trim(value)),
                _ => {}
            }
        }
        Some(())
    });

    let mut trace_id = [0; 16];
    trace_id[..8].copy_from_slice(&upper);
    trace_id[8..].copy_from_slice(&lower.to_be_bytes());
    let flags = TraceFlags::default().with_sampled(priority.is_none_or(|priority| priority > 0));
    let context = SpanContext::new(TraceId::from_bytes(trace_id), SpanId::from_bytes(span_id.to_be_bytes()), flags);
    let state = if state.is_empty() { None } else { TraceState::default().with_member(STATE, &state).ok() };
    Some(context.with_trace_state(state.unwrap_or_default()).with_remote(true))
}

/// Decimal digits, not 0. The parsers of `std` take a sign.
fn parse_number(text: &str) -> Option<u64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok().filter(|number| *number != 0) } else { None }
}

fn parse_priority(text: &str) -> Option<i8> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn parse_upper_half(text: &str) -> Option<[u8; 8]> {
    let is_lower_case = text.len() == 16 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_lower_case { hex::padded(text) } else { None }
}

fn is_tag_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && !b",;:=~".contains(&byte))
}

/// Adds an item to the state, encoded, if there is room for it.
fn push(state: &mut String, prefix: &str, key: &str, value: &str) {
    let before = state.len();
    if before > 0 {
        state.push(';');
    }
    state.push_str(prefix);
    state.push_str(key);
    if !key.is_empty() {
        state.push(':');
    }
    // White space at the end of the last item would end the value of the trace state.
    state.extend(value.chars().map(|c| match c {
        '=' => '~',
        ',' | ';' | '~' => '_',
        '!'..='}' => c,
        ' ' => ' ',
        _ => '_',
    }));
    if state.len() > MAX_STATE_LEN || value.is_empty() {
        state.truncate(before);
    }
}

/// The priority that belongs to the flags: what the state has if it says the same, or the usual one.
fn priority<'a>(context: &SpanContext, state: &'a str) -> &'a str {
    let known = item(state, "s:")
        .filter(|known| parse_priority(known).is_some_and(|priority| (priority > 0) == context.is_sampled()));
    known.unwrap_or(if context.is_sampled() { "1" } else { "0" })
}

fn origin(state: &str) -> String {
    item(state, "o:").map(decode).unwrap_or_default()
}

fn tags(upper: u64, state: &str) -> String {
    let mut out = String::new();
    if upper != 0 {
        // Writing into memory does not fail.
        let _ = write!(out, "{TAG_PREFIX}{UPPER_HALF}={upper:016x}");
    }
    let tags = state.split(';').filter_map(|item| item.strip_prefix(STATE_TAG_PREFIX)?.split_once(':'));
    for (key, value) in tags.filter(|(key, _)| is_tag_key(key) && *key != UPPER_HALF) {
        let value = decode(value);
        if out.len() + ",_dd.p.=".len() + key.len() + value.len() > MAX_TAGS_LEN {
            continue;
        }
        if !out.is_empty() {
            out.push(',');
        }
        out.extend([TAG_PREFIX, key, "=", &value]);
    }
    out
}

fn item<'a>(state: &'a str, prefix: &str) -> Option<&'a str> {
    state.split(';').find_map(|item| item.strip_prefix(prefix))
}

fn decode(value: &str) -> String {
    value.replace('~', "=")
}

fn split_trace_id(id: TraceId) -> (u64, u64) {
    let id = u128::from_be_bytes(id.to_bytes());
    let [upper, lower] = [id >> 64, id & u128::from(u64::MAX)].map(|half| u64::try_from(half).unwrap_or_default());
    (upper, lower)
}

fn write_or_remove(carrier: &mut dyn CarrierMut, name: &'static str, value: &str) {
    if value.is_empty() {
        carrier.remove(name);
    } else {
        header::write(carrier, name, value);
    }
}

/// A number in decimal digits, without allocating.
struct Decimal {
    digits: [u8; 20],
    start: usize,
}

impl Decimal {
    fn new(mut number: u64) -> Self {
        let mut decimal = Self { digits: [b'0'; 20], start: 20 };
        while number > 0 {
            decimal.start -= 1;
            decimal.digits[decimal.start] = b'0' + u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
        decimal
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[self.start..]).unwrap_or_default()
    }
}
