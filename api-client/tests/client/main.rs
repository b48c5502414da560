//! The client against a server on the loopback interface.

mod attempts;
mod server;
mod spans;

use spandrel::testing::{Trace, capture_async};
use spandrel::with_span_async;
use spandrel_api_client::{ApiClient, ApiClientBuilder, reqwest};

use server::Server;

fn client(server: &Server) -> ApiClientBuilder {
    ApiClient::builder().reqwest(direct()).base_url(&server.url)
}

/// Past a proxy that the environment may name.
fn direct() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy()
}

/// The trace of one traced operation, and what it gave back.
async fn traced<T>(future: impl Future<Output = T>) -> (Trace, T) {
    let mut result = None;
    let trace = capture_async(async { result = Some(with_span_async("call", future).await) }).await;
    (trace, result.unwrap())
}

/// Every attempt arrived with the ids of its own span.
fn assert_propagated(trace: &Trace, server: &Server) {
    let sent: Vec<String> = trace
        .children(trace.span("call"))
        .iter()
        .map(|span| format!("00-{}-{}-03", span.trace_id, span.span_id))
        .collect();
    assert_eq!(server.received("traceparent"), sent.into_iter().map(Some).collect::<Vec<_>>());
}
