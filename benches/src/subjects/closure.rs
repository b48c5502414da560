//! What is traced, without tracing.

use std::hint::black_box;

use crate::Failure;
use crate::cell::{Cell, Nothing};
use crate::workloads::{Pending, Workload, block_on, cart, items, price, work};

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::Off,
    Workload::OffAttrs,
    Workload::Root,
    Workload::Full,
    Workload::Children10,
    Workload::Children100,
    Workload::Full2Threads,
    Workload::Poll1,
    Workload::Poll10,
    Workload::TracedFn,
];

pub(super) fn run(cell: &mut Cell) -> Result<(), Failure> {
    match cell.workload() {
        Workload::OffAttrs | Workload::Full => cell.measure(&Nothing, full),
        Workload::Full2Threads => cell.measure_on_two_threads(&Nothing, full),
        Workload::Children10 => cell.measure(&Nothing, || children(10)),
        Workload::Children100 => cell.measure(&Nothing, || children(100)),
        Workload::Poll1 => cell.measure(&Nothing, || block_on(Pending(1))),
        Workload::Poll10 => cell.measure(&Nothing, || block_on(Pending(10))),
        Workload::TracedFn => cell.measure(&Nothing, || {
            items(10).for_each(|item| {
                black_box(price(item));
            });
        }),
        _ => cell.measure(&Nothing, work),
    }
    Ok(())
}

fn full() {
    cart();
    work();
}

fn children(count: i64) {
    items(count).for_each(|item| {
        black_box(item);
        work();
    });
}
