//! What is measured, with and without tracing.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{Empty, Full};
use metrics::{Counter, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use spandrel_tower::TraceLayer;
use tower_layer::Layer;
use tower_service::Service;

/// Gauges with the values they had, histograms with how much they got.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<String, Vec<f64>>>>);

struct Metric(String, Seen);

impl Metric {
    fn push(&self, value: impl FnOnce(f64) -> f64) {
        let mut seen = self.1.0.lock().unwrap();
        let values = seen.entry(self.0.clone()).or_default();
        values.push(value(values.last().copied().unwrap_or(0.0)));
    }
}

impl GaugeFn for Metric {
    fn increment(&self, value: f64) {
        self.push(|last| last + value);
    }

    fn decrement(&self, value: f64) {
        self.push(|last| last - value);
    }

    fn set(&self, _: f64) {
        panic!("it is counted up and down");
    }
}

impl HistogramFn for Metric {
    fn record(&self, value: f64) {
        assert!(value > 0.0 && value < 3600.0, "{value} seconds");
        self.push(|_| 1.0);
    }
}

impl Seen {
    fn metric(&self, key: &Key) -> Arc<Metric> {
        let mut labels: Vec<String> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        labels.sort();
        Arc::new(Metric(format!("{} {}", key.name(), labels.join(" ")), self.clone()))
    }
}

impl Recorder for Seen {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, unit: Option<Unit>, _: SharedString) {
        assert_eq!(unit, Some(Unit::Count));
    }

    fn describe_histogram(&self, _: KeyName, unit: Option<Unit>, _: SharedString) {
        assert_eq!(unit, Some(Unit::Seconds));
    }

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.metric(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.metric(key))
    }
}

/// A service that is one function, which never waits or never ends.
#[derive(Clone)]
struct Answer<B>(fn() -> Poll<Result<Response<B>, &'static str>>);

impl<B: 'static> Service<Request<()>> for Answer<B> {
    type Response = Response<B>;
    type Error = &'static str;
    type Future = std::future::PollFn<Box<dyn FnMut(&mut Context<'_>) -> Poll<Result<Response<B>, &'static str>>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let answer = self.0;
        std::future::poll_fn(Box::new(move |_| answer()))
    }
}

/// Sends a request, takes what is there of the response, and says what was measured.
fn measured<B: Body + Unpin + 'static>(
    path: &str,
    answer: fn() -> Poll<Result<Response<B>, &'static str>>,
) -> Vec<String>
where
    B::Error: std::fmt::Display,
{
    let seen = Seen::default();
    metrics::with_local_recorder(&seen, || {
        let cx = &mut Context::from_waker(Waker::noop());
        let mut service = TraceLayer::new().skip(["/health"]).layer(Answer(answer));
        let request = Request::builder().uri(path).body(()).unwrap();
        let mut future = pin!(Some(service.call(request)));
        if let Poll::Ready(Ok(response)) = future.as_mut().as_pin_mut().unwrap().poll(cx) {
            future.set(None);
            let mut body = response.into_body();
            while let Poll::Ready(Some(_)) = std::pin::Pin::new(&mut body).poll_frame(cx) {}
        }
        future.set(None);
    });
    let seen = seen.0.lock().unwrap();
    seen.iter().map(|(metric, values)| format!("{metric} {values:?}")).collect()
}

const ACTIVE: &str = "http.server.active_requests http.request.method=GET url.scheme=http [1.0, 0.0]";

fn duration(labels: &str) -> String {
    format!(
        "http.server.request.duration {labels}http.request.method=GET {{}}network.protocol.version=1.1 url.scheme=http [1.0]"
    )
}

#[test]
fn a_request_is_counted_while_it_runs_and_measured_at_its_end() {
    let ok = measured("/", || Poll::Ready(Ok(Response::new(Full::new(Bytes::from_static(b"body"))))));
    assert_eq!(ok, [ACTIVE.to_owned(), duration("").replace("{}", "http.response.status_code=200 ")]);
}

#[test]
fn errors_have_a_label() {
    let failed = measured("/", || {
        let mut response = Response::new(Empty::<Bytes>::new());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        Poll::Ready(Ok(response))
    });
    let expected = duration("error.type=502 ").replace("{}", "http.response.status_code=502 ");
    assert_eq!(failed, [ACTIVE.to_owned(), expected]);

    let gone = measured::<Empty<Bytes>>("/", || Poll::Ready(Err("gone")));
    assert_eq!(gone, [ACTIVE.to_owned(), duration("error.type=service ").replace("{}", "")]);
}

#[test]
fn what_is_dropped_runs_no_longer() {
    let future = measured::<Empty<Bytes>>("/", || Poll::Pending);
    assert_eq!(future, [ACTIVE.to_owned(), duration("").replace("{}", "")]);

    struct Silent;
    impl Body for Silent {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }
    let body = measured("/", || Poll::Ready(Ok(Response::new(Silent))));
    assert_eq!(body, [ACTIVE.to_owned(), duration("").replace("{}", "http.response.status_code=200 ")]);
}

#[test]
fn skipped_requests_are_not_measured() {
    assert!(measured("/health", || Poll::Ready(Ok(Response::new(Empty::<Bytes>::new())))).is_empty());
}
