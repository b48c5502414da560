use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::{Link, Span as _, SpanBuilder, TraceContextExt, Tracer, TracerProvider};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use spandrel_plugin_api as api;
use spandrel_plugin_api::{Deadline, Error, ErrorKind, panics, suppression};

use crate::processor::Processors;
use crate::span::RunningSpan;
use crate::{context, encode, ids};

/// The SDK with what counts around it, for one process.
pub(crate) struct Pipeline {
    pub(crate) sdk: SdkTracerProvider,
    pub(crate) processors: Arc<Processors>,
    tracers: RwLock<Vec<(String, String, SdkTracer)>>,
    /// Held by each helper thread.
    helpers: Arc<()>,
}

/// More instrumentation scopes than this get a tracer for each span.
const MAX_TRACERS: usize = 256;

/// More flushes and shutdowns than this do not hang at once.
const MAX_HELPERS: usize = 16;

/// How often the SDK is asked again while it has not done what it was asked.
const AGAIN: Duration = Duration::from_millis(100);

impl Pipeline {
    pub(crate) fn new(sdk: SdkTracerProvider, processors: Arc<Processors>) -> Self {
        Self { sdk, processors, tracers: RwLock::default(), helpers: Arc::new(()) }
    }

    /// Starts a span with the ids of the facade; `None` where OpenTelemetry is told to
    /// trace nothing, as within its exporters.
    pub(crate) fn start(&self, start: &api::SpanStart<'_>) -> Option<RunningSpan> {
        let around = context::surrounding();
        if around.is_telemetry_suppressed() {
            return None;
        }
        let parent = start.parent.map(encode::context);
        let parent_context = around.with_remote_span_context(parent.unwrap_or(opentelemetry::trace::SpanContext::NONE));
        let context = encode::context(start.context);
        let builder = SpanBuilder::from_name(start.name.to_owned())
            .with_kind(encode::kind(start.kind))
            .with_start_time(encode::time(start.time))
            .with_attributes(encode::attributes(start.attributes.iter().copied()))
            .with_links(start.links.iter().map(link).collect());
        let tracer = self.tracer(start.scope);
        let build = || tracer.build_with_context(builder, &parent_context);
        let span = ids::with(context.trace_id(), context.span_id(), build);
        debug_assert!(!span.is_recording() || span.span_context().span_id() == context.span_id());
        Some(RunningSpan::new(start, context, span, Arc::clone(&self.processors)))
    }

    /// Waits until all spans that have ended are exported or lost, however the SDK says it went.
    pub(crate) fn flush(&self, deadline: Duration) -> Result<(), Error> {
        let until = Deadline::after(deadline);
        let ledger = &self.processors.ledger;
        let targets = ledger.targets();
        let mut said = Ok(());
        if !self.processors.others.is_empty() || !ledger.wait_settled(&targets, now()) {
            let (sdk, ledger, targets) = (self.sdk.clone(), Arc::clone(ledger), targets.clone());
            said = self.aside("flush", until, move || {
                let mut said = sdk.force_flush();
                // A batch that takes long, or that was just about to get a span.
                while !ledger.wait_settled(&targets, sooner(until)) && !until.has_passed() {
                    said = sdk.force_flush();
                }
                said
            })?;
        }
        if !ledger.wait_settled(&targets, now()) {
            return Err(ledger.timeout("flush"));
        }
        ledger.tell()?;
        said.map_err(|error| failed("flush", &error))
    }

    /// Waits until the workers of the SDK have ended, and with them all spans.
    pub(crate) fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        let until = Deadline::after(deadline);
        let ledger = &self.processors.ledger;
        ledger.close();
        let (sdk, processors) = (self.sdk.clone(), Arc::clone(&self.processors));
        let said = self.aside("shutdown", until, move || {
            let said = match sdk.shutdown_with_timeout(until.left()) {
                Err(OTelSdkError::AlreadyShutdown) => Ok(()),
                said => said,
            };
            // It asks only once, and not at all if its control queue is full.
            while !processors.ledger.wait_ended(sooner(until)) && !until.has_passed() {
                processors.shutdown_batches(AGAIN);
            }
            said
        })?;
        if !ledger.wait_ended(now()) {
            return Err(ledger.timeout("shutdown"));
        }
        ledger.tell()?;
        said.map_err(|error| failed("shutdown", &error))
    }

    /// Calls the SDK on a thread of its own, because its calls may hang.
    fn aside(
        &self,
        what: &str,
        until: Deadline,
        call: impl FnOnce() -> OTelSdkResult + Send + 'static,
    ) -> Result<OTelSdkResult, Error> {
        let timeout = || self.processors.ledger.timeout(what);
        if Arc::strong_count(&self.helpers) > MAX_HELPERS {
            return Err(timeout().with_context("reason", "earlier calls still hang"));
        }
        let (done, result) = std::sync::mpsc::sync_channel(1);
        let helper = Arc::clone(&self.helpers);
        thread::Builder::new().name("spandrel-otel".to_owned()).spawn(move || {
            let _suppressed = suppression::enter();
            let said = panics::contained(call);
            drop(helper);
            let _ = done.send(said.unwrap_or_else(|| Err(OTelSdkError::InternalFailure("it panicked".to_owned()))));
        })?;
        result.recv_timeout(until.left()).map_err(|_| timeout())
    }

    fn tracer(&self, scope: api::InstrumentationScope<'_>) -> SdkTracer {
        let tracers = self.tracers.read().unwrap_or_else(PoisonError::into_inner);
        let known = tracers.iter().find(|(name, version, _)| name == scope.name && version == scope.version);
        if let Some((_, _, tracer)) = known {
            return tracer.clone();
        }
        drop(tracers);
        let (name, version) = (scope.name.to_owned(), scope.version.to_owned());
        let builder = InstrumentationScope::builder(name.clone());
        let builder = if version.is_empty() { builder } else { builder.with_version(version.clone()) };
        let tracer = self.sdk.tracer_with_scope(builder.build());
        let mut tracers = self.tracers.write().unwrap_or_else(PoisonError::into_inner);
        if tracers.len() < MAX_TRACERS {
            tracers.push((name, version, tracer.clone()));
        }
        tracer
    }
}

fn link(link: &api::Link<'_>) -> Link {
    Link::new(encode::context(link.context), encode::unique_attributes(link.attributes), 0)
}

fn now() -> Deadline {
    Deadline::after(Duration::ZERO)
}

fn sooner(until: Deadline) -> Deadline {
    until.min(Deadline::after(AGAIN))
}

/// What a processor of the user said; the others are counted.
fn failed(what: &str, error: &OTelSdkError) -> Error {
    Error::new(ErrorKind::Internal, format!("a span processor failed at the {what}"))
        .with_context("reason", error.to_string())
}
