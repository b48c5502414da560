//! Panics of foreign code end where it is called.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls `call`; `None` if it panics.
#[inline]
pub fn contained<R>(call: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(call)).map_err(discard).ok()
}

/// Drops the value that a panic carried, which may panic in turn.
#[cold]
pub fn discard(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(another);
    }
}
