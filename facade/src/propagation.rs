//! The edges of the process: contexts that come in, and contexts that go out.

use std::sync::Arc;

use spandrel_plugin_api::diagnostics::{self, RateLimit};
use spandrel_plugin_api::{Carrier, CarrierMut, Extraction, SpanContext};
use spandrel_propagation::{Extracted, Outgoing};

use crate::context::Context;
use crate::global;
use crate::sampler::Bucket;
use crate::tracer::Core;

/// What a trace that comes in counts for.
///
/// Anybody can send a `traceparent`. Where strangers can, at the public edge of a system,
/// their ids must not become ours and their sampled flag must not fill our store.
///
/// Source: W3C Trace Context, section "Security considerations".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Trust {
    /// The trace of the caller goes on here.
    #[default]
    Continue,
    /// A new trace begins, with a link to the span of the caller. Its baggage and
    /// its sampled flag count for nothing.
    Link,
    /// A new trace begins, and nothing tells of the caller's.
    Ignore,
}

/// As the configuration has them.
#[cfg(feature = "config")]
pub(crate) const TRUSTS: [(&str, Trust); 3] =
    [("continue", Trust::Continue), ("link", Trust::Link), ("ignore", Trust::Ignore)];

/// Reads the context that came with a request, as the configured propagators have it.
///
/// It has no span if none came, and keeps the ambient attributes of this thread.
/// Use it as [`parent`](crate::SpanBuilder::parent) of the first span:
///
/// ```
/// use spandrel as tracing;
///
/// let headers = vec![("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
/// let context = tracing::extract(&headers);
/// tracing::span("handle").parent(&context).run(|_| ());
/// ```
///
/// What the caller's trace counts for is the setting `trust`; see [`Trust`] and
/// [`extract_with`].
#[must_use]
pub fn extract(carrier: &dyn Carrier) -> Context {
    match global::active() {
        Some(tracer) => extract_for(tracer, carrier, tracer.trust),
        None => Context::root(),
    }
}

/// As [`extract`], whatever the setting `trust` says.
///
/// ```
/// use spandrel::{self as tracing, Trust};
///
/// # let headers: Vec<(&str, &str)> = Vec::new();
/// let context = tracing::extract_with(&headers, Trust::Link);
/// ```
#[must_use]
pub fn extract_with(carrier: &dyn Carrier, trust: Trust) -> Context {
    match global::active() {
        Some(tracer) => extract_for(tracer, carrier, trust),
        None => Context::root(),
    }
}

fn extract_for(tracer: &'static Core, carrier: &dyn Carrier, trust: Trust) -> Context {
    let context = Context::root().with_caller(None);
    if trust == Trust::Ignore {
        return context;
    }
    let mut extracted = Extracted::default();
    match tracer.extract_by_provider(carrier) {
        Extraction::Context(span) => extracted.span_context = Some(span.with_remote(true)),
        Extraction::Nothing => return context,
        _ => {
            for propagator in &tracer.propagators {
                propagator.extract(carrier, &mut extracted);
            }
        }
    }
    let span = extracted.span_context.filter(SpanContext::is_valid);
    if trust == Trust::Link {
        return context.with_caller(span);
    }
    let context = if extracted.baggage.is_empty() { context } else { context.with_baggage(extracted.baggage) };
    match span {
        Some(span) => context.with_span_context(tracer.not_forced(span)),
        None => context,
    }
}

/// How many traces a second are recorded because callers say so.
#[derive(Clone)]
pub(crate) struct ForcedTraces {
    per_second: u32,
    bucket: Arc<Bucket>,
}

impl ForcedTraces {
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second, bucket: Arc::new(Bucket::new(f64::from(per_second))) }
    }
}

impl Core {
    #[inline]
    fn extract_by_provider(&self, carrier: &dyn Carrier) -> Extraction {
        if !self.may_propagate {
            return Extraction::UseConfigured;
        }
        let extraction = self.call(|provider| match provider.propagation_fields() {
            [] => Extraction::UseConfigured,
            fields => provider.extract_context(&Declared { carrier, fields }),
        });
        extraction.unwrap_or(Extraction::UseConfigured)
    }

