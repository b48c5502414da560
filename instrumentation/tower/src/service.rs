use std::fmt::Display;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use tower_service::Service;

use crate::body::TraceBody;
use crate::call::Call;
use crate::layer::Settings;
use crate::request::Head;

/// A service whose requests are spans; see [`TraceLayer`](crate::TraceLayer).
#[derive(Clone)]
pub struct TraceService<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> TraceService<S> {
    pub(crate) const fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }
}

impl<S, B, R> Service<Request<B>> for TraceService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Display,
    R: http_body::Body,
{
    type Response = Response<TraceBody<R>>;
    type Error = S::Error;
    type Future = TraceFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> TraceFuture<S::Future> {
        let head = Head::of(&request);
        if self.settings.skips(head.uri.path()) {
            return TraceFuture { future: Some(self.inner.call(request)), call: None };
        }
        let mut call = Call::start(&self.settings, &head);
        let future = call.within(|| self.inner.call(request));
        TraceFuture { future: Some(future), call: Some(call) }
    }
}

pin_project_lite::pin_project! {
    /// The response of a [`TraceService`] to come, polled within its span.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct TraceFuture<F> {
        // `None` once it is ready.
        #[pin]
        future: Option<F>,
        // `None` if the request is skipped, or the call went on to the body.
        call: Option<Call>,
    }

    impl<F> PinnedDrop for TraceFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // What a future does when it is dropped belongs to its span.
            if let Some(call) = this.call {
                call.within(|| this.future.set(None));
            }
        }
    }
}

impl<F, R, E> Future for TraceFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Display,
    R: http_body::Body,
{
    type Output = Result<Response<TraceBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let mut poll = || {
            let future = this.future.as_mut().as_pin_mut();
            let output = ready!(future.expect("a future must not be polled after it was ready").poll(cx));
            this.future.set(None);
            Poll::Ready(output)
        };
        let output = ready!(match this.call {
            Some(call) => call.within(poll),
            None => poll(),
        });
        let mut call = this.call.take();
        Poll::Ready(match output {
            Ok(mut response) => {
                if let Some(call) = &mut call {
                    call.answer(&mut response);
                }
                Ok(response.map(|body| TraceBody::new(body, call)))
            }
            Err(error) => {
                if let Some(call) = &mut call {
                    call.fail(&error);
                }
                Err(error)
            }
        })
    }
}

impl<S> std::fmt::Debug for TraceService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceService").finish_non_exhaustive()
    }
}

impl<F> std::fmt::Debug for TraceFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceFuture").finish_non_exhaustive()
    }
}
