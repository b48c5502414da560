//! fastrace with its default settings and a reporter that discards. Its values are texts, so
//! numbers are formatted on the caller's thread, as its documentation does it. It is
//! flushed between the chunks, which starts a thread each time; that is no part of the time of
//! the caller.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use ::fastrace::collector::{Config, Reporter, SpanRecord};
use ::fastrace::future::FutureExt;
use ::fastrace::prelude::{Event, LocalSpan, Span, SpanContext};
use ::fastrace::trace;

use crate::Failure;
use crate::cell::{Cell, Nothing, Peer};
use crate::workloads::{
    COST, Headers, KEYS, PRICE_TABLE, Pending, RULE, Workload, block_on, cart, items, llm, price, work,
};

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
    Workload::TracedFn,
    Workload::CurrentAttribute,
    Workload::Propagate,
    Workload::LlmCall,
];

pub(super) const RAW_WORKLOADS: &[Workload] =
    &[Workload::SampledOut, Workload::SampledOutAttrs, Workload::Root, Workload::Full];

pub(super) fn run(cell: &mut Cell) -> Result<(), Failure> {
    match cell.workload() {
        // Off is, as the documentation has it, a root that is `Span::noop()`, so that what is
        // below has no parent. (A root that is made without a reporter costs five times that.)
        Workload::Off => cell.measure(&Nothing, off),
        Workload::OffAttrs => cell.measure(&Nothing, off_attrs),
        workload => {
            let peer = Fastrace::install(Discard);
            match workload {
                Workload::SampledOut => cell.measure(&peer, || root(false)),
                Workload::SampledOutAttrs => cell.measure(&peer, || attributes(false)),
                Workload::Root => cell.measure(&peer, || root(true)),
                Workload::Full => cell.measure(&peer, full),
                Workload::Full2Threads => cell.measure_on_two_threads(&peer, full),
                Workload::Children10 => cell.measure(&peer, || children(10)),
                Workload::Children100 => cell.measure(&peer, || children(100)),
                Workload::Poll1 => cell.measure(&peer, || poll(1)),
                Workload::Poll10 => cell.measure(&peer, || poll(10)),
                Workload::TracedFn => cell.measure(&peer, traced_fn),
                Workload::CurrentAttribute => cell.measure(&peer, current_attribute),
                Workload::LlmCall => cell.measure(&peer, llm_call),
                _ => {
                    let (incoming, mut outgoing) = (Headers::incoming(), Headers::outgoing());
                    cell.measure(&peer, || propagate(&incoming, &mut outgoing));
                }
            }
        }
    }
    Ok(())
}

pub(super) fn run_raw(cell: &mut Cell) -> Result<(), Failure> {
    let peer = Fastrace::install(Discard);
    match cell.workload() {
        Workload::SampledOut => cell.measure(&peer, || raw_root(false)),
        Workload::SampledOutAttrs => cell.measure(&peer, || raw_attributes(false)),
        Workload::Root => cell.measure(&peer, || raw_root(true)),
        _ => cell.measure(&peer, raw_full),
    }
    Ok(())
}

fn off() {
    let _span = LocalSpan::enter_with_local_parent("checkout");
    work();
}

fn off_attrs() {
    let _span = LocalSpan::enter_with_local_parent("checkout").with_properties(properties);
    work();
}

fn root(sampled: bool) {
    let root = Span::root("checkout", SpanContext::random().sampled(sampled));
    let _guard = root.set_local_parent();
    work();
}

fn attributes(sampled: bool) {
    let root = Span::root("checkout", SpanContext::random().sampled(sampled)).with_properties(properties);
    let _guard = root.set_local_parent();
    work();
}

fn full() {
    let root = Span::root("checkout", SpanContext::random()).with_properties(properties);
    let _guard = root.set_local_parent();
    LocalSpan::add_event(Event::new("paid"));
    work();
}

#[inline(always)]
fn properties() -> [(&'static str, Cow<'static, str>); 4] {
    let cart = cart();
    [
        ("http.request.method", Cow::Borrowed("GET")),
        ("cart.id", Cow::Owned(cart.id.to_owned())),
        ("cart.items", Cow::Owned(cart.items.to_string())),
        ("cart.total", Cow::Owned(cart.total.to_string())),
    ]
}

fn children(count: i64) {
    let root = Span::root("checkout", SpanContext::random());
    let _guard = root.set_local_parent();
    items(count).for_each(|item| {
        let _child = LocalSpan::enter_with_local_parent("reserve_stock").with_properties(|| {
            [("warehouse.name", Cow::Borrowed("east")), ("cart.item", Cow::Owned(item.to_string()))]
        });
        work();
    });
}

