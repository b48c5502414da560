use std::fmt::Display;

use crate::builder::start_named;
use crate::chain::{self, Live};
use crate::operations::PANICKED;
use crate::span::SpanRef;

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
    run(start_named(name), f)
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

#[inline]
pub(crate) fn run<R>(live: Option<Box<Live>>, f: impl FnOnce(SpanRef<'_>) -> R) -> R {
    let Some(key) = live.and_then(enter) else { return f(SpanRef::of(None)) };
    let mut scope = Scope { key, completed: false };
    let result = f(SpanRef::of(Some(key)));
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

/// While the thread is ending, a span cannot be entered; it ends at once then.
fn enter(live: Box<Live>) -> Option<u64> {
    chain::enter(live).map_err(|live| chain::end(live, None)).ok()
}

/// Leaves and ends the span, also by a panic.
struct Scope {
    key: u64,
    completed: bool,
}

impl Drop for Scope {
    #[inline]
    fn drop(&mut self) {
        if let Some(mut live) = chain::leave_scope(self.key) {
            if !self.completed {
                live.set_status(PANICKED);
            }
            chain::end(live, None);
        }
    }
}
