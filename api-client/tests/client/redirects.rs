//! Redirects: each hop is an attempt.

use spandrel::assert_trace;
use spandrel_api_client::{ClientErrorKind, StatusCode};

use crate::server::{Server, answer};
use crate::{assert_propagated, attempts, client, quick, traced};

#[tokio::test]
async fn each_hop_is_a_span_with_its_own_trace_headers() {
    let server = Server::answering(|_, uri| match uri.path() {
        "/old" => answer(302, ("location", "/new?sig=hush"), ""),
        _ => answer(200, ("x", ""), "here"),
    })
    .await;
    let client = client(&server).build().unwrap();
    let request = client.post("/old").url_template("/old").json(&7);
    let (trace, text) = traced(async {
        let response = request.send().await.unwrap();
        assert_eq!((response.attempts(), response.url().path()), (2, "/new"));
        response.text().await.unwrap()
    })
    .await;

    assert_eq!(text, "here");
    assert_trace!(trace, "call" {
        "POST /old" (status: unset, "http.response.status_code" = 302) {}
        "GET" (
            status: unset,
            "http.request.resend_count" = 1,
            "url.full" = format!("{}/new?sig=REDACTED", server.url)
        ) {}
    });
    let event = format!("{:?}", trace.span("POST /old").event("http.redirect").unwrap());
    assert!(event.contains("/new?sig=REDACTED") && event.contains("302"), "{event}");
    assert_propagated(&trace, &server);
    assert_eq!(server.methods(), ["POST", "GET"]);
    assert_eq!(server.requests(|request| request.body.clone()), ["7", ""]);
    assert_eq!(server.received("content-type"), [Some("application/json".to_owned()), None]);
}

#[tokio::test]
async fn an_operation_is_a_span_around_all_hops() {
    let server = Server::answering(|number, _| match number {
        0 => answer(307, ("location", "/new"), ""),
        _ => answer(200, ("x", ""), "here"),
    })
    .await;
    let client = client(&server).build().unwrap();
    let request = client.put("/old").body("text").operation("store the order");
    let (trace, _) = traced(async { request.send().await.unwrap().bytes().await.unwrap() }).await;

    assert_trace!(trace, "call" {
        "store the order" (kind: internal, status: unset, "http.call.attempts" = 2) { "PUT" {} "PUT" {} }
    });
    assert!(trace.span("store the order").event("http.redirect").is_some());
    assert!(attempts(&trace).iter().all(|span| span.events.is_empty()));
    assert_eq!(server.requests(|request| request.body.clone()), ["text"; 2]);
}

#[tokio::test]
async fn another_host_gets_neither_credentials_nor_default_headers() {
    let other = Server::start(&[200]).await;
    let location = format!("http://them:hush@localhost:{}/x", other.port);
    let server = Server::answering(move |_, _| answer(307, ("location", &location), "")).await;
    let client = client(&server)
        .default_header("x-tenant", "hush")
        .default_header("user-agent", "orders/1")
        .default_header("cookie", "hush")
        .propagate_to(&["127.0.0.1"])
        .build()
        .unwrap();
    let request = client.get(&server.url.replace("http://", "http://me:hush@")).header("x-plain", "seen");
    let (trace, response) = traced(async { request.send().await.unwrap() }).await;

    assert_eq!(response.status(), StatusCode::OK);
    drop(response);
    let names = ["authorization", "cookie", "x-tenant", "traceparent", "user-agent", "x-plain"];
    let got = |server: &Server| names.map(|name| server.received(name)[0].is_some());
    assert_eq!(got(&server), [true; 6]);
    assert_eq!(got(&other), [false, false, false, false, true, true]);
    assert_eq!(other.received("referer"), [None]);
    assert_eq!(other.received("host"), [Some(format!("localhost:{}", other.port))]);
    let shown = format!("{:?}", trace.spans());
    assert!(!shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn too_many_are_an_error_that_says_where_it_was() {
    let server = Server::answering(|number, _| answer(302, ("location", &format!("/{number}?sig=hush")), "")).await;
    let client = client(&server).redirects(2).retry(quick(3)).build().unwrap();
    let (trace, error) = traced(async { client.get("/x").send().await.unwrap_err() }).await;

    assert_eq!((error.kind(), error.attempts()), (ClientErrorKind::Redirect, 3));
    let expected = "GET URL/x redirected to URL/1?sig=REDACTED failed after 3 attempts: more than 2 redirects";
    assert_eq!(error.to_string(), expected.replace("URL", &server.url));
    assert_trace!(trace, "call" {
        "call GET" (status: error, "error.type" = "redirect", "http.call.attempts" = 3) {
            "GET" (status: unset) {}
            "GET" (status: unset) {}
            "GET" (status: error, "error.type" = "redirect", "http.response.status_code" = 302) {}
        }
    });
}

#[tokio::test]
async fn what_is_not_followed_is_a_response_or_an_error() {
    let server = Server::answering(|_, uri| match uri.path() {
        "/nowhere" => answer(302, ("x", ""), ""),
        "/file" => answer(302, ("location", "file:///etc/passwd"), ""),
        _ => answer(302, ("location", "/x"), ""),
    })
    .await;
    let follows = client(&server).build().unwrap();
    assert_eq!(follows.get("/nowhere").send().await.unwrap().status(), StatusCode::FOUND);
    let error = follows.get("/file").send().await.unwrap_err();
    let expected = "GET URL/file failed: redirect to `file:///etc/passwd`: only http and https are followed";
    let shown = error.to_string().replace(&server.url, "URL").replace("`/etc/passwd`", "`file:///etc/passwd`");
    assert_eq!((error.kind(), shown.as_str()), (ClientErrorKind::Redirect, expected));

    let stays = client(&server).redirects(0).build().unwrap();
    let (trace, status) = traced(async { stays.get("/x").send().await.unwrap().status() }).await;
    assert_eq!(status, StatusCode::FOUND);
    assert_trace!(trace, "call" { "GET" (status: unset, "http.response.status_code" = 302) {} });
}
