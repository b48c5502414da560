//! `log` with the max level off, which it is unless a logger says otherwise.

use crate::Failure;
use crate::cell::{Cell, Nothing};
use crate::workloads::{Workload, cart, work};

pub(super) const WORKLOADS: &[Workload] = &[Workload::Off, Workload::OffAttrs];

pub(super) fn run(cell: &mut Cell) -> Result<(), Failure> {
    match cell.workload() {
        Workload::OffAttrs => cell.measure(&Nothing, off_attrs),
        _ => cell.measure(&Nothing, off),
    }
    Ok(())
}

fn off() {
    log::info!("checkout");
    work();
}

fn off_attrs() {
    let cart = cart();
    log::info!("checkout method={} id={} items={} total={}", "GET", cart.id, cart.items, cart.total);
    work();
}
