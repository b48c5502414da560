//! tracing with tracing-opentelemetry over the SDK of `otel.rs`. The subscriber is the
//! registry, a static level filter at INFO (as a service has it, and so that the SDK does not
//! trace itself) and the layer: with all that it adds to a span by default, or lean, with
//! only what was asked for.

use std::hint::black_box;

use ::tracing::field::Empty;
use ::tracing::{Span, info_span};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanExporter};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::otel::{Discard, Otel, sampler};
use super::tracing_spans::{self, full};
use crate::Failure;
use crate::cell::{Cell, Peer};
use crate::workloads::{COST, KEYS, PRICE_TABLE, RULE, Workload, llm, work};

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::SampledOut,
    Workload::SampledOutAttrs,
    Workload::Root,
    Workload::Full,
    Workload::Children10,
    Workload::Children100,
    Workload::Full2Threads,
    Workload::Poll1,
    Workload::Poll10,
    Workload::TracedFn,
    Workload::CurrentAttribute,
    Workload::LlmCall,
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settings {
    Default,
    Lean,
}

pub(super) fn run(cell: &mut Cell, settings: Settings) -> Result<(), Failure> {
    let peer = TracingOtel::install_with(Discard, sampler(cell.workload()), settings)?;
    match cell.workload() {
        Workload::CurrentAttribute => cell.measure(&peer, current_attribute),
        Workload::LlmCall => cell.measure(&peer, llm_call),
        _ => tracing_spans::measure(cell, &peer),
    }
    Ok(())
}

fn current_attribute() {
    info_span!("checkout").in_scope(|| {
        for key in KEYS {
            Span::current().set_attribute(key, black_box(3_i64));
        }
        work();
    });
}

/// Fields that come later must be announced. There are no lists.
fn llm_call() {
    let llm = llm();
    let span = info_span!(
        "chat",
        otel.name = format!("chat {}", llm.model),
        otel.kind = "client",
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = llm.provider,
        gen_ai.request.model = llm.model,
        gen_ai.request.stream = false,
        server.address = llm.server,
        server.port = 443,
        gen_ai.request.temperature = 0.5,
        gen_ai.request.top_p = 0.9,
        gen_ai.request.max_tokens = 150,
        gen_ai.request.seed = 7,
        gen_ai.response.model = Empty,
        gen_ai.response.id = Empty,
        gen_ai.response.finish_reasons = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        gen_ai.usage.cache_read.input_tokens = Empty,
        gen_ai.usage.reasoning.output_tokens = Empty,
        spandrel.cost.total = Empty,
        gen_ai.usage.cost = Empty,
        spandrel.cost.input = Empty,
        spandrel.cost.output = Empty,
        spandrel.cost.rule = Empty,
        spandrel.cost.price_table = Empty,
    );
    let _entered = span.enter();
    work();
    let (input, output, total) = COST;
    span.record("gen_ai.response.model", llm.answered)
        .record("gen_ai.response.id", llm.id)
        .record("gen_ai.response.finish_reasons", llm.reason)
        .record("gen_ai.usage.input_tokens", llm.input)
        .record("gen_ai.usage.output_tokens", llm.output)
        .record("gen_ai.usage.cache_read.input_tokens", llm.cached)
        .record("gen_ai.usage.reasoning.output_tokens", llm.reasoning)
        .record("spandrel.cost.total", total)
        .record("gen_ai.usage.cost", total)
        .record("spandrel.cost.input", input)
        .record("spandrel.cost.output", output)
        .record("spandrel.cost.rule", RULE)
        .record("spandrel.cost.price_table", PRICE_TABLE);
}

/// The subscriber over the SDK.
pub(crate) struct TracingOtel {
    otel: Otel,
}

impl TracingOtel {
    /// With the settings that it comes with.
    pub(crate) fn install(exporter: impl SpanExporter + 'static) -> Result<Self, Failure> {
        Self::install_with(exporter, Sampler::ParentBased(Box::new(Sampler::AlwaysOn)), Settings::Default)
    }

    fn install_with(
        exporter: impl SpanExporter + 'static,
        sampler: Sampler,
        settings: Settings,
    ) -> Result<Self, Failure> {
        let otel = Otel::install(exporter, sampler);
        let layer = tracing_opentelemetry::layer().with_tracer(otel.tracer.clone());
        let layer = match settings {
            Settings::Default => layer,
            Settings::Lean => {
                layer.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false)
            }
        };
        let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(layer);
        ::tracing::subscriber::set_global_default(subscriber)?;
        Ok(Self { otel })
    }

    pub(crate) fn provider(&self) -> &SdkTracerProvider {
        &self.otel.provider
    }

    /// One operation of the workload `full`.
    pub(crate) fn full(&self) {
        full();
    }
}

impl Peer for TracingOtel {
    fn flush(&self) {
        self.otel.flush();
    }

    fn delivered(&self) -> Option<u64> {
        self.otel.delivered()
    }
}
