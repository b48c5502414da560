use std::fmt;

use spandrel_plugin_api::{Carrier, CarrierMut, SpanContext};

use crate::{
    B3Propagator, Baggage, BaggagePropagator, DatadogPropagator, JaegerPropagator, TraceContextPropagator,
    XRayPropagator,
};

/// Reads and writes one format of context headers.
///
/// Called on the threads of the service, any number at once, for each incoming
/// and outgoing request. It must not block.
pub trait Propagator: Send + Sync {
    /// The name in a configuration: `tracecontext`.
    fn name(&self) -> &'static str;

    /// The headers that it reads and writes, in lower case.
    fn fields(&self) -> &'static [&'static str];

    /// Reads what the carrier holds.
    ///
    /// Of several propagators the first that finds a well-formed value wins: a
    /// span context that is there stays, and so does a baggage.
    fn extract(&self, carrier: &dyn Carrier, into: &mut Extracted);

    /// Writes what goes along with an outgoing request.
    ///
    /// Writes nothing for a part that is absent, empty or invalid.
    fn inject(&self, outgoing: &Outgoing<'_>, carrier: &mut dyn CarrierMut);
}

/// What came with a request.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Extracted {
    /// The caller's span, marked as remote.
    pub span_context: Option<SpanContext>,
    /// The caller's baggage.
    pub baggage: Baggage,
}

/// What goes along with an outgoing request.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Outgoing<'a> {
    /// The current span.
    pub span_context: Option<&'a SpanContext>,
    /// The current baggage.
    pub baggage: &'a Baggage,
}

impl<'a> Outgoing<'a> {
    /// This span, if there is one, and this baggage.
    #[must_use]
    pub const fn new(span_context: Option<&'a SpanContext>, baggage: &'a Baggage) -> Self {
        Self { span_context, baggage }
    }

    /// The current span, if it can be sent.
    pub(crate) fn valid_span_context(&self) -> Option<&'a SpanContext> {
        self.span_context.filter(|context| context.is_valid())
    }
}

/// The names that [`by_name`] knows: those of the OpenTelemetry specification, and `datadog`.
pub const NAMES: &[&str] = &["tracecontext", "baggage", "b3", "b3multi", "jaeger", "xray", "datadog"];

/// The names of what is used if nothing is configured.
pub const DEFAULT_NAMES: &[&str] = &["tracecontext", "baggage"];

/// The propagator with this name.
#[must_use]
pub fn by_name(name: &str) -> Option<Box<dyn Propagator>> {
    match name {
        "tracecontext" => Some(Box::new(TraceContextPropagator)),
        "baggage" => Some(Box::new(BaggagePropagator)),
        "b3" => Some(Box::new(B3Propagator::single())),
        "b3multi" => Some(Box::new(B3Propagator::multi())),
        "jaeger" => Some(Box::new(JaegerPropagator)),
        "xray" => Some(Box::new(XRayPropagator)),
        "datadog" => Some(Box::new(DatadogPropagator)),
        _ => None,
    }
}

impl fmt::Debug for dyn Propagator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Propagator").field(&self.name()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::{DEFAULT_NAMES, NAMES, by_name};

    #[test]
    fn every_name_leads_to_the_propagator_of_that_name() {
        for name in NAMES {
            assert_eq!(by_name(name).expect("is in the list").name(), *name);
        }
        for unknown in ["", "none", "TraceContext", "B3", "ottrace"] {
            assert!(by_name(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn fields_are_the_headers_in_lower_case() {
        let fields = |name| by_name(name).map(|propagator| propagator.fields());
        assert_eq!(fields("tracecontext"), Some(&["traceparent", "tracestate"][..]));
        assert_eq!(fields("baggage"), Some(&["baggage"][..]));
        for name in NAMES.iter().filter_map(|name| fields(name)).flatten() {
            assert_eq!(*name, name.to_ascii_lowercase());
        }
    }

    #[test]
    fn the_default_is_that_of_the_specification() {
        assert_eq!(DEFAULT_NAMES, ["tracecontext", "baggage"]);
        assert!(DEFAULT_NAMES.iter().all(|name| NAMES.contains(name)));
    }
}
