//! Retries, and requests without a response.

use std::time::Duration;

use spandrel::assert_trace;
use spandrel_api_client::{ApiClient, ClientErrorKind, StatusCode};

use crate::server::{self, Server};
use crate::{assert_propagated, client, direct, traced};

#[tokio::test]
async fn each_retry_is_a_span_with_its_own_trace_headers() {
    let server = Server::start(&[503, 503, 200]).await;
    let client = client(&server).retries(2).build().unwrap();
    let (trace, text) = traced(async { client.put("/x").json(&7).send().await.unwrap().text().await.unwrap() }).await;

    assert_eq!(text, "[1,2]");
    assert_trace!(trace, "call" {
        "PUT" (status: error, "error.type" = "503") {}
        "PUT" (status: error, "http.request.resend_count" = 1, "http.response.status_code" = 503) {}
        "PUT" (status: unset, "http.request.resend_count" = 2, "http.response.status_code" = 200) {}
    });
    let children = trace.children(trace.span("call"));
    assert!(children[0].attribute("http.request.resend_count").is_none());
    assert_propagated(&trace, &server);
    assert_eq!(server.received("content-type"), vec![Some("application/json".to_owned()); 3]);
}

#[tokio::test]
async fn retries_end_with_the_last_response() {
    let server = Server::start(&[503]).await;
    let client = client(&server).retries(1).build().unwrap();
    let error = client.get("/x").send().await.unwrap().error_for_status().unwrap_err();

    assert_eq!(error.attempts(), 2);
    let expected = format!("GET {}/x failed after 2 attempts: status 503 Service Unavailable", server.url);
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn what_may_do_something_twice_is_not_repeated() {
    let server = Server::start(&[503]).await;
    let client = client(&server).retries(5).build().unwrap();
    let (trace, status) = traced(async { client.post("/x").send().await.unwrap().status() }).await;

    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_trace!(trace, "call" { "POST" (status: error) {} });
}

#[tokio::test]
async fn a_refused_connection_is_an_exception_of_the_span() {
    let (_socket, url) = server::deserted();
    let client = ApiClient::builder().reqwest(direct()).base_url(&url).retries(1).build().unwrap();
    let (trace, error) = traced(async { client.get("/x").send().await.unwrap_err() }).await;

    assert_trace!(trace, "call" {
        "GET" (status: error, "error.type" = "connect") {}
        "GET" (status: error, "error.type" = "connect", "http.request.resend_count" = 1) {}
    });
    let exception = trace.span("GET").event("exception").unwrap();
    assert!(format!("{exception:?}").contains("efused"), "{exception:?}");
    assert_eq!((error.kind(), error.attempts()), (ClientErrorKind::Connect, 2));
    let text = error.to_string();
    assert!(text.starts_with(&format!("GET {url}/x failed after 2 attempts: client error (Connect): ")), "{text}");
}

#[tokio::test]
async fn a_timeout_has_its_own_kind() {
    let server = Server::start(&[Server::NO_ANSWER]).await;
    let client = client(&server).timeout(Duration::from_millis(20)).build().unwrap();
    let (trace, error) = traced(async { client.get("/x").send().await.unwrap_err() }).await;

    assert_eq!(error.kind(), ClientErrorKind::Timeout);
    assert_trace!(trace, "call" { "GET" (status: error, "error.type" = "timeout") {} });
}

#[tokio::test]
async fn a_dropped_future_ends_its_span_without_an_error() {
    let server = Server::start(&[Server::NO_ANSWER]).await;
    let client = client(&server).build().unwrap();
    let (trace, _) = traced(tokio::time::timeout(Duration::from_millis(20), client.get("/x").send())).await;

    assert_trace!(trace, "call" { "GET" (status: unset) {} });
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_the_reason() {
    let error = ApiClient::new().get("/orders/7?sig=secret").send().await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ClientErrorKind::Build, 0));
    assert_eq!(error.to_string(), "GET /orders/7 was not sent: relative URL without a base");

    let error = ApiClient::builder().base_url("orders:80").build().unwrap_err();
    let expected = "the API client cannot be built: base URL `orders:80`: it must begin with http:// or https://";
    assert_eq!(error.to_string(), expected);

    let error = ApiClient::builder().default_header("x-key", "secret\n").build().unwrap_err();
    let expected = "the API client cannot be built: default header `x-key`: failed to parse header value";
    assert_eq!(error.to_string(), expected);
}
