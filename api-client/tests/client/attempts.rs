//! Retries, and requests without a response.

use std::time::{Duration, Instant};

use spandrel::{OwnedValue, assert_trace};
use spandrel_api_client::{ApiClient, ClientErrorKind, StatusCode};

use crate::server::{self, Server, answer};
use crate::{assert_propagated, attempts, client, client_of, direct, quick, traced};

#[tokio::test]
async fn each_retry_is_a_span_with_its_own_trace_headers_below_that_of_the_call() {
    let server = Server::start(&[503, 429, 200]).await;
    let client = client(&server).retry(quick(2)).attribute("peer.service", "orders").build().unwrap();
    let request = || client.put("/x/7").url_template("/x/{id}").json(&7);
    let (trace, text) = traced(async { request().send().await.unwrap().text().await.unwrap() }).await;

    assert_eq!(text, "[1,2]");
    assert_trace!(trace, "call" {
        "call PUT /x/{id}" (
            kind: internal,
            status: unset,
            "http.call.attempts" = 3,
            "http.request.method" = "PUT",
            "http.response.status_code" = 200,
            "url.template" = "/x/{id}",
            "peer.service" = "orders"
        ) {
            "PUT /x/{id}" (kind: client, status: error, "error.type" = "503") {}
            "PUT /x/{id}" (status: error, "http.request.resend_count" = 1, "http.response.status_code" = 429) {}
            "PUT /x/{id}" (status: unset, "http.request.resend_count" = 2, "peer.service" = "orders") {}
        }
    });
    assert!(attempts(&trace)[0].attribute("http.request.resend_count").is_none());
    let call = trace.span("call PUT /x/{id}");
    assert_eq!(call.scope_name, "spandrel-api-client");
    let retries: Vec<_> = call.events.iter().map(|event| (event.name.as_str(), &event.attributes)).collect();
    for ((name, attributes), (count, reason)) in retries.iter().zip([(1, "503"), (2, "429")]) {
        assert_eq!(*name, "http.retry");
        let value = |key| &attributes.iter().find(|a| a.key == key).unwrap().value;
        assert_eq!(value("http.request.resend_count"), &OwnedValue::I64(count));
        assert_eq!(value("http.retry.reason"), &OwnedValue::Str(reason.to_owned()));
        assert!(matches!(value("http.retry.delay"), OwnedValue::F64(seconds) if *seconds > 0.0));
    }
    assert_eq!(retries.len(), 2);
    assert_propagated(&trace, &server);
    assert_eq!(server.received("content-type"), vec![Some("application/json".to_owned()); 3]);
    assert_eq!(server.requests(|request| request.body.clone()), ["7"; 3]);
}

#[tokio::test]
async fn retries_end_with_the_last_response() {
    let server = Server::start(&[503]).await;
    let client = client(&server).retry(quick(1)).build().unwrap();
    let get = async { client.get("/x").send().await.unwrap().error_for_status().unwrap_err() };
    let (trace, error) = traced(get).await;

    assert_eq!(error.attempts(), 2);
    let expected = format!("GET {}/x failed after 2 attempts: status 503 Service Unavailable", server.url);
    assert_eq!(error.to_string(), expected);
    assert_trace!(trace, "call" {
        "call GET" (status: error, "error.type" = "503", "http.call.attempts" = 2) {
            "GET" (status: error) {}
            "GET" (status: error) {}
        }
    });
    assert!(trace.span("call GET").event("http.retry.given_up").is_some());
}

#[tokio::test]
async fn what_may_do_something_twice_is_not_repeated_unless_it_is_marked() {
    let server = Server::start(&[503]).await;
    let client = client(&server).retry(quick(2)).build().unwrap();
    let (trace, status) = traced(async { client.post("/x").send().await.unwrap().status() }).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_trace!(trace, "call" { "POST" (status: error) {} });

    let count = async |request: spandrel_api_client::Request| request.send().await.unwrap().attempts();
    assert_eq!(count(client.post("/x").idempotent(true)).await, 3);
    assert_eq!(count(client.patch("/x")).await, 1);
    assert_eq!(count(client.get("/x")).await, 3);
    assert_eq!(count(client.get("/x").idempotent(false)).await, 1);
    assert_eq!(count(client.get("/x").no_retry()).await, 1);
}

