use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};

use crate::call::Call;

pin_project_lite::pin_project! {
    /// A response body, polled within the span of its request, which ends with it.
    #[must_use = "bodies do nothing unless they are polled"]
    pub struct TraceBody<B> {
        #[pin]
        inner: B,
        // `None` once it has ended, or if the request is skipped.
        call: Option<Call>,
    }
}

impl<B: Body> TraceBody<B> {
    pub(crate) fn new(inner: B, call: Option<Call>) -> Self {
        // Nobody polls what is empty.
        if inner.is_end_stream() {
            if let Some(call) = call {
                call.complete();
            }
            return Self { inner, call: None };
        }
        Self { inner, call }
    }
}

impl<B> Body for TraceBody<B>
where
    B: Body,
    B::Error: Display,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(call) = this.call else { return this.inner.poll_frame(cx) };
        let frame = ready!(call.send(|| this.inner.as_mut().poll_frame(cx)));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    call.sent(data.remaining());
                }
                if let Some(trailers) = frame.trailers_ref() {
                    call.end_with(trailers);
                }
            }
            Some(Err(error)) => call.break_off(error),
            None => {}
        }
        // After the last frame servers need not ask for another one.
        let is_over = matches!(frame, None | Some(Err(_))) || this.inner.is_end_stream();
        if is_over && let Some(call) = this.call.take() {
            call.complete();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Default> Default for TraceBody<B> {
    fn default() -> Self {
        Self { inner: B::default(), call: None }
    }
}

impl<B> std::fmt::Debug for TraceBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceBody").finish_non_exhaustive()
    }
}
