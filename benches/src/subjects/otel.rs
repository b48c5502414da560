//! opentelemetry with its SDK: batch processor with default settings (queue of 2,048 spans,
//! batches of 512) over an exporter that discards, the tracer held by its own type, which is
//! cheaper than the boxed one of `global::tracer`. Attributes are set with one call, which
//! takes the lock of the span once.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{FutureExt, Span, SpanKind, TraceContextExt, Tracer, TracerProvider, get_active_span};
use opentelemetry::{Array, Context, KeyValue, Value, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanExporter};

use crate::Failure;
use crate::cell::{Cell, Nothing, Peer};
use crate::workloads::{COST, Headers, KEYS, PRICE_TABLE, Pending, RULE, Workload, block_on, cart, items, llm, work};

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::Off,
    Workload::OffAttrs,
    Workload::SampledOut,
    Workload::SampledOutAttrs,
    Workload::Root,
    Workload::Full,
    Workload::Children10,
    Workload::Children100,
    Workload::Full2Threads,
    Workload::Poll1,
    Workload::Poll10,
    Workload::CurrentAttribute,
    Workload::Propagate,
    Workload::LlmCall,
];

pub(super) const RAW_WORKLOADS: &[Workload] =
    &[Workload::SampledOut, Workload::SampledOutAttrs, Workload::Root, Workload::Full];

pub(super) fn run(cell: &mut Cell) -> Result<(), Failure> {
    let workload = cell.workload();
    if matches!(workload, Workload::Off | Workload::OffAttrs) {
        // Off is what a program is that sets no provider.
        let tracer = global::tracer("bench");
        match workload {
            Workload::Off => cell.measure(&Nothing, || root(&tracer)),
            _ => cell.measure(&Nothing, || attributes(&tracer)),
        }
        return Ok(());
    }
    let peer = Otel::install(Discard, sampler(workload));
    let tracer = &peer.tracer;
    match workload {
        Workload::SampledOut | Workload::Root => cell.measure(&peer, || root(tracer)),
        Workload::SampledOutAttrs => cell.measure(&peer, || attributes(tracer)),
        Workload::Full => cell.measure(&peer, || full(tracer)),
        Workload::Full2Threads => cell.measure_on_two_threads(&peer, || full(tracer)),
        Workload::Children10 => cell.measure(&peer, || children(tracer, 10)),
        Workload::Children100 => cell.measure(&peer, || children(tracer, 100)),
        Workload::Poll1 => cell.measure(&peer, || poll(tracer, 1)),
        Workload::Poll10 => cell.measure(&peer, || poll(tracer, 10)),
        Workload::CurrentAttribute => cell.measure(&peer, || current_attribute(tracer)),
        Workload::LlmCall => cell.measure(&peer, || llm_call(tracer)),
        _ => {
            let propagator = TraceContextPropagator::new();
            let (incoming, mut outgoing) = (Headers::incoming(), Headers::outgoing());
            cell.measure(&peer, || propagate(&propagator, &incoming, &mut outgoing));
        }
    }
    Ok(())
}

pub(super) fn run_raw(cell: &mut Cell) -> Result<(), Failure> {
    let peer = Otel::install(Discard, sampler(cell.workload()));
    let tracer = &peer.tracer;
    match cell.workload() {
        Workload::SampledOut | Workload::Root => cell.measure(&peer, || raw_root(tracer)),
        Workload::SampledOutAttrs => cell.measure(&peer, || raw_attributes(tracer)),
        _ => cell.measure(&peer, || raw_full(tracer)),
    }
    Ok(())
}

pub(super) fn sampler(workload: Workload) -> Sampler {
    let ratio = match workload {
        Workload::SampledOut | Workload::SampledOutAttrs => Sampler::TraceIdRatioBased(0.0),
        _ => Sampler::AlwaysOn,
    };
    Sampler::ParentBased(Box::new(ratio))
}

fn root<T: Tracer>(tracer: &T)
where
    T::Span: Send + Sync + 'static,
{
    tracer.in_span("checkout", |_| work());
}

fn attributes<T: Tracer>(tracer: &T)
where
    T::Span: Send + Sync + 'static,
{
    tracer.in_span("checkout", |context| {
        context.span().set_attributes(key_values());
        work();
    });
}

fn full(tracer: &SdkTracer) {
    tracer.in_span("checkout", |context| {
        let span = context.span();
        span.set_attributes(key_values());
        span.add_event("paid", Vec::new());
        work();
    });
}

#[inline(always)]
fn key_values() -> [KeyValue; 4] {
    let cart = cart();
    [
        KeyValue::new("http.request.method", "GET"),
        KeyValue::new("cart.id", cart.id.to_owned()),
        KeyValue::new("cart.items", cart.items),
        KeyValue::new("cart.total", cart.total),
    ]
}

