//! What the spans of requests look like.

use spandrel::{InSpanExt, assert_trace};
use spandrel_api_client::{ApiClient, ClientError, ClientErrorKind, Method, Response, StatusCode};

use crate::server::{self, Server};
use crate::{assert_propagated, client, direct, traced};

#[tokio::test]
async fn a_request_is_a_client_span_with_the_conventional_attributes() {
    let server = Server::start(&[200]).await;
    let client = client(&server).attribute("peer.service", "orders").default_header("x-team", "shop").build().unwrap();
    let (trace, body) = traced(async {
        let request = client.get("/orders/7").query(&[("page", 2)]).url_template("/orders/{id}");
        request.send().await.unwrap().error_for_status().unwrap().json::<Vec<u32>>().await.unwrap()
    })
    .await;

    assert_eq!(body, [1, 2]);
    assert_trace!(trace, "call" {
        "GET /orders/{id}" (
            kind: client,
            status: unset,
            "http.request.method" = "GET",
            "server.address" = "127.0.0.1",
            "server.port" = server.port,
            "url.full" = format!("{}/orders/7?page=2", server.url),
            "url.template" = "/orders/{id}",
            "http.response.status_code" = 200,
            "http.response.body.size" = 5,
            "network.peer.address" = "127.0.0.1",
            "network.peer.port" = server.port,
            "network.protocol.version" = "1.1",
            "peer.service" = "orders"
        ) {}
    });
    let span = trace.span("GET /orders/{id}");
    assert_eq!(span.scope_name, "spandrel-api-client");
    assert!(span.attribute("http.request.resend_count").is_none() && span.attribute("error.type").is_none());
    assert_propagated(&trace, &server);
    assert_eq!(server.received("x-team"), [Some("shop".to_owned())]);
}

#[tokio::test]
async fn a_status_from_400_up_is_an_error_of_the_span_and_a_response_for_the_caller() {
    let server = Server::start(&[404]).await;
    let client = client(&server).build().unwrap();
    let (trace, error) = traced(async {
        let response = client.delete("/orders/7").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        response.error_for_status().unwrap_err()
    })
    .await;

    assert_trace!(trace, "call" (status: unset) {
        "DELETE" (status: error, "http.response.status_code" = 404, "error.type" = "404") {}
    });
    assert!(trace.span("DELETE").events.is_empty());
    assert_eq!((error.kind(), error.status()), (ClientErrorKind::Status, Some(StatusCode::NOT_FOUND)));
    assert_eq!(error.to_string(), format!("DELETE {}/orders/7 failed: status 404 Not Found", server.url));
}

#[tokio::test]
async fn secrets_of_the_url_appear_nowhere() {
    let server = Server::start(&[200, 500]).await;
    let (_socket, deserted) = server::deserted();
    let secret = |url: &str| url.replace("http://", "http://hush-user:hush-password@");
    let client = ApiClient::builder().reqwest(direct()).build().unwrap();
    let mut errors: Vec<ClientError> = Vec::new();
    let mut shown = format!("{:?}", client.get("http://hush-user:hush-password@host/?sig=hush-4"));
    let (trace, _) = traced(async {
        for url in [&server.url, &server.url, &deserted] {
            let url = format!("{}/x?sig=hush-1&a=1", secret(url));
            let sent = client.get(&url).query(&[("X-Amz-Signature", "hush-2")]).send().await;
            shown += &format!("{sent:?}");
            errors.extend(sent.and_then(Response::error_for_status).err());
        }
        errors.extend(client.get("hush-user:hush-password@host/x?sig=hush-3").send().await.err());
    })
    .await;

    assert_eq!(trace.children(trace.span("call")).len(), 3);
    assert_eq!(errors.len(), 3);
    let all = format!("{:?} {errors:?} {trace} {shown}", trace.spans());
    assert!(!all.contains("hush"), "{all}");
    let url = server.url.replace("http://", "http://REDACTED:REDACTED@");
    assert!(all.contains(&format!("{url}/x?sig=REDACTED&a=1&X-Amz-Signature=REDACTED")), "{all}");
    assert!(server.received("authorization").iter().all(Option::is_some), "the server gets what the spans do not");
}

#[tokio::test]
async fn without_tracing_it_is_a_plain_client() {
    let server = Server::start(&[200]).await;
    let off = client(&server).tracing(false).build().unwrap();
    let on = client(&server).build().unwrap();
    let (trace, ()) = traced(async {
        off.get("/x").send().await.unwrap();
        on.get("/x").tracing(false).send().await.unwrap();
    })
    .await;
    // Here nothing is installed.
    on.get("/x").send().await.unwrap();

    assert_trace!(trace, "call" {});
    assert_eq!(server.received("traceparent"), [None, None, None]);
}

#[tokio::test]
async fn where_nothing_is_recorded_the_trace_of_the_caller_is_passed_on() {
    const INCOMING: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    let server = Server::start(&[200]).await;
    let client = client(&server).build().unwrap();
    let noop = spandrel::builder().build().unwrap();
    let context = noop.context().within(|| spandrel::extract(&vec![("traceparent", INCOMING)]));
    client.get("/x").send().in_context(context).await.unwrap();

    assert_eq!(server.received("traceparent"), [Some(INCOMING.to_owned())]);
}

#[tokio::test]
async fn an_unknown_method_does_not_become_a_name() {
    let server = Server::start(&[200]).await;
    let client = client(&server).build().unwrap();
    let method = Method::from_bytes(b"BREW").unwrap();
    let (trace, ()) = traced(async { drop(client.request(method, "/pot").send().await) }).await;

    assert_trace!(trace, "call" {
        "HTTP" ("http.request.method" = "_OTHER", "http.request.method_original" = "BREW") {}
    });
}
