//! What the builder of a client decides.

use spandrel::{OwnedValue, assert_trace};
use spandrel_api_client::{ApiClient, StatusCode, reqwest};

use crate::server::{Server, answer};
use crate::{attempts, client, client_of, traced};

#[tokio::test]
async fn trace_headers_go_to_the_listed_hosts_only() {
    let server = Server::start(&[200]).await;
    let named = server.url.replace("127.0.0.1", "localhost");
    for (hosts, expected) in [
        (&["127.0.0.1"][..], [true, false]),
        (&["LOCALHOST", "*.shop.internal"], [false, true]),
        (&["*.shop.internal"], [false, false]),
        (&[], [false, false]),
    ] {
        let client = client_of("http://unused").propagate_to(hosts).build().unwrap();
        let before = server.methods().len();
        let (trace, ()) = traced(async {
            client.get(&server.url).send().await.unwrap();
            client.get(&named).send().await.unwrap();
        })
        .await;
        assert_eq!(attempts(&trace).len(), 2, "there are spans all the same");
        let got: Vec<bool> = server.received("traceparent")[before..].iter().map(Option::is_some).collect();
        assert_eq!(got, expected, "{hosts:?}");
    }
}

#[tokio::test]
async fn headers_are_shown_if_they_are_listed_and_no_secrets() {
    let server = Server::answering(|_, _| answer(200, ("set-cookie", "hush"), "")).await;
    let client = client(&server)
        .default_header("x-team", "shop")
        .capture_request_headers(&["X-Team", "x-page", "authorization", "x-absent"])
        .capture_response_headers(&["set-cookie", "content-length"])
        .build()
        .unwrap();
    let request = client.get("/x").bearer("hush").header("x-page", "1").header("x-page", "2").header("x-other", "3");
    let (trace, _) = traced(async { request.send().await.unwrap().bytes().await.unwrap() }).await;

    let span = trace.span("GET");
    let values = |key: &str| match span.attribute(key) {
        Some(OwnedValue::StrArray(values)) => values.join(" "),
        Some(OwnedValue::Str(value)) => value.clone(),
        other => format!("{other:?}"),
    };
    assert_eq!(values("http.request.header.x-team"), "shop");
    assert_eq!(values("http.request.header.x-page"), "1 2");
    assert!(values("http.request.header.authorization").contains("REDACTED"));
    assert!(values("http.response.header.set-cookie").contains("REDACTED"));
    assert_eq!(values("http.response.header.content-length"), "0");
    let shown = format!("{:?}", trace.spans());
    assert!(!shown.contains("hush") && !shown.contains("x-other") && !shown.contains("x-absent"), "{shown}");
    assert_eq!(server.received("authorization"), [Some("Bearer hush".to_owned())]);
}

#[tokio::test]
async fn spans_are_named_by_the_request_then_by_the_client() {
    let server = Server::start(&[200]).await;
    let by_path = |request: &reqwest::Request| {
        request.url().path().strip_prefix("/orders/").map(|_| format!("{} an order", request.method()))
    };
    let client = client(&server).span_name(by_path).build().unwrap();
    let (trace, ()) = traced(async {
        client.get("/orders/7").url_template("/orders/{id}").send().await.unwrap();
        client.get("/orders/7").span_name("the order").attribute("order.id", 7).send().await.unwrap();
        client.get("/other").url_template("/other").send().await.unwrap();
    })
    .await;
    assert_trace!(trace, "call" {
        "GET an order" ("url.template" = "/orders/{id}") {}
        "the order" ("order.id" = 7) {}
        "GET /other" {}
    });
}

#[tokio::test]
async fn which_status_is_an_error_of_the_span_can_be_said() {
    let server = Server::start(&[404, 500]).await;
    let client = client(&server).is_error(|status| status.is_server_error()).build().unwrap();
    let (trace, ()) = traced(async {
        let response = client.get("/x").send().await.unwrap();
        assert!(response.error_for_status().is_err(), "for the caller it is still one");
        client.get("/x").send().await.unwrap();
    })
    .await;
    assert_trace!(trace, "call" {
        "GET" (status: unset, "http.response.status_code" = 404) {}
        "GET" (status: error, "error.type" = "500") {}
    });
    assert!(attempts(&trace)[0].attribute("error.type").is_none());
}

#[tokio::test]
async fn other_parameters_may_be_the_secret_ones() {
    let server = Server::start(&[404]).await;
    let client = client(&server).sensitive_query_parameters(&["ticket"]).build().unwrap();
    let (trace, error) =
        traced(async { client.get("/x?ticket=hush&sig=1").send().await.unwrap().error_for_status().unwrap_err() })
            .await;
    let url = format!("{}/x?ticket=REDACTED&sig=1", server.url);
    assert_trace!(trace, "call" { "GET" ("url.full" = url.as_str()) {} });
    assert_eq!(error.to_string(), format!("GET {url} failed: status 404 Not Found"));
}

#[tokio::test]
async fn requests_made_by_reqwest_are_traced_as_well() {
    let server = Server::start(&[503, 200]).await;
    let client = client(&server).default_header("x-team", "shop").retry(crate::quick(1)).build().unwrap();
    let url = server.url.replace("http://", "http://me:hush@");
    let request = reqwest::Request::new(reqwest::Method::GET, url.parse().unwrap());
    let (trace, outcome) = traced(async {
        let response = client.execute(request).await.unwrap();
        (response.status(), response.attempts())
    })
    .await;

    assert_eq!(outcome, (StatusCode::OK, 2));
    assert_eq!(server.received("x-team"), vec![Some("shop".to_owned()); 2]);
    assert!(server.received("authorization").iter().all(Option::is_some));
    assert_eq!(attempts(&trace).len(), 2);
    assert!(!format!("{:?}", trace.spans()).contains("hush"));
    let plain = client.inner().get(&server.url).send().await.unwrap();
    assert_eq!(plain.status(), StatusCode::OK);
    assert_eq!(server.received("traceparent").last().unwrap(), &None);
}

#[test]
fn what_is_printed_of_a_client_has_no_secrets() {
    let builder = ApiClient::builder().base_url("http://me:hush@host/x").default_header("authorization", "hush");
    let shown = format!("{builder:?}");
    let shown = format!("{shown} {:?}", builder.build().unwrap());
    assert!(!shown.contains("hush") && shown.contains("host/x"), "{shown}");
}
