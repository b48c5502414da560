//! Spandrel through its public interface, as its documentation has it. All settings are the
//! default ones, redaction and limits among them.
//!
//! The crate for AI operations turns redaction by patterns on for the whole program, so that it is on
//! for `llm-call` and switched off for the rest, which programs without that crate do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spandrel as tracing;
use spandrel_genai as ai;
use tracing::provider::{Event, Link, Plugin, SpanBatch, SpanStart, SpanState, Timestamp};
use tracing::{Attribute, Carrier, CarrierMut, Error, Guard, Sampler, SpanExporter, Status, TracingProvider};

use crate::Failure;
use crate::cell::{Cell, Nothing, Peer};
use crate::workloads::{Headers, KEYS, Pending, Workload, block_on, cart, items, llm, price, work};

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

pub(super) const LIVE_WORKLOADS: &[Workload] = &[
    Workload::Root,
    Workload::Full,
    Workload::Children10,
    Workload::Children100,
    Workload::Full2Threads,
    Workload::Poll1,
    Workload::Poll10,
    Workload::TracedFn,
    Workload::CurrentAttribute,
];

pub(super) const NOOP_WORKLOADS: &[Workload] = &[Workload::Off, Workload::OffAttrs];

/// Where finished spans go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Linked,
    Loaded,
    Live,
    Noop,
}

pub(super) fn run(cell: &mut Cell, side: Side) -> Result<(), Failure> {
    let workload = cell.workload();
    if matches!(workload, Workload::Off | Workload::OffAttrs) {
        // Off is what a program is that installs nothing, or says `disable()`.
        let _guard = (side == Side::Noop).then(|| tracing::builder().install()).transpose()?;
        match workload {
            Workload::Off => cell.measure(&Nothing, root),
            _ => cell.measure(&Nothing, attributes),
        }
        return Ok(());
    }
    let mut builder = tracing::builder().service("bench");
    if workload != Workload::LlmCall {
        builder = builder.default_config("[redaction]\npatterns = false");
    }
    if matches!(workload, Workload::SampledOut | Workload::SampledOutAttrs) {
        builder = builder.sampler(Sampler::parent_based(Sampler::ratio(0.0)?));
    }
    let builder = match side {
        Side::Linked => builder.exporter("discard", || Discard),
        Side::Loaded => {
            let plugin = Plugin::load(&cell.plugin()?)?;
            let name = plugin.name().to_owned();
            builder.register(plugin).provider_type(&name)
        }
        Side::Live => builder.provider("count", || Count),
        Side::Noop => builder,
    };
    let peer = Installed { _guard: builder.install()?, side };
    match workload {
        Workload::SampledOut | Workload::Root => cell.measure(&peer, root),
        Workload::SampledOutAttrs => cell.measure(&peer, attributes),
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
    Ok(())
}

fn root() {
    tracing::with_span("checkout", |_| work());
}

// Else it depends on the other files of this crate whether the loop calls it.
#[inline]
fn attributes() {
    let cart = cart();
    tracing::with_span("checkout", |span| {
        span.set_attribute("http.request.method", "GET");
        span.set_attribute("cart.id", cart.id);
        span.set_attribute("cart.items", cart.items);
        span.set_attribute("cart.total", cart.total);
        work();
    });
}

pub(crate) fn full() {
    let cart = cart();
    tracing::with_span("checkout", |span| {
        span.set_attribute("http.request.method", "GET");
        span.set_attribute("cart.id", cart.id);
        span.set_attribute("cart.items", cart.items);
        span.set_attribute("cart.total", cart.total);
        span.add_event("paid", &[]);
        work();
    });
}

fn children(count: i64) {
    tracing::with_span("checkout", |_| {
        items(count).for_each(|item| {
            tracing::with_span("reserve_stock", |span| {
                span.set_attribute("warehouse.name", "east");
                span.set_attribute("cart.item", item);
                work();
            });
        });
    });
}

fn poll(times: u32) {
    block_on(tracing::with_span_async("checkout", Pending(times)));
}

fn traced_fn() {
    tracing::with_span("checkout", |_| {
        items(10).for_each(|item| {
            std::hint::black_box(traced_price(item));
        });
    });
}

#[tracing::traced]
fn traced_price(item: i64) -> i64 {
    price(item)
}

fn current_attribute() {
    tracing::with_span("checkout", |_| {
        for key in KEYS {
            tracing::set_attribute(key, std::hint::black_box(3));
        }
        work();
    });
}

fn propagate(incoming: &Headers, outgoing: &mut Headers) {
    let context = tracing::extract(incoming);
    context.within(|| {
        tracing::inject(outgoing);
        work();
    });
}

/// Tokens are priced, added up, counted for metrics and held against budgets, too.
fn llm_call() {
    let llm = llm();
    let call = ai::llm_call(llm.provider, llm.model).temperature(0.5).top_p(0.9).max_tokens(150).seed(7);
    call.stream(false).server(llm.server, 443).run(|call| {
        let usage = ai::Usage::new(llm.input, llm.output);
        call.set_usage(usage.with_cache_read(llm.cached).with_reasoning(llm.reasoning));
        call.set_response_model(llm.answered);
        call.set_response_id(llm.id);
        call.set_finish_reasons([llm.reason]);
        work();
    });
}

impl Carrier for Headers {
    fn for_each_value(&self, name: &str, each: &mut dyn FnMut(&str)) {
        if let Some(value) = self.value(name) {
            each(value);
        }
    }
}

impl CarrierMut for Headers {
    fn set(&mut self, name: &'static str, value: &str) {
        self.copy(name, value);
    }
}

/// What is installed, and how many spans came out at the other end.
struct Installed {
    _guard: Guard,
    side: Side,
}

static DELIVERED: AtomicU64 = AtomicU64::new(0);

/// Spans that [`Discard`] was given.
pub(super) fn delivered() -> u64 {
    DELIVERED.load(Ordering::SeqCst)
}

impl Peer for Installed {
    fn flush(&self) {
        // What was lost shows in what was delivered.
        let _ = tracing::flush(Duration::from_secs(30));
    }

    fn delivered(&self) -> Option<u64> {
        match self.side {
            Side::Linked => Some(delivered()),
            Side::Loaded => Some(tracing::stats().exported()),
            Side::Live | Side::Noop => None,
        }
    }
}

/// Counts the spans and lets them go.
pub(super) struct Discard;

impl SpanExporter for Discard {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        DELIVERED.fetch_add(batch.span_count() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// The least that a live provider can do: what is measured is the facade.
struct Count;

impl TracingProvider for Count {
    fn start_span(&self, _: &SpanStart<'_>) -> SpanState {
        SpanState::token(1)
    }

    fn end_span(&self, _: SpanState, _: Timestamp) {}

    fn set_span_status(&self, _: &mut SpanState, _: Status<'_>) {}

    fn set_span_name(&self, _: &mut SpanState, _: &str) {}

    fn add_span_attributes(&self, _: &mut SpanState, _: &[Attribute<'_>]) {}

    fn add_span_event(&self, _: &mut SpanState, _: &Event<'_>) {}

    fn add_span_link(&self, _: &mut SpanState, _: &Link<'_>) {}

    fn force_flush(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }

    fn shutdown(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }
}
