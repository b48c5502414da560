use std::time::Duration;

use spandrel_plugin_api::{
    Attribute, Carrier, CarrierMut, Error, Event, Extraction, Link, SpanContext, SpanStart, SpanState, Stats, Status,
    Timestamp, TracingProvider,
};

/// A provider with the companions of its exporters: they hear of each start, and are
/// asked first.
pub(crate) struct Accompanied {
    provider: Box<dyn TracingProvider>,
    companions: Vec<Box<dyn TracingProvider>>,
}

impl Accompanied {
    pub(crate) fn new(provider: Box<dyn TracingProvider>, companions: Vec<Box<dyn TracingProvider>>) -> Self {
        Self { provider, companions }
    }

    fn all(&self) -> impl Iterator<Item = &dyn TracingProvider> {
        self.companions.iter().chain([&self.provider]).map(|provider| &**provider)
    }
}

impl TracingProvider for Accompanied {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        for companion in &self.companions {
            companion.start_span(start);
        }
        self.provider.start_span(start)
    }

    fn end_span(&self, span: SpanState, end: Timestamp) {
        self.provider.end_span(span, end);
    }

    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>) {
        self.provider.set_span_status(span, status);
    }

    fn set_span_name(&self, span: &mut SpanState, name: &str) {
        self.provider.set_span_name(span, name);
    }

    fn add_span_attributes(&self, span: &mut SpanState, attributes: &[Attribute<'_>]) {
        self.provider.add_span_attributes(span, attributes);
    }

    fn add_span_event(&self, span: &mut SpanState, event: &Event<'_>) {
        self.provider.add_span_event(span, event);
    }

    fn add_span_link(&self, span: &mut SpanState, link: &Link<'_>) {
        self.provider.add_span_link(span, link);
    }

    fn records(&self) -> bool {
        self.provider.records()
    }

    fn keeps_context(&self) -> bool {
        self.provider.keeps_context()
    }

    fn enter_span(&self, span: &mut SpanState) {
        self.provider.enter_span(span);
    }

    fn exit_span(&self, span: &mut SpanState) {
        self.provider.exit_span(span);
    }

    fn propagation_fields(&self) -> &[&str] {
        self.all().map(TracingProvider::propagation_fields).find(|fields| !fields.is_empty()).unwrap_or(&[])
    }

    fn extract_context(&self, carrier: &dyn Carrier) -> Extraction {
        let mut answers = self.all().map(|provider| provider.extract_context(carrier));
        answers.find(|answer| *answer != Extraction::UseConfigured).unwrap_or(Extraction::UseConfigured)
    }

    fn inject_context(&self, context: &SpanContext, carrier: &mut dyn CarrierMut) -> bool {
        self.all().any(|provider| provider.inject_context(context, carrier))
    }

    fn current_context(&self) -> Option<SpanContext> {
        self.provider.current_context()
    }

    fn enter_unsampled(&self, context: &SpanContext) {
        self.provider.enter_unsampled(context);
    }

    fn exit_unsampled(&self, context: &SpanContext) {
        self.provider.exit_unsampled(context);
    }

    fn samples(&self) -> bool {
        self.all().any(TracingProvider::samples)
    }

    fn sample(&self, start: &SpanStart<'_>) -> bool {
        self.all().all(|provider| provider.sample(start))
    }

    fn health(&self) -> Result<(), Error> {
        self.all().try_for_each(TracingProvider::health)
    }

    fn force_flush(&self, deadline: Duration) -> Result<(), Error> {
        self.provider.force_flush(deadline)
    }

    fn retire(&self) {
        self.provider.retire();
    }

    fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        self.provider.shutdown(deadline)
    }

    /// Those of the recorder, which counts what its exporters did, and the panics of
    /// their companions.
    fn stats(&self) -> Stats {
        let mut stats = self.provider.stats();
        stats.panics += self.companions.iter().map(|companion| companion.stats().panics).sum::<u64>();
        stats
    }
}