fn children(tracer: &SdkTracer, count: i64) {
    tracer.in_span("checkout", |_| {
        items(count).for_each(|item| {
            tracer.in_span("reserve_stock", |context| {
                context
                    .span()
                    .set_attributes([KeyValue::new("warehouse.name", "east"), KeyValue::new("cart.item", item)]);
                work();
            });
        });
    });
}

fn poll(tracer: &SdkTracer, times: u32) {
    let context = Context::current_with_span(tracer.start("checkout"));
    block_on(Pending(times).with_context(context));
}

fn current_attribute(tracer: &SdkTracer) {
    tracer.in_span("checkout", |_| {
        for key in KEYS {
            get_active_span(|span| span.set_attribute(KeyValue::new(key, black_box(3_i64))));
        }
        work();
    });
}

/// Samplers see the attributes that are there from the start.
fn llm_call(tracer: &SdkTracer) {
    let llm = llm();
    let builder = tracer.span_builder(format!("chat {}", llm.model)).with_kind(SpanKind::Client).with_attributes([
        KeyValue::new("gen_ai.operation.name", "chat"),
        KeyValue::new("gen_ai.provider.name", llm.provider.to_owned()),
        KeyValue::new("gen_ai.request.model", llm.model.to_owned()),
        KeyValue::new("gen_ai.request.stream", false),
        KeyValue::new("server.address", llm.server.to_owned()),
        KeyValue::new("server.port", 443),
        KeyValue::new("gen_ai.request.temperature", 0.5),
        KeyValue::new("gen_ai.request.top_p", 0.9),
        KeyValue::new("gen_ai.request.max_tokens", 150),
        KeyValue::new("gen_ai.request.seed", 7),
    ]);
    let context = Context::current_with_span(builder.start(tracer));
    let _entered = context.clone().attach();
    work();
    let (input, output, total) = COST;
    let reasons = Array::String(vec![llm.reason.to_owned().into()]);
    context.span().set_attributes([
        KeyValue::new("gen_ai.response.model", llm.answered.to_owned()),
        KeyValue::new("gen_ai.response.id", llm.id.to_owned()),
        KeyValue::new("gen_ai.response.finish_reasons", Value::Array(reasons)),
        KeyValue::new("gen_ai.usage.input_tokens", llm.input as i64),
        KeyValue::new("gen_ai.usage.output_tokens", llm.output as i64),
        KeyValue::new("gen_ai.usage.cache_read.input_tokens", llm.cached as i64),
        KeyValue::new("gen_ai.usage.reasoning.output_tokens", llm.reasoning as i64),
        KeyValue::new("spandrel.cost.total", total),
        KeyValue::new("gen_ai.usage.cost", total),
        KeyValue::new("spandrel.cost.input", input),
        KeyValue::new("spandrel.cost.output", output),
        KeyValue::new("spandrel.cost.rule", RULE),
        KeyValue::new("spandrel.cost.price_table", PRICE_TABLE),
    ]);
}

fn propagate(propagator: &TraceContextPropagator, incoming: &Headers, outgoing: &mut Headers) {
    let context = propagator.extract(incoming);
    propagator.inject_context(&context, outgoing);
    work();
}

fn raw_root(tracer: &SdkTracer) {
    let mut span = tracer.start("checkout");
    work();
    span.end();
}

fn raw_attributes(tracer: &SdkTracer) {
    let mut span = tracer.start("checkout");
    span.set_attributes(key_values());
    work();
    span.end();
}

fn raw_full(tracer: &SdkTracer) {
    let mut span = tracer.start("checkout");
    span.set_attributes(key_values());
    span.add_event("paid", Vec::new());
    work();
    span.end();
}

impl Extractor for Headers {
    fn get(&self, key: &str) -> Option<&str> {
        self.value(key)
    }

    fn keys(&self) -> Vec<&str> {
        self.names()
    }
}

impl Injector for Headers {
    fn set(&mut self, key: &str, value: String) {
        self.put(key, value);
    }
}

/// The SDK with an exporter.
pub(crate) struct Otel {
    pub(crate) provider: SdkTracerProvider,
    pub(crate) tracer: SdkTracer,
}

impl Otel {
    pub(crate) fn install(exporter: impl SpanExporter + 'static, sampler: Sampler) -> Self {
        let resource = Resource::builder_empty().with_service_name("bench").build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(sampler)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("bench");
        Self { provider, tracer }
    }

    /// One operation of the workload `full`.
    pub(crate) fn full(&self) {
        full(&self.tracer);
    }
}

impl Peer for Otel {
    fn flush(&self) {
        // What was lost shows in what was delivered.
        let _ = self.provider.force_flush();
    }

    fn delivered(&self) -> Option<u64> {
        Some(DELIVERED.load(Ordering::SeqCst))
    }
}

static DELIVERED: AtomicU64 = AtomicU64::new(0);

/// Counts the spans and lets them go.
#[derive(Debug)]
pub(super) struct Discard;

impl SpanExporter for Discard {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        DELIVERED.fetch_add(batch.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}