fn poll(times: u32) {
    block_on(Pending(times).in_span(Span::root("checkout", SpanContext::random())));
}

fn traced_fn() {
    let root = Span::root("checkout", SpanContext::random());
    let _guard = root.set_local_parent();
    items(10).for_each(|item| {
        std::hint::black_box(traced_price(item));
    });
}

#[trace(short_name = true)]
fn traced_price(item: i64) -> i64 {
    price(item)
}

fn current_attribute() {
    let root = Span::root("checkout", SpanContext::random());
    let _guard = root.set_local_parent();
    for key in KEYS {
        LocalSpan::add_property(|| (key, std::hint::black_box(3).to_string()));
    }
    work();
}

fn llm_call() {
    let llm = llm();
    let root = Span::root(format!("chat {}", llm.model), SpanContext::random()).with_properties(|| {
        [
            ("gen_ai.operation.name", Cow::Borrowed("chat")),
            ("gen_ai.provider.name", Cow::Owned(llm.provider.to_owned())),
            ("gen_ai.request.model", Cow::Owned(llm.model.to_owned())),
            ("gen_ai.request.stream", Cow::Borrowed("false")),
            ("server.address", Cow::Owned(llm.server.to_owned())),
            ("server.port", Cow::Owned(443.to_string())),
            ("gen_ai.request.temperature", Cow::Owned(0.5.to_string())),
            ("gen_ai.request.top_p", Cow::Owned(0.9.to_string())),
            ("gen_ai.request.max_tokens", Cow::Owned(150.to_string())),
            ("gen_ai.request.seed", Cow::Owned(7.to_string())),
        ]
    });
    let _guard = root.set_local_parent();
    work();
    let (input, output, total) = COST;
    root.add_properties(|| {
        [
            ("gen_ai.response.model", Cow::Owned(llm.answered.to_owned())),
            ("gen_ai.response.id", Cow::Owned(llm.id.to_owned())),
            ("gen_ai.response.finish_reasons", Cow::Owned(llm.reason.to_owned())),
            ("gen_ai.usage.input_tokens", Cow::Owned(llm.input.to_string())),
            ("gen_ai.usage.output_tokens", Cow::Owned(llm.output.to_string())),
            ("gen_ai.usage.cache_read.input_tokens", Cow::Owned(llm.cached.to_string())),
            ("gen_ai.usage.reasoning.output_tokens", Cow::Owned(llm.reasoning.to_string())),
            ("spandrel.cost.total", Cow::Owned(total.to_string())),
            ("gen_ai.usage.cost", Cow::Owned(total.to_string())),
            ("spandrel.cost.input", Cow::Owned(input.to_string())),
            ("spandrel.cost.output", Cow::Owned(output.to_string())),
            ("spandrel.cost.rule", Cow::Borrowed(RULE)),
            ("spandrel.cost.price_table", Cow::Borrowed(PRICE_TABLE)),
        ]
    });
}

fn propagate(incoming: &Headers, outgoing: &mut Headers) {
    let context = incoming.value("traceparent").and_then(SpanContext::decode_w3c_traceparent);
    if let Some(context) = context {
        outgoing.put("traceparent", context.encode_w3c_traceparent());
    }
    work();
}

fn raw_root(sampled: bool) {
    let _root = Span::root("checkout", SpanContext::random().sampled(sampled));
    work();
}

fn raw_attributes(sampled: bool) {
    let _root = Span::root("checkout", SpanContext::random().sampled(sampled)).with_properties(properties);
    work();
}

fn raw_full() {
    let root = Span::root("checkout", SpanContext::random()).with_properties(properties);
    root.add_event(Event::new("paid"));
    work();
}

/// fastrace with a reporter.
pub(crate) struct Fastrace;

impl Fastrace {
    pub(crate) fn install(reporter: impl Reporter) -> Self {
        ::fastrace::set_reporter(reporter, Config::default());
        Self
    }

    /// One operation of the workload `full`.
    pub(crate) fn full(&self) {
        full();
    }
}

impl Peer for Fastrace {
    fn flush(&self) {
        ::fastrace::flush();
    }

    fn delivered(&self) -> Option<u64> {
        Some(DELIVERED.load(Ordering::SeqCst))
    }
}

static DELIVERED: AtomicU64 = AtomicU64::new(0);

/// Counts the spans and lets them go.
struct Discard;

impl Reporter for Discard {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        DELIVERED.fetch_add(spans.len() as u64, Ordering::Relaxed);
    }
}
