use std::borrow::Cow;

use spandrel_plugin_api::{Carrier, CarrierMut, SpanContext, TraceFlags};

use crate::{Extracted, Outgoing, Propagator, b3, baggage, header, hex};

/// The format of the Jaeger clients: `uber-trace-id`, and `uberctx-` with the key for each member of
/// the baggage.
///
/// Ids may come shortened by their leading zeros and in any case, and the colons encoded as
/// `%3A`. They are written in full length and lower case, with `0` for the id of the parent,
/// which is no longer used. The debug flag goes on as that of [`B3Propagator`](crate::B3Propagator).
///
/// Source: Jaeger documentation, Client Libraries, Propagation Format; OpenTelemetry
/// specification, context/api-propagators, Jaeger.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "has nothing to configure")]
pub struct JaegerPropagator;

impl Propagator for JaegerPropagator {
    fn name(&self) -> &'static str {
        "jaeger"
    }

    fn fields(&self) -> &'static [&'static str] {
        &[TRACE_ID]
    }

    fn extract(&self, carrier: &dyn Carrier, into: &mut Extracted) {
        if into.span_context.is_none() {
            into.span_context = header::read(carrier, TRACE_ID, MAX_LEN, parse).ok().flatten();
        }
        baggage::read_prefixed(BAGGAGE_PREFIX, carrier, into);
    }

    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn CarrierMut) {
        baggage::write_prefixed(BAGGAGE_PREFIX, outgoing.baggage, carrier);
        let Some(context) = outgoing.valid_span_context() else { return };
        let mut value = *b"00000000000000000000000000000000:0000000000000000:0:0";
        value[..32].copy_from_slice(&hex::of_trace_id(context.trace_id()));
        value[33..49].copy_from_slice(&hex::of_span_id(context.span_id()));
        value[52] = match (context.is_sampled(), b3::is_debug(context)) {
            (false, _) => b'0',
            (true, false) => b'1',
            (true, true) => b'3',
        };
        header::write_ascii(carrier, TRACE_ID, &value);
    }
}

const TRACE_ID: &str = "uber-trace-id";
const BAGGAGE_PREFIX: &str = "uberctx-";

/// The longest has 78, with encoded colons.
const MAX_LEN: usize = 128;

const SAMPLED: u8 = 1;
const DEBUG: u8 = 2;

fn parse(line: &str) -> Option<SpanContext> {
    let line = match line.contains(':') {
        true => Cow::from(line),
        false => Cow::from(line.replace("%3A", ":").replace("%3a", ":")),
    };
    let mut parts = line.split(':');
    let trace_id = hex::padded_trace_id(parts.next()?)?;
    let span_id = hex::padded_span_id(parts.next()?)?;
    // No longer used, so nobody minds what it is.
    let _parent = parts.next()?;
    let [flags] = hex::padded(parts.next()?)?;
    if parts.next().is_some() {
        return None;
    }
    let is_debug = flags & DEBUG != 0;
    let sampled = TraceFlags::default().with_sampled(is_debug || flags & SAMPLED != 0);
    let context = SpanContext::new(trace_id, span_id, sampled).with_remote(true);
    Some(if is_debug { b3::with_debug(context) } else { context })
}

#[cfg(test)]
mod tests {
    use super::JaegerPropagator;
    use crate::{Baggage, Extracted, Outgoing, Propagator};

    #[test]
    fn members_of_the_baggage_have_a_header_each() {
        let headers = vec![
            ("Uberctx-a", "1"),
            ("uberctx-b", "x%20y"),
            ("uberctx-b c", "2"),
            ("uberctx-d", "\r\n"),
            ("uberct", "3"),
        ];
        let mut into = Extracted::default();
        JaegerPropagator.extract(&headers, &mut into);
        assert!(into.span_context.is_none());
        let found: Vec<_> = into.baggage.iter().map(|entry| (entry.key(), entry.value())).collect();
        assert_eq!(found, [("a", "1"), ("b", "x y")]);

        let mut carrier: Vec<(String, String)> = Vec::new();
        JaegerPropagator.inject(&Outgoing::new(None, &into.baggage), &mut carrier);
        let expected = [("uberctx-a", "1"), ("uberctx-b", "x%20y")];
        assert_eq!(carrier, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn members_beyond_the_limits_are_left_out() {
        let headers: Vec<(String, String)> = (0..70).map(|i| (format!("uberctx-k{i}"), "v".repeat(60))).collect();
        let mut into = Extracted::default();
        JaegerPropagator.extract(&headers, &mut into);
        assert_eq!(into.baggage.len(), Baggage::MAX_MEMBERS);
    }
}
