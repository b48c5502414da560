use std::thread;
use std::time::Duration;

use spandrel_plugin_api::{
    Attribute, Carrier, CarrierMut, Error, ErrorKind, Event, Extraction, Host, Link, Provider, ProviderFactory,
    SpanContext, SpanStart, SpanState, Stats, Status, Timestamp, TracingProvider,
};
use spandrel_provider_file::FileFactory;
use spandrel_recorder::{Recorder, RecorderConfig};

use crate::context::Current;
use crate::header;

/// Makes the provider `live_memory`.
pub(crate) struct LiveMemoryFactory;

struct LiveMemory {
    recorder: Recorder,
    current: Current,
}

/// What it keeps of a span.
struct Running {
    context: SpanContext,
    state: SpanState,
}

impl ProviderFactory for LiveMemoryFactory {
    fn name(&self) -> &str {
        "live_memory"
    }

    fn create(&self, config: &str, host: &Host<'_>) -> Result<Provider, Error> {
        assert!(!config.contains("panic"), "in create");
        let Provider::Exporter(exporter) = FileFactory.create(config, host)? else {
            return Err(Error::new(ErrorKind::Internal, "file is an exporter"));
        };
        let exporters = vec![("live_memory".to_owned(), exporter)];
        let recorder = Recorder::new(RecorderConfig::default(), host.resource, exporters);
        Ok(Provider::Live(Box::new(LiveMemory { recorder, current: Current::new() })))
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        FileFactory.validate(config)
    }
}

impl LiveMemory {
    fn on_span(&self, span: &mut SpanState, call: impl FnOnce(&Recorder, &mut SpanState)) {
        if let Some(running) = span.downcast_mut::<Running>() {
            call(&self.recorder, &mut running.state);
        }
    }
}

impl TracingProvider for LiveMemory {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        if start.name == "panic in a thread" {
            let thread = thread::Builder::new().name("of the plugin".to_owned());
            let _ = thread.spawn(|| panic!("in a thread of its own")).map(thread::JoinHandle::join);
        } else {
            assert!(!start.name.starts_with("panic"), "at {}", start.name);
        }
        SpanState::boxed(Box::new(Running { context: start.context.clone(), state: self.recorder.start_span(start) }))
    }

    fn end_span(&self, span: SpanState, end: Timestamp) {
        if let Some(running) = span.downcast::<Running>() {
            self.recorder.end_span(running.state, end);
        }
    }

    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>) {
        self.on_span(span, |recorder, span| recorder.set_span_status(span, status));
    }

    fn set_span_name(&self, span: &mut SpanState, name: &str) {
        self.on_span(span, |recorder, span| recorder.set_span_name(span, name));
    }

    fn add_span_attributes(&self, span: &mut SpanState, attributes: &[Attribute<'_>]) {
        self.on_span(span, |recorder, span| recorder.add_span_attributes(span, attributes));
    }

    fn add_span_event(&self, span: &mut SpanState, event: &Event<'_>) {
        self.on_span(span, |recorder, span| recorder.add_span_event(span, event));
    }

    fn add_span_link(&self, span: &mut SpanState, link: &Link<'_>) {
        self.on_span(span, |recorder, span| recorder.add_span_link(span, link));
    }

    fn keeps_context(&self) -> bool {
        true
    }

    fn enter_span(&self, span: &mut SpanState) {
        if let Some(running) = span.downcast_mut::<Running>() {
            self.current.enter(&running.context);
        }
    }

    fn exit_span(&self, span: &mut SpanState) {
        if let Some(running) = span.downcast_mut::<Running>() {
            self.current.exit(&running.context);
        }
    }

    fn propagation_fields(&self) -> &[&str] {
        &[header::NAME]
    }

    fn extract_context(&self, carrier: &dyn Carrier) -> Extraction {
        header::read(carrier).map_or(Extraction::UseConfigured, Extraction::Context)
    }

    fn inject_context(&self, context: &SpanContext, carrier: &mut dyn CarrierMut) -> bool {
        header::write(context, carrier);
        true
    }

    fn current_context(&self) -> Option<SpanContext> {
        self.current.innermost()
    }

    fn enter_unsampled(&self, context: &SpanContext) {
        self.current.enter(context);
    }

    fn exit_unsampled(&self, context: &SpanContext) {
        self.current.exit(context);
    }

    fn samples(&self) -> bool {
        true
    }

    fn sample(&self, start: &SpanStart<'_>) -> bool {
        !start.name.starts_with("drop")
    }

    fn force_flush(&self, deadline: Duration) -> Result<(), Error> {
        self.recorder.force_flush(deadline)
    }

    fn retire(&self) {
        self.recorder.retire();
    }

    fn on_fork(&self) -> bool {
        self.recorder.on_fork()
    }

    fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        self.recorder.shutdown(deadline)
    }

    fn stats(&self) -> Stats {
        self.recorder.stats()
    }
}
