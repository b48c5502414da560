use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opentelemetry::trace::Span as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use spandrel_plugin_api::{
    Attribute, Error, Event, Link, SpanContext, SpanStart, SpanState, Stats, Status, Timestamp, TracingProvider,
};

use crate::builder::PipelineBuilder;
use crate::pipeline::Pipeline;
use crate::span::{RunningSpan, SharedSpan};
use crate::{context, encode};

/// Records spans of the facade with the official SDK.
///
/// Made by [`OpenTelemetryFactory`](crate::OpenTelemetryFactory), or by
/// [`PipelineBuilder::build`] for [`Builder::provider`] of the facade. Only the first is
/// able to export from a forked process, too. A clone is the same provider.
///
/// [`Builder::provider`]: https://docs.rs/spandrel/latest/spandrel/struct.Builder.html#method.provider
#[derive(Clone)]
pub struct OpenTelemetryProvider(Arc<Inner>);

struct Inner {
    process: Process,
    make: Option<MakePipeline>,
}

/// Makes the pipeline of a forked child.
pub(crate) type MakePipeline = Box<dyn Fn() -> Result<Pipeline, Error> + Send + Sync>;

/// The pipeline of a process, and those of the forked children below it. A list that
/// only grows, as no lock is sure to be free after a fork.
struct Process {
    pipeline: Pipeline,
    child: OnceLock<Box<Process>>,
}

impl OpenTelemetryProvider {
    pub(crate) fn new(pipeline: Pipeline, make: Option<MakePipeline>) -> Self {
        let process = Process { pipeline, child: OnceLock::new() };
        Self(Arc::new(Inner { process, make }))
    }

    /// The SDK's own provider, to make tracers for OpenTelemetry libraries with. Their spans and
    /// those of the facade form the same traces.
    #[must_use]
    pub fn tracer_provider(&self) -> SdkTracerProvider {
        self.pipeline().sdk.clone()
    }

    fn pipeline(&self) -> &Pipeline {
        self.0.pipeline()
    }
}

impl Inner {
    /// The pipeline of this process, made if there is none.
    fn pipeline(&self) -> &Pipeline {
        let mut process = &self.process;
        while process.pipeline.processors.process != std::process::id() {
            process = process.child.get_or_init(|| Box::new(self.after_fork()));
        }
        &process.pipeline
    }

    #[cold]
    fn after_fork(&self) -> Process {
        let pipeline = self.make.as_ref().and_then(|make| make().ok());
        let pipeline = pipeline.unwrap_or_else(|| PipelineBuilder::forked(&self.process.pipeline.processors.names));
        Process { pipeline, child: OnceLock::new() }
    }
}

/// A state that is not ours has no span.
fn on_span(state: &mut SpanState, edit: impl FnOnce(&SharedSpan)) {
    if let Some(span) = state.downcast_mut::<RunningSpan>() {
        edit(span.shared());
    }
}

impl TracingProvider for OpenTelemetryProvider {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        match self.pipeline().start(start) {
            Some(span) => SpanState::boxed(Box::new(span)),
            None => SpanState::none(),
        }
    }

    fn end_span(&self, span: SpanState, end: Timestamp) {
        let Some(span) = span.downcast::<RunningSpan>() else { return };
        if span.process() == std::process::id() {
            return span.shared().end(encode::time(end));
        }
        span.forget();
        self.pipeline().processors.ledger.record_forked();
    }

    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>) {
        on_span(span, |span| span.set_status(encode::status(status)));
    }

    fn set_span_name(&self, span: &mut SpanState, name: &str) {
        on_span(span, |span| span.edit(|span| span.update_name(name.to_owned())));
    }

    fn add_span_attributes(&self, span: &mut SpanState, attributes: &[Attribute<'_>]) {
        on_span(span, |span| {
            attributes.iter().for_each(|attribute| span.set_attribute(encode::attribute(attribute)));
        });
    }

    fn add_span_event(&self, span: &mut SpanState, event: &Event<'_>) {
        on_span(span, |span| {
            let (name, time) = (event.name.to_owned(), encode::time(event.time));
            span.edit(|span| span.add_event_with_timestamp(name, time, encode::unique_attributes(event.attributes)));
        });
    }

    fn add_span_link(&self, span: &mut SpanState, link: &Link<'_>) {
        on_span(span, |span| {
            span.edit(|span| span.add_link(encode::context(link.context), encode::unique_attributes(link.attributes)));
        });
    }

    fn keeps_context(&self) -> bool {
        true
    }

    fn enter_span(&self, span: &mut SpanState) {
        if let Some(span) = span.downcast_mut::<RunningSpan>() {
            context::enter(span.shared());
        }
    }

    fn exit_span(&self, span: &mut SpanState) {
        if let Some(span) = span.downcast_mut::<RunningSpan>() {
            context::exit(span.shared());
        }
    }

    fn current_context(&self) -> Option<SpanContext> {
        context::current()
    }

    fn enter_unsampled(&self, context: &SpanContext) {
        context::enter_unrecorded(context);
    }

    fn exit_unsampled(&self, context: &SpanContext) {
        context::exit_unrecorded(context);
    }

    fn health(&self) -> Result<(), Error> {
        self.pipeline().processors.ledger.health()
    }

    fn force_flush(&self, deadline: Duration) -> Result<(), Error> {
        self.pipeline().flush(deadline)
    }

    fn on_fork(&self) -> bool {
        self.pipeline();
        true
    }

    fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        self.pipeline().shutdown(deadline)
    }

    fn stats(&self) -> Stats {
        self.pipeline().processors.ledger.stats()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut process = Some(&self.process);
        while let Some(Process { pipeline, child }) = process {
            if pipeline.processors.process == std::process::id() {
                let _ = pipeline.shutdown(Duration::from_secs(1));
            }
            process = child.get().map(|child| &**child);
        }
    }
}

impl fmt::Debug for OpenTelemetryProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenTelemetryProvider").field("processors", &self.pipeline().processors).finish_non_exhaustive()
    }
}
