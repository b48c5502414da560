use std::fmt;

use spandrel_plugin_api::{Carrier, CarrierMut, SpanContext};

use crate::{Baggage, BaggagePropagator, TraceContextPropagator};

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
    /// A part of `into` changes only if the carrier has a well-formed value for
    /// it, so of several propagators the last one that finds something wins.
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
}

/// The names that [`by_name`] knows.
pub const NAMES: &[&str] = &["tracecontext", "baggage"];

/// The propagator with this name.
#[must_use]
pub fn by_name(name: &str) -> Option<Box<dyn Propagator>> {
    match name {
        "tracecontext" => Some(Box::new(TraceContextPropagator)),
        "baggage" => Some(Box::new(BaggagePropagator)),
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
    use super::{NAMES, by_name};

    #[test]
    fn every_name_leads_to_the_propagator_of_that_name() {
        for name in NAMES {
            assert_eq!(by_name(name).expect("is in the list").name(), *name);
        }
        for unknown in ["", "none", "TraceContext", "b3"] {
            assert!(by_name(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn fields_are_the_headers_in_lower_case() {
        let fields = |name| by_name(name).map(|propagator| propagator.fields());
        assert_eq!(fields("tracecontext"), Some(&["traceparent", "tracestate"][..]));
        assert_eq!(fields("baggage"), Some(&["baggage"][..]));
    }
}
