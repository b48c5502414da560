//! tracing without a subscriber: off.

use ::tracing::info_span;

use crate::Failure;
use crate::cell::{Cell, Nothing};
use crate::workloads::{Workload, cart, work};

pub(super) const WORKLOADS: &[Workload] = &[Workload::Off, Workload::OffAttrs];

pub(super) fn run(cell: &mut Cell) -> Result<(), Failure> {
    match cell.workload() {
        Workload::Off => cell.measure(&Nothing, off),
        _ => cell.measure(&Nothing, off_attrs),
    }
    Ok(())
}

fn off() {
    info_span!("checkout").in_scope(work);
}

fn off_attrs() {
    let cart = cart();
    info_span!(
        "checkout",
        http.request.method = "GET",
        cart.id = cart.id,
        cart.items = cart.items,
        cart.total = cart.total
    )
    .in_scope(work);
}
