//! The spans that this thread is in while another one owns them.

use std::cell::{Cell, RefCell};

use spandrel::{Context, ContextGuard};
use tracing_core::span::Id;

thread_local! {
    /// How many there are, without a destructor to be looked after.
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static GUESTS: RefCell<Vec<Guest>> = const { RefCell::new(Vec::new()) };
}

struct Guest {
    spans: u64,
    id: Id,
    depth: u32,
    _guard: ContextGuard,
}

pub(crate) fn enter(spans: u64, id: &Id, context: &Context) {
    let _ = GUESTS.try_with(|guests| {
        let mut guests = guests.borrow_mut();
        match guests.iter_mut().find(|guest| guest.spans == spans && guest.id == *id) {
            Some(guest) => guest.depth += 1,
            None => guests.push(Guest { spans, id: id.clone(), depth: 1, _guard: context.attach() }),
        }
        COUNT.set(guests.len());
    });
}

pub(crate) fn exit(spans: u64, id: &Id) {
    let _ = GUESTS.try_with(|guests| {
        let mut guests = guests.borrow_mut();
        let Some(at) = guests.iter().rposition(|guest| guest.spans == spans && guest.id == *id) else { return };
        guests[at].depth -= 1;
        if guests[at].depth == 0 {
            guests.remove(at);
        }
        COUNT.set(guests.len());
    });
}

#[inline]
pub(crate) fn is_any() -> bool {
    COUNT.get() > 0
}
