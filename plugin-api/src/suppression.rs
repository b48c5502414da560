//! Keeps tracing from tracing itself.
//!
//! While a thread is inside a provider, and always on a worker thread, tracing
//! calls of the facade do nothing: an HTTP client used by an exporter may be
//! traced itself, and would feed the exporter for ever.

use std::cell::Cell;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Suppresses tracing on this thread until it is dropped.
#[derive(Debug)]
#[must_use = "tracing is suppressed until the guard is dropped"]
pub struct SuppressionGuard {
    _not_send: std::marker::PhantomData<*const ()>,
}

/// Suppresses tracing on this thread.
#[inline]
pub fn enter() -> SuppressionGuard {
    // During the destruction of thread-locals the facade records without them.
    let _ = DEPTH.try_with(|depth| depth.set(depth.get() + 1));
    SuppressionGuard { _not_send: std::marker::PhantomData }
}

/// Takes one suppression back whose guard was forgotten.
#[inline]
pub fn leave() {
    let _ = DEPTH.try_with(|depth| depth.set(depth.get().saturating_sub(1)));
}

/// Whether tracing is suppressed on this thread.
#[must_use]
#[inline]
pub fn is_active() -> bool {
    DEPTH.try_with(|depth| depth.get() > 0).unwrap_or(false)
}

impl Drop for SuppressionGuard {
    #[inline]
    fn drop(&mut self) {
        leave();
    }
}
