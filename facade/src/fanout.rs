use std::time::Duration;

use spandrel_plugin_api::{
    Attribute, Carrier, CarrierMut, Deadline, Error, Event, Extraction, Link, SpanContext, SpanStart, SpanState, Stats,
    Status, Timestamp, TracingProvider,
};

use crate::report::first_error;

/// Several providers as one: each gets every call, with the same ids.
///
/// The first one that answers a question answers for all.
pub(crate) struct Fanout {
    providers: Vec<Box<dyn TracingProvider>>,
}

type States = Vec<SpanState>;

impl Fanout {
    pub(crate) fn new(providers: Vec<Box<dyn TracingProvider>>) -> Self {
        Self { providers }
    }

    fn each(&self, span: &mut SpanState, call: impl Fn(&dyn TracingProvider, &mut SpanState)) {
        if let Some(states) = span.downcast_mut::<States>() {
            for (provider, state) in self.providers.iter().zip(states) {
                call(&**provider, state);
            }
        }
    }

    fn within(
        &self,
        deadline: Duration,
        call: impl Fn(&dyn TracingProvider, Duration) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let until = Deadline::after(deadline);
        first_error(self.providers.iter().map(|provider| call(&**provider, until.left())))
    }
}

impl TracingProvider for Fanout {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        let states: States = self.providers.iter().map(|provider| provider.start_span(start)).collect();
        SpanState::boxed(Box::new(states))
    }

    fn end_span(&self, span: SpanState, end: Timestamp) {
        for (provider, state) in self.providers.iter().zip(*span.downcast::<States>().unwrap_or_default()) {
            provider.end_span(state, end);
        }
    }

    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>) {
        self.each(span, |provider, state| provider.set_span_status(state, status));
    }

    fn set_span_name(&self, span: &mut SpanState, name: &str) {
        self.each(span, |provider, state| provider.set_span_name(state, name));
    }

    fn add_span_attributes(&self, span: &mut SpanState, attributes: &[Attribute<'_>]) {
        self.each(span, |provider, state| provider.add_span_attributes(state, attributes));
    }

    fn add_span_event(&self, span: &mut SpanState, event: &Event<'_>) {
        self.each(span, |provider, state| provider.add_span_event(state, event));
    }

    fn add_span_link(&self, span: &mut SpanState, link: &Link<'_>) {
        self.each(span, |provider, state| provider.add_span_link(state, link));
    }

    fn records(&self) -> bool {
        self.providers.iter().any(|provider| provider.records())
    }

    fn keeps_context(&self) -> bool {
        self.providers.iter().any(|provider| provider.keeps_context())
    }

    fn enter_span(&self, span: &mut SpanState) {
        self.each(span, |provider, state| provider.enter_span(state));
    }

    fn exit_span(&self, span: &mut SpanState) {
        self.each(span, |provider, state| provider.exit_span(state));
    }

    fn propagation_fields(&self) -> &[&str] {
        let declared = self.providers.iter().map(|provider| provider.propagation_fields());
        declared.into_iter().find(|fields| !fields.is_empty()).unwrap_or(&[])
    }

    fn extract_context(&self, carrier: &dyn Carrier) -> Extraction {
        let answers = self.providers.iter().map(|provider| provider.extract_context(carrier));
        answers.into_iter().find(|answer| *answer != Extraction::UseConfigured).unwrap_or(Extraction::UseConfigured)
    }

    fn inject_context(&self, context: &SpanContext, carrier: &mut dyn CarrierMut) -> bool {
        self.providers.iter().any(|provider| provider.inject_context(context, carrier))
    }

    fn current_context(&self) -> Option<SpanContext> {
        self.providers.iter().find_map(|provider| provider.current_context())
    }

    fn enter_unsampled(&self, context: &SpanContext) {
        self.providers.iter().for_each(|provider| provider.enter_unsampled(context));
    }

    fn exit_unsampled(&self, context: &SpanContext) {
        self.providers.iter().for_each(|provider| provider.exit_unsampled(context));
    }

    fn samples(&self) -> bool {
        self.providers.iter().any(|provider| provider.samples())
    }

    fn sample(&self, start: &SpanStart<'_>) -> bool {
        self.providers.iter().all(|provider| provider.sample(start))
    }

    fn health(&self) -> Result<(), Error> {
        self.providers.iter().try_for_each(|provider| provider.health())
    }

    fn force_flush(&self, deadline: Duration) -> Result<(), Error> {
        self.within(deadline, |provider, left| provider.force_flush(left))
    }

    fn retire(&self) {
        self.providers.iter().for_each(|provider| provider.retire());
    }

    fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        self.within(deadline, |provider, left| provider.shutdown(left))
    }

    fn stats(&self) -> Stats {
        let mut all = Stats::default();
        for stats in self.providers.iter().map(|provider| provider.stats()) {
            all.recorded = all.recorded.max(stats.recorded);
            all.panics += stats.panics;
            all.branches.extend(stats.branches);
        }
        all
    }
}
