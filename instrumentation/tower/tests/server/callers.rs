//! The trace that comes in, and what is passed on.

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::get;
use spandrel::{Baggage, Context, InSpanExt, Sampler, Trust, assert_trace, with_span};
use spandrel_api_client::ApiClient;
use spandrel_tower::TraceLayer;

use crate::{client, serve, traced};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const INCOMING: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What of a request is passed on to the next service.
const HEADERS: [&str; 3] = ["traceparent", "tracestate", "baggage"];

/// A server that says which headers it got.
async fn mirror() -> ApiClient {
    let say = async |headers: HeaderMap| HEADERS.map(|name| format!("{:?}", headers.get(name))).join(" ");
    client(serve(Router::new().route("/", get(say))).await).build().unwrap()
}

/// Sends a request with a context to a server that asks the next one.
async fn passed_on(layer: TraceLayer) -> String {
    let ask = async |State(next): State<ApiClient>| next.get("/").send().await.unwrap().text().await.unwrap();
    let routes = Router::new().route("/", get(ask)).with_state(mirror().await).layer(layer);
    let request = client(serve(routes).await).tracing(false).build().unwrap().get("/");
    let request = request.header("traceparent", INCOMING).header("tracestate", "foo=1").header("baggage", "a=1");
    request.send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn the_trace_of_the_caller_goes_on() {
    let (trace, passed) = traced(passed_on(TraceLayer::new())).await;

    assert_trace!(trace, "GET /" { "GET" {} });
    let server = trace.span("GET /");
    assert_eq!(server.trace_id.to_string(), TRACE_ID);
    assert_eq!(server.parent_span_id.unwrap().to_string(), "00f067aa0ba902b7");
    let client = trace.span("GET");
    let expected = format!("Some(\"00-{TRACE_ID}-{}-01\") Some(\"foo=1\") Some(\"a=1\")", client.span_id);
    assert_eq!(passed, expected);
}

#[tokio::test]
async fn the_trace_of_a_stranger_is_linked_or_ignored() {
    for (trust, links) in [(Trust::Link, 1), (Trust::Ignore, 0)] {
        let (trace, passed) = traced(passed_on(TraceLayer::new().trust(trust))).await;

        let server = trace.span("GET /");
        assert_ne!(server.trace_id.to_string(), TRACE_ID);
        assert_eq!(server.parent_span_id, None);
        assert_eq!(server.links.len(), links, "{trust:?}");
        assert!(server.links.iter().all(|link| link.trace_id.to_string() == TRACE_ID));
        let expected = format!("Some(\"00-{}-{}-03\") None None", server.trace_id, trace.span("GET").span_id);
        assert_eq!(passed, expected);
    }
}

#[tokio::test]
async fn where_nothing_is_recorded_the_context_of_the_caller_is_passed_on() {
    let noop = spandrel::builder().build().unwrap();
    let passed = passed_on(TraceLayer::new()).in_context(noop.context()).await;

    assert_eq!(passed, format!("Some(\"{INCOMING}\") Some(\"foo=1\") Some(\"a=1\")"));
}

#[tokio::test]
async fn where_nothing_is_recorded_baggage_is_passed_on_without_a_trace() {
    let noop = spandrel::builder().build().unwrap();
    let passed = async {
        let ask = async |State(next): State<ApiClient>| next.get("/").send().await.unwrap().text().await.unwrap();
        let routes = Router::new().route("/", get(ask)).with_state(mirror().await).layer(TraceLayer::new());
        let request = client(serve(routes).await).tracing(false).build().unwrap().get("/");
        request.header("baggage", "a=1").send().await.unwrap().text().await.unwrap()
    };
    let passed = passed.in_context(noop.context()).await;

    assert_eq!(passed, "None None Some(\"a=1\")");
}

#[tokio::test]
async fn where_tracing_is_off_the_layer_does_nothing() {
    // Nothing is installed here.
    assert!(!spandrel::is_enabled());
    let current = async || {
        assert!(spandrel::current().is_none());
        with_span("work", |span| assert!(!span.is_recording()));
        format!("{:?}", Context::current().baggage() == Baggage::default())
    };
    let layer = TraceLayer::new().trace_id_header("x-trace-id");
    let routes = Router::new().route("/", get(current)).layer(layer);
    let request = client(serve(routes).await).build().unwrap().get("/");
    let response = request.header("traceparent", INCOMING).header("baggage", "a=1").send().await.unwrap();

    assert!(!response.headers().contains_key("x-trace-id"));
    assert_eq!(response.text().await.unwrap(), "true");
}

#[tokio::test]
async fn a_trace_that_is_not_sampled_goes_on_unrecorded() {
    let tracer = spandrel::builder().provider_type("memory").sampler(Sampler::always_off()).build().unwrap();
    let passed = passed_on(TraceLayer::new()).in_context(tracer.context()).await;

    let (traceparent, rest) = passed.split_once(' ').unwrap();
    assert!(traceparent.starts_with(&format!("Some(\"00-{TRACE_ID}-")) && traceparent.ends_with("-00\")"), "{passed}");
    assert!(!traceparent.contains("00f067aa0ba902b7"), "{passed}");
    assert_eq!(rest, "Some(\"foo=1\") Some(\"a=1\")");
    assert_eq!(tracer.stats().recorded, 0);
}
