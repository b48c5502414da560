//! The client against a server on the loopback interface.

mod attempts;
mod bodies;
#[cfg(feature = "metrics")]
mod metrics;
mod raw;
mod redirects;
mod server;
mod settings;
mod spans;
mod table;
mod times;

use std::time::Duration;

use spandrel::testing::{Trace, capture_async};
use spandrel::{SpanData, SpanKind, with_span_async};
use spandrel_api_client::{ApiClient, ApiClientBuilder, Retry, reqwest};

use server::Server;

fn client(server: &Server) -> ApiClientBuilder {
    client_of(&server.url)
}

fn client_of(url: &str) -> ApiClientBuilder {
    ApiClient::builder().reqwest(direct()).base_url(url)
}

/// Past a proxy that the environment may name.
fn direct() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy()
}

/// Retries that do not wait, unless they are asked to.
fn quick(retries: u32) -> Retry {
    Retry::new(retries).waits(Duration::from_millis(1), Duration::from_millis(1))
}

/// The trace of one traced operation, and what it gave back.
async fn traced<T>(future: impl Future<Output = T>) -> (Trace, T) {
    let mut result = None;
    let trace = capture_async(async { result = Some(with_span_async("call", future).await) }).await;
    (trace, result.unwrap())
}

/// The spans of the attempts, by their start.
fn attempts(trace: &Trace) -> Vec<&SpanData> {
    let mut spans: Vec<&SpanData> = trace.spans().iter().filter(|span| span.kind == SpanKind::Client).collect();
    spans.sort_by_key(|span| span.start);
    spans
}

/// Every attempt arrived with the ids of its own span.
fn assert_propagated(trace: &Trace, server: &Server) {
    let sent =
        attempts(trace).iter().map(|span| format!("00-{}-{}-03", span.trace_id, span.span_id)).collect::<Vec<_>>();
    assert_eq!(server.received("traceparent"), sent.into_iter().map(Some).collect::<Vec<_>>());
}
