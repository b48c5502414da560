use std::time::Duration;

use spandrel_plugin_api::{
    Attribute, Carrier, CarrierMut, Error, Event, Extraction, Link, SpanContext, SpanStart, SpanState, Stats, Status,
    Timestamp, TracingProvider,
};
use spandrel_recorder::Recorder;

/// A recorder with the companions of its exporters, if they have any: they hear of
/// each start, and are asked in its place.
pub(crate) struct Accompanied {
    recorder: Recorder,
    companions: Vec<Box<dyn TracingProvider>>,
}

impl Accompanied {
    pub(crate) fn new(recorder: Recorder, companions: Vec<Box<dyn TracingProvider>>) -> Self {
        Self { recorder, companions }
    }

    #[inline]
    pub(crate) const fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    #[inline]
    pub(crate) const fn is_alone(&self) -> bool {
        self.companions.is_empty()
    }

    /// Tells the companions of a start.
    pub(crate) fn on_start(&self, start: &SpanStart<'_>) {
        for companion in &self.companions {
            companion.start_span(start);
        }
    }

    fn all(&self) -> impl Iterator<Item = &dyn TracingProvider> {
        self.companions.iter().map(|companion| &**companion)
    }
}

impl TracingProvider for Accompanied {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        self.on_start(start);
        self.recorder.start_span(start)
    }

    fn end_span(&self, span: SpanState, end: Timestamp) {
        self.recorder.end_span(span, end);
    }

    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>) {
        self.recorder.set_span_status(span, status);
    }

    fn set_span_name(&self, span: &mut SpanState, name: &str) {
        self.recorder.set_span_name(span, name);
    }

    fn add_span_attributes(&self, span: &mut SpanState, attributes: &[Attribute<'_>]) {
        self.recorder.add_span_attributes(span, attributes);
    }

    fn add_span_event(&self, span: &mut SpanState, event: &Event<'_>) {
        self.recorder.add_span_event(span, event);
    }

    fn add_span_link(&self, span: &mut SpanState, link: &Link<'_>) {
        self.recorder.add_span_link(span, link);
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
        self.recorder.force_flush(deadline)
    }

    fn retire(&self) {
        self.recorder.retire();
    }

    fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        self.recorder.shutdown(deadline)
    }

    /// Those of the recorder, which counts what its exporters did, and the panics of
    /// their companions.
    fn stats(&self) -> Stats {
        let mut stats = self.recorder.stats();
        stats.panics += self.companions.iter().map(|companion| companion.stats().panics).sum::<u64>();
        stats
    }
}
