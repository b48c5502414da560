use std::time::Duration;

use crate::{
    Attribute, Carrier, CarrierMut, Error, Event, Link, SpanContext, SpanStart, SpanState, Stats, Status, Timestamp,
};

/// A tracing backend: the facade dispatches every tracing call to it.
///
/// The facade has chosen ids and parent, asked the sampler, added ambient
/// attributes and redacted secrets before a provider sees a call; only sampled
/// spans reach it. A backend that wants finished spans only implements
/// [`SpanExporter`](crate::SpanExporter) instead, and a recorder does the rest.
///
/// Calls come from the threads of the service, any number at once, and one at a
/// time for each span. They must not block, and tracing calls made inside them
/// do nothing. A panic is caught and counted; after three the provider is
/// taken out of service.
pub trait TracingProvider: Send + Sync {
    /// Begins a span; what it returns comes back with every call on that span.
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState;

    /// Ends a span. Called once for each started span, on any thread.
    fn end_span(&self, span: SpanState, end: Timestamp);

    /// Sets the outcome. `Ok` is final, `Unset` is ignored, and an error without a
    /// text may keep an earlier one's, which says more.
    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>);

    /// Replaces the name.
    fn set_span_name(&self, span: &mut SpanState, name: &str);

    /// Sets attributes; a key that is there already gets the new value.
    fn add_span_attributes(&self, span: &mut SpanState, attributes: &[Attribute<'_>]);

    /// Adds something that happened.
    fn add_span_event(&self, span: &mut SpanState, event: &Event<'_>);

    /// Adds a relation to another span.
    fn add_span_link(&self, span: &mut SpanState, link: &Link<'_>);

    /// Whether spans go anywhere. Asked once; where they do not, none are started,
    /// and a context that comes in is passed on as it is.
    fn records(&self) -> bool {
        true
    }

    /// Whether the backend keeps a current span of its own, so that it wants the
    /// calls from [`enter_span`](Self::enter_span) to
    /// [`current_context`](Self::current_context). Asked once.
    fn keeps_context(&self) -> bool {
        false
    }

    /// The span becomes the current one of this thread.
    ///
    /// For an async span that is once for each poll. Brackets nest like calls
    /// except when the service drops its guards out of order.
    fn enter_span(&self, span: &mut SpanState) {
        let _ = span;
    }

    /// The span is no longer the current one of this thread.
    fn exit_span(&self, span: &mut SpanState) {
        let _ = span;
    }

    /// Header names in lower case that [`extract_context`](Self::extract_context) wants to
    /// see; a carrier shows it no others.
    fn propagation_fields(&self) -> &[&str] {
        &[]
    }

    /// Reads a context that came with a request.
    fn extract_context(&self, carrier: &dyn Carrier) -> Extraction {
        let _ = carrier;
        Extraction::UseConfigured
    }

    /// Writes a context into an outgoing request; `false` asks for the
    /// configured propagators.
    fn inject_context(&self, context: &SpanContext, carrier: &mut dyn CarrierMut) -> bool {
        let _ = (context, carrier);
        false
    }

    /// The current span of a context kept by the backend itself, asked before
    /// a parent is chosen.
    fn current_context(&self) -> Option<SpanContext> {
        None
    }

    /// A span that is not recorded here becomes the current one of this thread: one that
    /// is not sampled, or that of a context from elsewhere, which may be sampled. Where such a
    /// context has no span, `context` is not valid, and what starts here begins a trace.
    fn enter_unsampled(&self, context: &SpanContext) {
        let _ = context;
    }

    /// The innermost span of [`enter_unsampled`](Self::enter_unsampled) is no
    /// longer the current one.
    fn exit_unsampled(&self, context: &SpanContext) {
        let _ = context;
    }

    /// Whether the backend has a say in what is recorded, so that it wants
    /// [`sample`](Self::sample). Asked once.
    fn samples(&self) -> bool {
        false
    }

    /// Whether a span without a parent in this process is recorded, asked after the
    /// configured sampler has said yes; `false` means no.
    ///
    /// What follows in its trace follows its decision. The span's own id is not
    /// known yet, and all zero.
    fn sample(&self, start: &SpanStart<'_>) -> bool {
        let _ = start;
        true
    }

    /// Whether the backend can be reached, as far as is known without asking it.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    fn health(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Delivers all spans that have ended, within `deadline`.
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::ErrorKind::Timeout) if the deadline passed first,
    /// [`SpansLost`](crate::ErrorKind::SpansLost) if an export failed since the last flush.
    fn force_flush(&self, deadline: Duration) -> Result<(), Error>;

    /// No new spans will start here; running ones may still end.
    ///
    /// Called when another provider takes over.
    fn retire(&self) {}

    /// Called on a provider in a plugin, in the child after a fork, before any other
    /// call there: threads and locks of the parent are gone. `false` means that it
    /// cannot work there, and is not called again.
    fn on_fork(&self) -> bool {
        false
    }

    /// Delivers what is left and stops, within `deadline`. A second call is harmless.
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::ErrorKind::Timeout) if the deadline passed first.
    fn shutdown(&self, deadline: Duration) -> Result<(), Error>;

    /// What became of the spans so far.
    fn stats(&self) -> Stats {
        Stats::default()
    }
}

/// What a provider says of a carrier.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Extraction {
    /// The configured propagators shall read it.
    UseConfigured,
    /// There is no context in it.
    Nothing,
    /// This is the context in it.
    Context(SpanContext),
}