#[tokio::test]
async fn of_the_statuses_only_those_that_pass_are_retried() {
    for (status, expected) in
        [(200, 1), (400, 1), (404, 1), (408, 2), (429, 2), (500, 1), (501, 1), (502, 2), (503, 2), (504, 2)]
    {
        let server = Server::start(&[status]).await;
        let client = client(&server).retry(quick(1)).build().unwrap();
        assert_eq!(client.get("/x").send().await.unwrap().attempts(), expected, "{status}");
    }
}

#[tokio::test]
async fn which_statuses_pass_may_be_said_by_the_client_and_by_the_server() {
    for (status, said, expected) in [
        (500, None, 2),
        (529, None, 2),
        (502, None, 1),
        (529, Some("false"), 1),
        (429, Some("true"), 2),
        (400, Some("true"), 2),
        (400, Some("maybe"), 1),
        (200, Some("true"), 1),
    ] {
        let header = ("x-should-retry", said.unwrap_or_default());
        let server = Server::answering(move |_, _| answer(status, header, "")).await;
        let client = client(&server).retry(quick(1)).is_transient(|status| matches!(status.as_u16(), 500 | 529));
        let response = client.build().unwrap().get("/x").send().await.unwrap();
        assert_eq!(response.attempts(), expected, "{status} {said:?}");
        assert_eq!(response.should_retry(), said.and_then(|said| said.parse().ok()));
    }
}

#[tokio::test]
async fn a_wait_in_milliseconds_is_kept_to() {
    let server =
        Server::answering(|number, _| answer(if number == 0 { 503 } else { 200 }, ("retry-after-ms", "250"), "")).await;
    let client = client(&server).retry(quick(1)).build().unwrap();
    assert_eq!(client.get("/x").send().await.unwrap().retry_after(), Some(Duration::from_millis(250)));
    let at = server.requests(|request| request.at);
    assert!(at[1] - at[0] >= Duration::from_millis(250), "{:?}", at[1] - at[0]);
}

#[tokio::test]
async fn a_wait_beyond_all_patience_is_not_begun() {
    let server = Server::answering(|_, _| answer(429, ("retry-after", "3600"), "")).await;
    let client = client(&server).retry(quick(5).retry_after_limit(Duration::from_secs(60))).build().unwrap();
    let ask = async {
        let response = client.get("/x").send().await.unwrap();
        (response.attempts(), response.retry_after())
    };
    let (trace, asked) = traced(ask).await;

    assert_eq!(asked, (1, Some(Duration::from_secs(3600))));
    let given_up = trace.span("call GET").event("http.retry.given_up").unwrap();
    assert!(format!("{given_up:?}").contains("retry_after"), "{given_up:?}");
}

#[tokio::test]
async fn a_date_is_waited_for_up_to_the_cap() {
    let server = Server::answering(|number, _| {
        answer(if number == 0 { 503 } else { 200 }, ("retry-after", "Fri, 31 Dec 2100 23:59:59 GMT"), "")
    })
    .await;
    let retry = quick(1).retry_after_cap(Duration::from_millis(300));
    let client = client(&server).retry(retry).build().unwrap();
    assert_eq!(client.get("/x").send().await.unwrap().status(), StatusCode::OK);
    let at = server.requests(|request| request.at);
    assert!(at[1] - at[0] >= Duration::from_millis(300), "{:?}", at[1] - at[0]);
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    let server = Server::answering(|_, _| answer(503, ("retry-after", "3600"), "")).await;
    let hour = Duration::from_secs(3600);
    let client = client(&server).retry(quick(5).retry_after_cap(hour).deadline(hour)).build().unwrap();
    let (trace, response) = traced(async { client.get("/x").send().await.unwrap().attempts() }).await;

    assert_eq!(response, 1);
    let given_up = trace.span("call GET").event("http.retry.given_up").unwrap();
    assert!(format!("{given_up:?}").contains("deadline"), "{given_up:?}");
}

#[tokio::test]
async fn an_attempt_is_given_up_at_the_deadline() {
    let server = Server::start(&[503, Server::NO_ANSWER]).await;
    let client = client(&server).retry(quick(5).deadline(Duration::from_secs(3))).build().unwrap();
    let begun = Instant::now();
    let (trace, error) = traced(async { client.get("/x").send().await.unwrap_err() }).await;

    assert!(begun.elapsed() >= Duration::from_secs(3));
    assert_eq!((error.kind(), error.attempts()), (ClientErrorKind::Timeout, 2));
    let text = "GET URL/x failed after 2 attempts: the deadline for all attempts has passed";
    assert_eq!(error.to_string(), text.replace("URL", &server.url));
    assert_trace!(trace, "call" {
        "call GET" (status: error, "error.type" = "timeout") {
            "GET" (status: error, "error.type" = "503") {}
            "GET" (status: error, "error.type" = "timeout") {}
        }
    });
}

