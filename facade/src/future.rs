use std::fmt::Display;
use std::pin::Pin;
use std::task::{Poll, ready};

use crate::builder::start_named;
use crate::context::Context;
use crate::operations::PANICKED;
use crate::span::Span;

/// Runs a future within a new span, which ends with it. See [`InSpanExt::in_span`].
///
/// The span starts with this call, as a child of what is current here, not with
/// the first poll. In a task of its own, spawn it with `spandrel::spawn`, so that ambient
/// attributes and baggage follow.
///
/// ```
/// use spandrel as tracing;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let total = tracing::with_span_async("checkout", async {
///     tracing::set_attribute("cart.items", 3);
///     12.5
/// });
/// assert_eq!(total.await, 12.5);
/// # }
/// ```
pub fn with_span_async<F: Future>(name: &str, future: F) -> InSpan<F> {
    future.in_span(Span::of(start_named(name)))
}

/// As [`with_span_async`]; an `Err` becomes an error status and an `exception` event.
pub fn try_with_span_async<F, T, E>(name: &str, future: F) -> TryInSpan<F>
where
    F: Future<Output = Result<T, E>>,
    E: Display,
{
    future.try_in_span(Span::of(start_named(name)))
}

/// Futures within spans and contexts.
pub trait InSpanExt: Future + Sized {
    /// The future, polled within the span. The span ends when the future is ready
    /// or dropped, whichever comes first; a panic makes its status an error.
    fn in_span(self, span: Span) -> InSpan<Self> {
        InSpan { future: Some(self), span }
    }

    /// As [`in_span`](Self::in_span); an `Err` becomes an error status and an
    /// `exception` event.
    fn try_in_span<T, E>(self, span: Span) -> TryInSpan<Self>
    where
        Self: Future<Output = Result<T, E>>,
        E: Display,
    {
        TryInSpan { inner: self.in_span(span) }
    }

    /// As [`in_span`](Self::in_span), but the span is only lent: what is known
    /// after the future can still be written to it.
    fn in_span_mut(self, span: &mut Span) -> InSpanMut<'_, Self> {
        InSpanMut { future: Some(self), span }
    }

    /// The future, polled within a context: for work that goes on in another task.
    fn in_context(self, context: Context) -> InContext<Self> {
        InContext { future: Some(self), context }
    }
}

impl<F: Future> InSpanExt for F {}

pin_project_lite::pin_project! {
    /// A future within a span; see [`InSpanExt::in_span`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct InSpan<F> {
        // `None` once it is ready.
        #[pin]
        future: Option<F>,
        span: Span,
    }

    impl<F> PinnedDrop for InSpan<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            drop_within(this.span, || this.future.set(None));
        }
    }
}

pin_project_lite::pin_project! {
    /// A future within a span that is told of its errors; see [`InSpanExt::try_in_span`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct TryInSpan<F> {
        #[pin]
        inner: InSpan<F>,
    }
}

pin_project_lite::pin_project! {
    /// A future within a span that is lent; see [`InSpanExt::in_span_mut`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct InSpanMut<'a, F> {
        #[pin]
        future: Option<F>,
        span: &'a mut Span,
    }

    impl<F> PinnedDrop for InSpanMut<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            drop_within(this.span, || this.future.set(None));
        }
    }
}

pin_project_lite::pin_project! {
    /// A future within a context; see [`InSpanExt::in_context`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct InContext<F> {
        #[pin]
        future: Option<F>,
        context: Context,
    }

    impl<F> PinnedDrop for InContext<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                this.context.within(|| this.future.set(None));
            }
        }
    }
}

impl<F: Future> Future for InSpan<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let output = ready!(poll_within(this.future, this.span, cx));
        this.span.finish(None);
        Poll::Ready(output)
    }
}

impl<F, T, E> Future for TryInSpan<F>
where
    F: Future<Output = Result<T, E>>,
    E: Display,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Result<T, E>> {
        let this = self.project().inner.project();
        let output = ready!(poll_within(this.future, this.span, cx));
        if let Err(error) = &output {
            this.span.record_error(error);
        }
        this.span.finish(None);
        Poll::Ready(output)
    }
}

impl<F: Future> Future for InSpanMut<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        poll_within(this.future, this.span, cx)
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        this.context.within(|| {
            let output = ready!(this.future.as_mut().as_pin_mut().expect(POLLED_AGAIN).poll(cx));
            this.future.set(None);
            Poll::Ready(output)
        })
    }
}

const POLLED_AGAIN: &str = "a future must not be polled after it was ready";

/// Polls within the span; drops a future that is ready there as well.
#[inline]
fn poll_within<F: Future>(
    mut future: Pin<&mut Option<F>>,
    span: &mut Span,
    cx: &mut std::task::Context<'_>,
) -> Poll<F::Output> {
    span.move_in();
    let mut scope = PollScope { span, completed: false };
    let poll = future.as_mut().as_pin_mut().expect(POLLED_AGAIN).poll(cx);
    if poll.is_ready() {
        future.set(None);
    }
    scope.completed = true;
    poll
}

/// What a future does when it is dropped belongs to its span.
fn drop_within(span: &mut Span, drop_future: impl FnOnce()) {
    span.move_in();
    let mut scope = PollScope { span, completed: false };
    drop_future();
    scope.completed = true;
}

struct PollScope<'a> {
    span: &'a mut Span,
    completed: bool,
}

impl Drop for PollScope<'_> {
    #[inline]
    fn drop(&mut self) {
        self.span.move_out_of_scope();
        if !self.completed {
            self.span.set_status(PANICKED);
        }
    }
}
