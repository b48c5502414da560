//! The workloads with the macros of tracing, for whoever listens to them: the registry of
//! tracing-subscriber with a static level filter at INFO, as a service has it, alone or
//! with our layer. `tracing_otel.rs` has the others.

use std::hint::black_box;
use std::time::Duration;

use ::tracing::{Instrument, Span, info, info_span, instrument};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::spandrel::{Discard, delivered};
use crate::Failure;
use crate::cell::{Cell, Nothing, Peer};
use crate::workloads::{Pending, Workload, block_on, cart, items, price, work};

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::Root,
    Workload::Full,
    Workload::Children10,
    Workload::Children100,
    Workload::Full2Threads,
    Workload::Poll1,
    Workload::Poll10,
    Workload::TracedFn,
];

/// The registry alone: what every layer has to pay.
pub(super) fn run_registry(cell: &mut Cell) -> Result<(), Failure> {
    let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO);
    ::tracing::subscriber::set_global_default(subscriber)?;
    measure(cell, &Nothing);
    Ok(())
}

/// With `spandrel_tracing::layer()`, over a recorder whose exporter discards.
pub(super) fn run_bridge(cell: &mut Cell) -> Result<(), Failure> {
    let _guard = ::spandrel::builder().service("bench").exporter("discard", || Discard).install()?;
    let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(::spandrel_tracing::layer());
    ::tracing::subscriber::set_global_default(subscriber)?;
    measure(cell, &Bridge);
    Ok(())
}

/// Measures one of [`WORKLOADS`], or one in which nothing is recorded.
pub(super) fn measure(cell: &mut Cell, peer: &impl Peer) {
    match cell.workload() {
        Workload::SampledOutAttrs => cell.measure(peer, attributes),
        Workload::Full => cell.measure(peer, full),
        Workload::Full2Threads => cell.measure_on_two_threads(peer, full),
        Workload::Children10 => cell.measure(peer, || children(10)),
        Workload::Children100 => cell.measure(peer, || children(100)),
        Workload::Poll1 => cell.measure(peer, || poll(1)),
        Workload::Poll10 => cell.measure(peer, || poll(10)),
        Workload::TracedFn => cell.measure(peer, traced_fn),
        _ => cell.measure(peer, root),
    }
}

fn root() {
    info_span!("checkout").in_scope(work);
}

fn span() -> Span {
    let cart = cart();
    info_span!(
        "checkout",
        http.request.method = "GET",
        cart.id = cart.id,
        cart.items = cart.items,
        cart.total = cart.total
    )
}

fn attributes() {
    span().in_scope(work);
}

pub(super) fn full() {
    span().in_scope(|| {
        info!("paid");
        work();
    });
}

fn children(count: i64) {
    info_span!("checkout").in_scope(|| {
        items(count).for_each(|item| {
            info_span!("reserve_stock", warehouse.name = "east", cart.item = item).in_scope(work);
        });
    });
}

fn poll(times: u32) {
    block_on(Pending(times).instrument(info_span!("checkout")));
}

fn traced_fn() {
    info_span!("checkout").in_scope(|| {
        items(10).for_each(|item| {
            black_box(traced_price(item));
        });
    });
}

#[instrument(skip_all)]
fn traced_price(item: i64) -> i64 {
    price(item)
}

struct Bridge;

impl Peer for Bridge {
    fn flush(&self) {
        ::spandrel::flush(Duration::from_secs(60)).expect("the exporter discards");
    }

    fn delivered(&self) -> Option<u64> {
        Some(delivered())
    }
}
