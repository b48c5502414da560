//! The layer around plain services: gRPC, errors, what is dropped.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, Full};
use spandrel::testing::{capture, capture_async};
use spandrel::{assert_trace, with_span};
use spandrel_tower::{TraceLayer, TraceService};
use tower_layer::Layer;
use tower_service::Service;

/// A service that is one function.
#[derive(Clone)]
struct Answer<F>(F);

impl<F, O> Service<Request<()>> for Answer<F>
where
    F: FnMut(Request<()>) -> O,
    O: Future<Output = Result<O::Response, O::Error>> + Outcome,
{
    type Response = O::Response;
    type Error = O::Error;
    type Future = O;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), O::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> O {
        (self.0)(request)
    }
}

/// A future of a `Result`, its parts named.
trait Outcome {
    type Response;
    type Error;
}

impl<F: Future<Output = Result<T, E>>, T, E> Outcome for F {
    type Response = T;
    type Error = E;
}

fn traced<F>(answer: F) -> TraceService<Answer<F>> {
    TraceLayer::new().layer(Answer(answer))
}

/// Parts that are there at once; after them nothing, an error, or silence.
struct Parts {
    frames: Vec<Frame<Bytes>>,
    end: Poll<Option<&'static str>>,
}

impl Body for Parts {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        match self.frames.pop() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => self.end.map(|error| error.map(Err)),
        }
    }
}

fn grpc(path: &str) -> Request<()> {
    let request = Request::builder().method(Method::POST).version(Version::HTTP_2);
    let request = request.uri(format!("https://orders:8443{path}")).header("content-type", "application/grpc+proto");
    request.header("x-session-id", "s-1").body(()).unwrap()
}

fn status(code: &str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), code.parse().unwrap())])
}

#[tokio::test]
async fn grpc_is_named_by_its_method_and_has_the_status_of_the_trailers() {
    let trace = capture_async(async {
        let mut service = traced(async |_| {
            with_span("work", |_| ());
            let frames = vec![Frame::trailers(status("5")), Frame::data(Bytes::from_static(b"an order"))];
            Ok::<_, Infallible>(Response::new(Parts { frames, end: Poll::Ready(None) }))
        });
        let body = service.call(grpc("/shop.Orders/Place")).await.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.trailers(), Some(&status("5")));
        assert_eq!(body.to_bytes(), "an order");
    })
    .await;

    // That nothing was found is no error of the server.
    assert_trace!(trace, "shop.Orders/Place" (
        kind: server,
        status: unset,
        "rpc.system.name" = "grpc",
        "rpc.method" = "shop.Orders/Place",
        "rpc.response.status_code" = "NOT_FOUND",
        "server.address" = "orders",
        "server.port" = 8443,
        "network.protocol.version" = "2",
        "session.id" = "s-1"
    ) { "work" ("session.id" = "s-1") {} });
    let span = trace.span("shop.Orders/Place");
    for key in ["error.type", "http.request.method", "http.response.status_code", "rpc.method_original"] {
        assert!(span.attribute(key).is_none(), "{key}");
    }
}

#[tokio::test]
async fn codes_that_are_the_fault_of_the_server_are_errors() {
    for (code, name, is_error) in [
        ("0", "OK", false),
        ("1", "CANCELLED", false),
        ("2", "UNKNOWN", true),
        ("4", "DEADLINE_EXCEEDED", true),
        ("7", "PERMISSION_DENIED", false),
        ("13", "INTERNAL", true),
        ("14", "UNAVAILABLE", true),
        ("15", "DATA_LOSS", true),
        ("99", "UNKNOWN", true),
    ] {
        // In the headers, as where there is no body.
        let trace = capture_async(async {
            let mut service = traced(async |_| {
                let mut response = Response::new(Empty::<Bytes>::new());
                *response.headers_mut() = status(code);
                Ok::<_, Infallible>(response)
            });
            service.call(grpc("/shop.Orders/Place")).await.unwrap();
        })
        .await;

        let span = trace.span("shop.Orders/Place");
        assert_eq!(span.attribute("rpc.response.status_code"), Some(&name.into_value()));
        assert_eq!(span.attribute("error.type"), is_error.then(|| name.into_value()).as_ref(), "{code}");
        let status = if is_error { spandrel::StatusData::Error(String::new()) } else { spandrel::StatusData::Unset };
        assert_eq!(span.status, status, "{code}");
    }
}

trait IntoValue {
    fn into_value(self) -> spandrel::OwnedValue;
}

impl IntoValue for &str {
    fn into_value(self) -> spandrel::OwnedValue {
        spandrel::OwnedValue::Str(self.to_owned())
    }
}