#[tokio::test]
async fn the_budget_is_shared_by_clones() {
    let server = Server::start(&[503]).await;
    let client = client(&server).retry(quick(2).budget(3, 0.0)).build().unwrap();
    let mut attempts = Vec::new();
    for _ in 0..3 {
        attempts.push(client.clone().get("/x").send().await.unwrap().attempts());
    }
    assert_eq!(attempts, [3, 2, 1]);
    let (trace, ()) = traced(async { drop(client.get("/x").send().await) }).await;
    let given_up = trace.span("call GET").event("http.retry.given_up").unwrap();
    assert!(format!("{given_up:?}").contains("budget"), "{given_up:?}");
}

#[tokio::test]
async fn a_body_that_is_a_stream_is_sent_once() {
    let server = Server::start(&[503]).await;
    let client = client(&server).retry(quick(3)).build().unwrap();
    // The only way to a stream without further features.
    let other = Server::start(&[200]).await;
    let stream = reqwest_body(&other.url).await;
    let (trace, response) = traced(async { client.put("/x").body(stream).send().await.unwrap() }).await;

    assert_eq!((response.attempts(), response.status()), (1, StatusCode::SERVICE_UNAVAILABLE));
    drop(response);
    assert_eq!(server.requests(|request| request.body.clone()), ["[1,2]"]);
    assert_eq!(trace.roots().len(), 1);
}

/// The body of a response, to be passed on as it comes.
async fn reqwest_body(url: &str) -> spandrel_api_client::reqwest::Body {
    direct().build().unwrap().get(url).send().await.unwrap().into()
}

#[tokio::test]
async fn a_refused_connection_is_an_exception_of_the_span() {
    let (_socket, url) = server::deserted();
    let client = client_of(&url).retry(quick(1)).build().unwrap();
    let (trace, error) = traced(async { client.get("/x").send().await.unwrap_err() }).await;

    assert_trace!(trace, "call" {
        "call GET" (status: error, "error.type" = "connect") {
            "GET" (status: error, "error.type" = "connect") {}
            "GET" (status: error, "error.type" = "connect", "http.request.resend_count" = 1) {}
        }
    });
    let exception = trace.span("GET").event("exception").unwrap();
    assert!(format!("{exception:?}").contains("efused"), "{exception:?}");
    assert!(format!("{exception:?}").contains("ClientError"), "{exception:?}");
    assert_eq!((error.kind(), error.attempts()), (ClientErrorKind::Connect, 2));
    let text = error.to_string();
    assert!(text.starts_with(&format!("GET {url}/x failed after 2 attempts: client error (Connect): ")), "{text}");
}

#[tokio::test]
async fn a_timeout_has_its_own_kind() {
    let server = Server::start(&[Server::NO_ANSWER]).await;
    let client = client(&server).build().unwrap();
    let request = client.get("/x").timeout(Duration::from_millis(20));
    let (trace, error) = traced(async { request.send().await.unwrap_err() }).await;

    assert_eq!(error.kind(), ClientErrorKind::Timeout);
    assert_trace!(trace, "call" { "GET" (status: error, "error.type" = "timeout") {} });
}

#[tokio::test]
async fn a_dropped_future_ends_its_spans_without_an_error() {
    let server = Server::start(&[Server::NO_ANSWER]).await;
    let client = client(&server).retry(quick(1)).build().unwrap();
    let (trace, _) = traced(tokio::time::timeout(Duration::from_millis(20), client.get("/x").send())).await;

    assert_trace!(trace, "call" { "call GET" (status: unset, "http.call.attempts" = 1) { "GET" (status: unset) {} } });
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

    let error = ApiClient::builder().capture_request_headers(&["a b"]).build().unwrap_err();
    let expected = "the API client cannot be built: captured header `a b`: invalid HTTP header name";
    assert_eq!(error.to_string(), expected);

    let headers = [("authorization".parse().unwrap(), "secret".parse().unwrap())];
    let http = direct().default_headers(headers.into_iter().collect());
    let error = ApiClient::builder().reqwest(http).build().unwrap_err();
    let expected = "the API client cannot be built: the default headers of the reqwest client hold credentials, which \
                    would go to other hosts with redirects: set them with `default_header`";
    assert_eq!(error.to_string(), expected);
}
