use std::fmt::Display;

use crate::builder::{start_any, start_named};
use crate::chain::{self, Live};
use crate::global;
use crate::operations::PANICKED;
use crate::span::SpanRef;
use crate::tracer::Core;

/// Calls `f` within a new span and ends it. If `f` panics, the status becomes an error.
///
/// ```
/// use spandrel as tracing;
///
/// let total = tracing::with_span("checkout", |span| {
///     span.set_attribute("cart.items", 3);
///     12.5 * 3.0
/// });
/// # assert_eq!(total, 37.5);
/// ```
///
/// The span cannot be written to from elsewhere: neither after the closure
///
/// ```compile_fail
/// let escaped = spandrel::with_span("outer", |span| span);
/// escaped.set_attribute("a", 1);
/// ```
///
/// nor from another thread.
///
/// ```compile_fail,E0277
/// spandrel::with_span("outer", |span| {
///     std::thread::scope(|scope| {
///         scope.spawn(|| span.set_attribute("a", 1));
///     });
/// });
/// ```
#[inline]
pub fn with_span<R>(name: &str, f: impl FnOnce(SpanRef<'_>) -> R) -> R {
    let key = match global::active() {
        Some(tracer) => start_and_enter(tracer, name),
        None => 0,
    };
    run_in(key, f)
}

/// As [`with_span`]; an `Err` becomes an error status and an `exception` event.
///
/// # Errors
///
/// Those of `f`.
///
/// ```
/// use spandrel as tracing;
///
/// let port = tracing::try_with_span("parse", |_| "80a".parse::<u16>());
/// assert!(port.is_err());
/// ```
#[inline]
pub fn try_with_span<T, E: Display>(name: &str, f: impl FnOnce(SpanRef<'_>) -> Result<T, E>) -> Result<T, E> {
    try_run(start_named(name), f)
}

/// Out of line: callers have but one call for it.
#[inline(never)]
pub(crate) fn start_and_enter(tracer: &'static Core, name: &str) -> u64 {
    match chain::start_usual(tracer, name) {
        Some(live) => chain::enter_usual(live),
        // What is passed on stays as it is: there is nothing to enter.
        None if tracer.only_forwards && !chain::has_span() => 0,
        None => start_and_enter_any(tracer, name),
    }
}

#[cold]
fn start_and_enter_any(tracer: &'static Core, name: &str) -> u64 {
    start_any(tracer, name).map_or(0, chain::enter)
}

#[inline]
pub(crate) fn run<R>(live: Option<Box<Live>>, f: impl FnOnce(SpanRef<'_>) -> R) -> R {
    run_in(live.map_or(0, chain::enter), f)
}

#[inline]
fn run_in<R>(key: u64, f: impl FnOnce(SpanRef<'_>) -> R) -> R {
    let mut scope = Scope { key, completed: false };
    let result = f(SpanRef::of(key));
    scope.completed = true;
    result
}

pub(crate) fn try_run<T, E: Display>(
    live: Option<Box<Live>>,
    f: impl FnOnce(SpanRef<'_>) -> Result<T, E>,
) -> Result<T, E> {
    run(live, |span| {
        let result = f(span);
        if let Err(error) = &result {
            span.record_error(error);
        }
        result
    })
}

/// Leaves and ends the span, also by a panic.
struct Scope {
    /// 0 if nothing was entered.
    key: u64,
    completed: bool,
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        if self.key != 0 {
            leave_and_end(self.key, self.completed);
        }
    }
}

/// Out of line, as the start is.
#[inline(never)]
pub(crate) fn leave_and_end(key: u64, completed: bool) {
    if completed && chain::end_usual(key) {
        return;
    }
    leave_and_end_any(key, completed);
}

#[cold]
fn leave_and_end_any(key: u64, completed: bool) {
    if let Some(mut live) = chain::leave_scope(key) {
        if !completed {
            live.set_status(PANICKED);
        }
        chain::end(live, None);
    }
}
