use spandrel_plugin_api::{Carrier, CarrierMut, SpanContext, SpanId, TraceFlags, TraceId};

use crate::{Extracted, Outgoing, Propagator, header, hex};

/// The format of AWS X-Ray: `X-Amzn-Trace-Id`.
///
/// The fields may come in any order; those other than `Root`, `Parent` and `Sampled` are
/// skipped and not passed on. A header without `Parent`, as a load balancer writes it, names no
/// span and is as good as none. A caller that leaves the decision open (`Sampled=?`, or no such
/// field) counts as sampled.
///
/// Source: AWS X-Ray Developer Guide, Tracing header; OpenTelemetry's AWS X-Ray propagators.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "has nothing to configure")]
pub struct XRayPropagator;

impl Propagator for XRayPropagator {
    fn name(&self) -> &'static str {
        "xray"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[HEADER]
    }

    fn extract(&self, carrier: &dyn Carrier, into: &mut Extracted) {
        if into.span_context.is_none() {
            into.span_context = header::read(carrier, HEADER, MAX_LEN, parse).ok().flatten();
        }
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn CarrierMut) {
        let Some(context) = outgoing.valid_span_context() else { return };
        let trace_id = hex::of_trace_id(context.trace_id());
        let mut value = *b"Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0";
        value[7..15].copy_from_slice(&trace_id[..8]);
        value[16..40].copy_from_slice(&trace_id[8..]);
        value[48..64].copy_from_slice(&hex::of_span_id(context.span_id()));
        value[73] = b'0' + u8::from(context.is_sampled());
        header::write_ascii(carrier, HEADER, &value);
    }
}

const HEADER: &str = "x-amzn-trace-id";

/// The three fields take 74; the others are of AWS, or of the application.
const MAX_LEN: usize = 1_024;

fn parse(line: &str) -> Option<SpanContext> {
    let (mut root, mut parent, mut sampled) = (None, None, None);
    for field in line.split(';') {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        let (key, value) = (header::trim(key), header::trim(value));
        let is_first = match key {
            "Root" => root.replace(parse_trace_id(value)?).is_none(),
            "Parent" => parent.replace(parse_span_id(value)?).is_none(),
            "Sampled" => sampled.replace(parse_sampled(value)?).is_none(),
            _ => true,
        };
        if !is_first {
            return None;
        }
    }
    let flags = TraceFlags::default().with_sampled(sampled.unwrap_or(true));
    Some(SpanContext::new(root?, parent?, flags).with_remote(true))
}

/// `1-` and the time of the root in seconds, then the rest.
fn parse_trace_id(text: &str) -> Option<TraceId> {
    let (time, unique) = text.strip_prefix("1-")?.split_once('-')?;
    let mut id = [0; 16];
    id[..4].copy_from_slice(&hex::decode_any_case::<8, 4>(time.as_bytes().try_into().ok()?)?);
    id[4..].copy_from_slice(&hex::decode_any_case::<24, 12>(unique.as_bytes().try_into().ok()?)?);
    Some(TraceId::from_bytes(id)).filter(|id| id.is_valid())
}

fn parse_span_id(text: &str) -> Option<SpanId> {
    if text.len() == 16 { hex::padded_span_id(text) } else { None }
}

fn parse_sampled(text: &str) -> Option<bool> {
    match text {
        "0" => Some(false),
        // `?` asks the receiver to decide, as does leaving the field out.
        "1" | "?" => Some(true),
        _ => None,
    }
}