#[tokio::test]
async fn a_method_that_is_not_implemented_does_not_become_a_name() {
    let trace = capture_async(async {
        let mut service = traced(async |_| {
            let mut response = Response::new(Empty::<Bytes>::new());
            *response.headers_mut() = status("12");
            Ok::<_, Infallible>(response)
        });
        service.call(grpc("/shop.Orders/Steal")).await.unwrap();
        service.call(grpc("/not a method".replace(' ', "%20").as_str())).await.unwrap();
    })
    .await;

    assert_trace!(trace,
        "grpc" (
            status: error, "error.type" = "UNIMPLEMENTED",
            "rpc.method" = "_OTHER", "rpc.method_original" = "shop.Orders/Steal"
        ) {}
        "grpc" ("rpc.method" = "_OTHER", "rpc.method_original" = "not%20a%20method") {}
    );
}

#[tokio::test]
async fn an_error_in_place_of_a_response_is_an_error() {
    let trace = capture_async(async {
        let mut service = traced(async |_| Err::<Response<Full<Bytes>>, _>("the upstream is gone"));
        assert_eq!(service.call(Request::new(())).await.unwrap_err(), "the upstream is gone");
    })
    .await;

    assert_trace!(trace, "GET" (status: error, "error.type" = "service", "url.path" = "/") {});
    let span = trace.span("GET");
    assert_eq!(span.events[0].name, "exception");
    assert!(span.attribute("spandrel.cancelled").is_none() && span.attribute("server.address").is_none());
}

#[tokio::test]
async fn an_error_within_the_body_is_an_error() {
    let trace = capture_async(async {
        let mut service = traced(async |_| {
            let frames = vec![Frame::data(Bytes::from_static(b"half"))];
            Ok::<_, Infallible>(Response::new(Parts { frames, end: Poll::Ready(Some("the disk is gone")) }))
        });
        let body = service.call(Request::new(())).await.unwrap().into_body();
        assert_eq!(body.collect().await.unwrap_err(), "the disk is gone");
    })
    .await;

    assert_trace!(trace, "GET" (status: error, "error.type" = "body", "http.response.status_code" = 200) {});
}

#[test]
fn what_is_dropped_is_cancelled_and_drops_within_the_span() {
    struct Leaves(&'static str);
    impl Drop for Leaves {
        fn drop(&mut self) {
            with_span(self.0, |_| ());
        }
    }

    let cx = &mut Context::from_waker(Waker::noop());
    let trace = capture(|| {
        let mut service = traced(async |_| {
            let _leaves = Leaves("dropped future");
            std::future::pending::<Result<Response<Parts>, Infallible>>().await
        });
        assert!(pin!(service.call(Request::new(()))).poll(cx).is_pending());

        let mut service =
            traced(async |_| Ok::<_, Infallible>(Response::new(Parts { frames: Vec::new(), end: Poll::Pending })));
        let request = || Request::builder().method(Method::PUT).body(()).unwrap();
        for polls in [0, 1] {
            let Poll::Ready(Ok(response)) = pin!(service.call(request())).poll(cx) else { panic!("not ready") };
            let mut body = pin!(response.into_body());
            assert!((0..polls).all(|_| body.as_mut().poll_frame(cx).is_pending()));
        }
        // Never even polled.
        drop(traced(async |_| Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))).call(Request::new(())));
    });

    assert_trace!(trace,
        "GET" (status: unset, "spandrel.cancelled" = true) { "dropped future" {} }
        "PUT" (status: unset) {}
        "PUT" (status: unset, "spandrel.cancelled" = true) {}
        "GET" ("spandrel.cancelled" = true) {}
    );
    // Nobody has asked for the body: that is how it is with HEAD.
    assert!(trace.span("PUT").attribute("spandrel.cancelled").is_none());
}

#[test]
fn a_panic_in_service_future_or_body_is_an_error() {
    struct Panics;
    impl Body for Panics {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            panic!("body")
        }
    }

    fn caught<R>(f: impl FnOnce() -> R) {
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err());
    }

    let trace = capture(|| {
        let cx = &mut Context::from_waker(Waker::noop());
        let answer = |request: Request<()>| {
            assert!(request.method() != Method::POST, "service");
            std::future::poll_fn(move |_| {
                assert!(request.method() != Method::PUT, "future");
                Poll::Ready(Ok::<_, Infallible>(Response::new(Panics)))
            })
        };
        let mut service = traced(answer);
        let mut call = |method| service.call(Request::builder().method(method).body(()).unwrap());
        caught(|| call(Method::POST));
        let mut future = pin!(call(Method::PUT));
        // It is dropped after the panic was caught.
        caught(|| future.as_mut().poll(cx));
        let Poll::Ready(Ok(response)) = pin!(call(Method::GET)).poll(cx) else { panic!("not ready") };
        let mut body = pin!(response.into_body());
        caught(|| body.as_mut().poll_frame(cx));
    });

    assert_trace!(trace,
        "POST" (status: error, "error.type" = "panic") {}
        "PUT" (status: error, "error.type" = "panic") {}
        "GET" (status: error, "error.type" = "panic", "http.response.status_code" = 200) {}
    );
    assert!(trace.spans().iter().all(|span| span.attribute("spandrel.cancelled").is_none()));
}