    /// What a backend with a context of its own says is current.
    #[inline]
    pub(crate) fn backend_context(&self) -> Option<SpanContext> {
        if !self.keeps_context {
            return None;
        }
        self.call(|provider| provider.current_context()).flatten()
    }

    /// The span of the caller, without its sampled flag if too many had one lately and
    /// the sampler would not choose the trace itself.
    #[inline]
    fn not_forced(&self, span: SpanContext) -> SpanContext {
        match &self.forced_traces {
            Some(forced) if span.is_sampled() && !self.only_forwards => self.capped(forced, span),
            _ => span,
        }
    }

    fn capped(&self, forced: &ForcedTraces, span: SpanContext) -> SpanContext {
        static WARNING: RateLimit = RateLimit::new();

        let needs_no_force = self.id_sampler.is_some_and(|sampler| sampler.chooses(span.trace_id()));
        if needs_no_force || forced.bucket.take() {
            return span;
        }
        diagnostics::count("propagation.not_forced", 1);
        WARNING.warn(|| {
            let per_second = forced.per_second;
            format!(
                "callers ask for more than {per_second} sampled traces a second, the others follow the sampler; \
                 raise forced_traces_per_second, or set trust = \"link\" if the callers are strangers"
            )
        });
        SpanContext::new(span.trace_id(), span.span_id(), span.flags().with_sampled(false))
            .with_trace_state(span.trace_state().clone())
            .with_remote(true)
    }
}

/// Writes the current context into an outgoing request.
pub fn inject(carrier: &mut dyn CarrierMut) {
    let Some(tracer) = global::active() else { return };
    let context = Context::current();
    // A backend with a context of its own may be within a span that others started.
    match tracer.backend_context() {
        Some(span) => context.with_span_context(span).inject_by(tracer, carrier),
        None => context.inject_by(tracer, carrier),
    }
}

impl Context {
    /// Writes this context into an outgoing request.
    pub fn inject(&self, carrier: &mut dyn CarrierMut) {
        if let Some(tracer) = global::active() {
            self.inject_by(tracer, carrier);
        }
    }

    fn inject_by(&self, tracer: &'static Core, carrier: &mut dyn CarrierMut) {
        if let Some(span) = self.span_context()
            && tracer.may_propagate
            && tracer.call(|provider| provider.inject_context(span, &mut Printable { carrier })) == Some(true)
        {
            return;
        }
        let baggage = self.baggage();
        let outgoing = Outgoing::new(self.span_context(), &baggage);
        for propagator in &tracer.propagators {
            propagator.inject(&outgoing, carrier);
        }
    }
}

/// Shows a provider only the headers that it declared.
struct Declared<'a> {
    carrier: &'a dyn Carrier,
    fields: &'a [&'a str],
}

impl Carrier for Declared<'_> {
    fn for_each_value(&self, name: &str, each: &mut dyn FnMut(&str)) {
        if self.fields.contains(&name) {
            self.carrier.for_each_value(name, each);
        }
    }
}

/// Takes from a provider only what cannot end a header and begin another one.
struct Printable<'a> {
    carrier: &'a mut dyn CarrierMut,
}

impl Printable<'_> {
    fn is_printable(name: &str, value: &str) -> bool {
        let ok = !name.chars().chain(value.chars()).any(char::is_control);
        if !ok {
            static WARNING: RateLimit = RateLimit::new();
            WARNING.warn(|| format!("a provider wanted to send the header {name:?} with control characters; left out"));
        }
        ok
    }
}

impl CarrierMut for Printable<'_> {
    fn set(&mut self, name: &'static str, value: &str) {
        if Self::is_printable(name, value) {
            self.carrier.set(name, value);
        }
    }

    fn remove(&mut self, name: &'static str) {
        self.carrier.remove(name);
    }

    fn set_named(&mut self, name: &str, value: &str) {
        if Self::is_printable(name, value) {
            self.carrier.set_named(name, value);
        }
    }
}
