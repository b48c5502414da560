use tokio::task::JoinHandle;

use crate::context::Context;
use crate::future::InSpanExt;

/// `tokio::spawn`, within the context of the caller.
///
/// # Panics
///
/// Outside of a tokio runtime, as `tokio::spawn` does.
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.in_context(Context::current()))
}

/// `tokio::task::spawn_blocking`, within the context of the caller.
///
/// # Panics
///
/// Outside of a tokio runtime, as `tokio::task::spawn_blocking` does.
pub fn spawn_blocking<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> JoinHandle<R> {
    let context = Context::current();
    tokio::task::spawn_blocking(move || context.within(f))
}
