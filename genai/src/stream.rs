use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use spandrel::bridge;

use crate::record::Record;
use crate::running::Running;

pin_project_lite::pin_project! {
    /// A stream within an operation, which ends with it; see [`Running::stream`].
    #[must_use = "streams do nothing unless they are polled"]
    pub struct OperationStream<S, F> {
        // `None` once it has ended.
        #[pin]
        inner: Option<S>,
        running: Option<Running>,
        on_result: F,
    }

    impl<S, F> PinnedDrop for OperationStream<S, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(running) = this.running.as_mut() {
                running.set_stream_outcome(DROPPED);
                let mut entered = Entered::enter(running);
                entered.running.within_ambient(|| this.inner.set(None));
                entered.leave();
            }
        }
    }
}

/// It went to its end.
pub(crate) const COMPLETED: &str = "completed";
/// Whoever read it had enough, or gave up.
const DROPPED: &str = "dropped";
/// An item was an error.
const FAILED: &str = "failed";

impl Running {
    /// A stream that is polled within the operation, and ends it: at its end, at its first error,
    /// or when it is dropped. What is known by then is kept; `spandrel.stream.outcome` says which it was.
    ///
    /// `on_item` is called with each item that is no error, to note what is in it. The times to the
    /// first one and between them are measured here.
    ///
    /// ```
    /// # use futures_util::{StreamExt, stream};
    /// use spandrel_genai as ai;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let pieces = stream::iter(["Hel", "lo"].map(Ok::<_, String>));
    /// let running = ai::llm_call("openai", "gpt-4o").stream(true).start();
    /// let mut text = String::new();
    /// let mut pieces = running.stream(pieces, |call, piece| {
    ///     text.push_str(piece);
    ///     call.set_output(|| &text);
    /// });
    /// while let Some(piece) = pieces.next().await {
    ///     print!("{}", piece.unwrap());
    /// }
    /// # }
    /// ```
    pub fn stream<S, T, E, F>(
        self,
        stream: S,
        mut on_item: F,
    ) -> OperationStream<S, impl FnMut(&mut Record, Result<&T, &E>)>
    where
        S: Stream<Item = Result<T, E>>,
        E: Display,
        F: FnMut(&mut Record, &T),
    {
        self.stream_results(stream, move |record: &mut Record, item: Result<&T, &E>| {
            if let Ok(item) = item {
                on_item(record, item);
            }
        })
    }

    /// As [`stream`](Self::stream); `on_result` is called with the error, too, to say what kind of one it is.
    pub fn stream_results<S, T, E, F>(self, stream: S, on_result: F) -> OperationStream<S, F>
    where
        S: Stream<Item = Result<T, E>>,
        E: Display,
        F: FnMut(&mut Record, Result<&T, &E>),
    {
        OperationStream { inner: Some(stream), running: Some(self), on_result }
    }
}

impl<S, T, E, F> Stream for OperationStream<S, F>
where
    S: Stream<Item = Result<T, E>>,
    E: Display,
    F: FnMut(&mut Record, Result<&T, &E>),
{
    type Item = Result<T, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        let (Some(inner), Some(running)) = (this.inner.as_mut().as_pin_mut(), this.running.as_mut()) else {
            return Poll::Ready(None);
        };
        let mut entered = Entered::enter(running);
        let polled = entered.running.within_ambient(|| inner.poll_next(cx));
        let outcome = match &polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(item))) => {
                entered.running.within_chunk(|record| (this.on_result)(record, Ok(item)));
                return polled;
            }
            Poll::Ready(Some(Err(error))) => {
                (this.on_result)(entered.running, Err(error));
                entered.running.set_error_of(error);
                FAILED
            }
            Poll::Ready(None) => COMPLETED,
        };
        this.inner.set(None);
        entered.leave();
        drop(entered);
        if let Some(mut running) = this.running.take() {
            running.set_stream_outcome(outcome);
            running.end();
        }
        polled
    }
}

/// Within the span of an operation, also if what is called panics.
struct Entered<'a> {
    running: &'a mut Running,
}

impl<'a> Entered<'a> {
    fn enter(running: &'a mut Running) -> Self {
        bridge::enter(running.span());
        Self { running }
    }

    fn leave(&mut self) {
        bridge::leave(self.running.span());
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.leave();
        if std::thread::panicking() {
            self.running.set_panicked();
        }
    }
}
