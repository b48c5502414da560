use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, ShouldSample, SpanExporter, SpanLimits,
    SpanProcessor,
};
use spandrel_plugin_api as api;

use crate::config::{BatchLimits, Environment};
use crate::exporter::CountedExporter;
use crate::ids::{DecidedSampler, GivenIds};
use crate::ledger::Ledger;
use crate::pipeline::Pipeline;
use crate::processor::{Other, Processors, SharedProcessors};
use crate::{OpenTelemetryProvider, encode};

/// What the SDK does with spans: exporters, processors, and what goes for spans that
/// OpenTelemetry libraries start.
///
/// ```
/// use opentelemetry_sdk::error::OTelSdkResult;
/// use opentelemetry_sdk::trace::{SpanData, SpanExporter};
/// use spandrel_provider_opentelemetry::PipelineBuilder;
///
/// #[derive(Debug)]
/// struct Names;
///
/// impl SpanExporter for Names {
///     async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
///         batch.iter().for_each(|span| println!("{}", span.name));
///         Ok(())
///     }
/// }
///
/// let provider = PipelineBuilder::new().with_exporter("names", Names).build();
/// let tracers = provider.tracer_provider(); // for libraries that take one
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct PipelineBuilder {
    resource: Resource,
    batch: BatchLimits,
    limits: SpanLimits,
    roots: Box<dyn ShouldSample>,
    is_global: bool,
    ledger: Arc<Ledger>,
    names: Vec<String>,
    batches: Vec<BatchSpanProcessor>,
    others: Vec<Box<dyn SpanProcessor>>,
}

impl PipelineBuilder {
    /// Without exporters and with an empty resource; limits are what the environment of the SDK says:
    /// `OTEL_BSP_*`, `OTEL_SPAN_*_COUNT_LIMIT`, and `OTEL_TRACES_SAMPLER` for traces of others.
    pub fn new() -> Self {
        let environment = Environment::of_process();
        Self {
            resource: Resource::builder_empty().build(),
            batch: environment.batch(),
            limits: environment.limits(),
            roots: environment.roots(),
            is_global: false,
            ledger: Arc::new(Ledger::new()),
            names: Vec::new(),
            batches: Vec::new(),
            others: Vec::new(),
        }
    }

    /// What produces the spans; those of the factory have the service's already.
    pub fn with_resource(mut self, resource: &api::Resource) -> Self {
        let sdk = [("name", "opentelemetry"), ("language", "rust"), ("version", SDK_VERSION)];
        let sdk = sdk.map(|(key, value)| opentelemetry::KeyValue::new(format!("telemetry.sdk.{key}"), value));
        let attributes = encode::attributes(resource.attributes());
        // Of two with a key the later one stays.
        self.resource = Resource::builder_empty().with_attributes(attributes).with_attributes(sdk).build();
        self
    }

    /// Adds an exporter behind a batch processor of the SDK, with its own queue and its
    /// own figures in the statistics, under this name.
    pub fn with_exporter(mut self, name: &str, exporter: impl SpanExporter + 'static) -> Self {
        let BatchLimits { max_queue_spans, max_batch_spans, delay_ms } = self.batch;
        let config = BatchConfigBuilder::default()
            .with_max_queue_size(max_queue_spans)
            .with_max_export_batch_size(max_batch_spans)
            .with_scheduled_delay(Duration::from_millis(delay_ms));
        let branch = self.ledger.open(name.to_owned(), max_queue_spans);
        self.names.push(name.to_owned());
        let exporter = CountedExporter { exporter, ledger: Arc::clone(&self.ledger), branch };
        self.batches.push(BatchSpanProcessor::new(exporter, config.build()));
        self
    }

    /// Adds a processor, which hears of all spans of the facade and of others.
    ///
    /// What it delivers is not counted. After three panics it is not called any more.
    pub fn with_span_processor(mut self, processor: impl SpanProcessor + 'static) -> Self {
        self.others.push(Box::new(processor));
        self
    }

    /// Limits of the queues of exporters that are added after this.
    pub const fn with_batch(mut self, batch: BatchLimits) -> Self {
        self.batch = batch;
        self
    }

    /// What a span may hold.
    pub const fn with_span_limits(mut self, limits: SpanLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Which of the spans are recorded that OpenTelemetry libraries start; the facade
    /// decides about its own. A parent decides for its children unless set.
    pub fn with_sampler(mut self, sampler: impl ShouldSample + 'static) -> Self {
        self.roots = Box::new(sampler);
        self
    }

    /// Whether it becomes the global tracer provider of OpenTelemetry; not unless set.
    pub const fn with_global(mut self, is_global: bool) -> Self {
        self.is_global = is_global;
        self
    }

    /// Starts the SDK.
    #[must_use]
    pub fn build(self) -> OpenTelemetryProvider {
        OpenTelemetryProvider::new(self.pipeline(), None)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.others.is_empty()
    }

    pub(crate) fn with_root_ratio(self, ratio: f64) -> Self {
        self.with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
    }

    pub(crate) fn pipeline(mut self) -> Pipeline {
        self.batches.iter_mut().for_each(|batch| batch.set_resource(&self.resource));
        self.others.iter_mut().for_each(|other| other.set_resource(&self.resource));
        let processors = Arc::new(Processors {
            process: std::process::id(),
            ledger: self.ledger,
            names: self.names,
            limits: self.limits,
            batches: self.batches,
            others: self.others.into_iter().map(Other::new).collect(),
        });
        let sdk = SdkTracerProvider::builder()
            .with_resource(self.resource)
            .with_sampler(DecidedSampler { others: self.roots })
            .with_id_generator(GivenIds::default())
            .with_span_limits(self.limits)
            .with_span_processor(SharedProcessors(Arc::clone(&processors)))
            .build();
        if self.is_global {
            opentelemetry::global::set_tracer_provider(sdk.clone());
        }
        Pipeline::new(sdk, processors)
    }

    /// A pipeline that only counts, in a forked process in which there can be no other.
    pub(crate) fn forked(names: &[String]) -> Pipeline {
        let mut builder = Self::new();
        for name in names {
            builder.ledger.open(name.clone(), 0);
            builder.names.push(name.clone());
        }
        builder.ledger.end_forked();
        builder.pipeline()
    }
}

/// The SDK does not tell its own.
const SDK_VERSION: &str = "0.33.1";

impl Default for PipelineBuilder {
    fn default() -> Self {
        Self::new()
    }
}
