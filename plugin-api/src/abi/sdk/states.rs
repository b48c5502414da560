//! Boxes for the states of spans, which the host knows by their addresses. Each
//! thread keeps a few that are empty, as getting one from there is quicker than
//! from the allocator.

use std::cell::RefCell;

use crate::SpanState;

/// So many are kept; more are rarely open on one thread.
const KEPT: usize = 16;

thread_local! {
    #[expect(clippy::vec_box, reason = "the boxes are what is kept")]
    static EMPTY: RefCell<Vec<Box<SpanState>>> = const { RefCell::new(Vec::new()) };
}

/// The state in a box.
#[inline]
pub(super) fn boxed(state: SpanState) -> Box<SpanState> {
    match EMPTY.try_with(|empty| empty.borrow_mut().pop()) {
        Ok(Some(mut kept)) => {
            *kept = state;
            kept
        }
        // None is kept, or the thread is ending.
        _ => Box::new(state),
    }
}

/// The state without its box.
#[inline]
pub(super) fn unboxed(mut boxed: Box<SpanState>) -> SpanState {
    let state = std::mem::take(&mut *boxed);
    let _ = EMPTY.try_with(|empty| {
        let mut boxes = empty.borrow_mut();
        if boxes.len() < KEPT {
            boxes.push(boxed);
        }
    });
    state
}
