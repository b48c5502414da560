//! What the spans of requests look like.

use std::net::SocketAddr;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{any, get, post};
use spandrel::{OwnedValue, assert_trace, with_span};
use spandrel_api_client::{Method, Response};
use spandrel_tower::TraceLayer;

use crate::{client, serve, traced};

#[tokio::test]
async fn a_request_is_a_server_span_with_the_conventional_attributes() {
    let (trace, server) = traced(async {
        let orders = Router::new().route("/{id}", post(async || with_span("work", |_| "done")));
        let server = serve(Router::new().nest("/orders", orders).layer(TraceLayer::new())).await;
        let client = client(server).default_header("user-agent", "test/1").build().unwrap();
        let request = client.post("/orders/7").query(&[("page", "2"), ("sig", "hush")]);
        assert_eq!(request.send().await.unwrap().text().await.unwrap(), "done");
        server
    })
    .await;

    assert_trace!(trace, "POST" (kind: client) {
        "POST /orders/{id}" (
            kind: server,
            status: unset,
            "http.request.method" = "POST",
            "url.scheme" = "http",
            "url.path" = "/orders/7",
            "url.query" = "page=2&sig=REDACTED",
            "http.route" = "/orders/{id}",
            "server.address" = "127.0.0.1",
            "server.port" = server.port(),
            "client.address" = "127.0.0.1",
            "network.peer.address" = "127.0.0.1",
            "network.protocol.version" = "1.1",
            "user_agent.original" = "test/1",
            "http.response.status_code" = 200
        ) {
            "work" {}
        }
    });
    let span = trace.span("POST /orders/{id}");
    assert_eq!(span.scope_name, "spandrel-tower");
    assert!(span.attribute("network.peer.port").is_some());
    for key in ["error.type", "spandrel.cancelled", "session.id", "http.request.method_original"] {
        assert!(span.attribute(key).is_none(), "{key}");
    }
    assert!(!format!("{:?}", trace.spans()).contains("hush"));
}

#[tokio::test]
async fn a_nested_router_may_have_a_layer_of_its_own() {
    let (trace, ()) = traced(async {
        let orders = Router::new().route("/{id}", get(async || "done")).layer(TraceLayer::new().skip(["/orders/8"]));
        let server = serve(Router::new().nest("/orders", orders)).await;
        for path in ["/orders/7", "/orders/8"] {
            client(server).tracing(false).build().unwrap().get(path).send().await.unwrap();
        }
    })
    .await;

    assert_trace!(trace, "GET /orders/{id}" ("url.path" = "/orders/7", "http.route" = "/orders/{id}") {});
}

#[tokio::test]
async fn statuses_from_500_up_are_errors_of_the_server() {
    let (trace, ()) = traced(async {
        let status = |status: StatusCode| get(async move || status);
        let routes = Router::new().route("/bad", status(StatusCode::BAD_REQUEST));
        let routes = routes.route("/broken", status(StatusCode::BAD_GATEWAY)).layer(TraceLayer::new());
        let client = client(serve(routes).await).tracing(false).build().unwrap();
        for path in ["/bad", "/nowhere", "/broken"] {
            client.get(path).send().await.unwrap();
        }
    })
    .await;

    assert_trace!(trace,
        "GET /bad" (status: unset, "http.response.status_code" = 400) {}
        "GET" (status: unset, "http.response.status_code" = 404, "url.path" = "/nowhere") {}
        "GET /broken" (status: error, "http.response.status_code" = 502, "error.type" = "502") {}
    );
    assert!(trace.span("GET /bad").attribute("error.type").is_none());
    assert!(trace.span("GET").attribute("http.route").is_none());
}

#[tokio::test]
async fn an_unknown_method_does_not_become_a_name() {
    let (trace, ()) = traced(async {
        let routes = Router::new().route("/pot", any(async || StatusCode::IM_A_TEAPOT)).layer(TraceLayer::new());
        let client = client(serve(routes).await).tracing(false).build().unwrap();
        client.request(Method::from_bytes(b"BREW").unwrap(), "/pot").send().await.unwrap();
    })
    .await;

    assert_trace!(trace,
        "HTTP /pot" ("http.request.method" = "_OTHER", "http.request.method_original" = "BREW") {}
    );
}

#[tokio::test]
async fn skipped_requests_are_left_alone() {
    const INCOMING: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    let (trace, ()) = traced(async {
        let handler = || get(async || with_span("work", |_| "ok"));
        let routes = Router::new().route("/health", handler()).route("/internal/{what}", handler());
        let layer = TraceLayer::new().skip(["/health", "/internal/*"]).trace_id_header("x-trace-id");
        let client = client(serve(routes.layer(layer)).await).tracing(false).build().unwrap();
        for path in ["/health", "/internal/state"] {
            let response = client.get(path).header("traceparent", INCOMING).send().await.unwrap();
            assert!(!response.headers().contains_key("x-trace-id"));
            assert_eq!(response.text().await.unwrap(), "ok");
        }
    })
    .await;

    assert_trace!(trace, "work" {} "work" {});
    assert!(trace.spans().iter().all(|span| span.parent_span_id.is_none()));
}

#[tokio::test]
async fn headers_are_captured_if_they_are_listed_and_secret_ones_never() {
    let (trace, ()) = traced(async {
        let answer = async || ([("x-shard", "7"), ("set-cookie", "id=hush-1")], "done");
        let layer = TraceLayer::new()
            .request_headers(["x-team", "Authorization", "cookie", "x-missing"])
            .response_headers(["x-shard", "set-cookie"]);
        let server = serve(Router::new().route("/", get(answer)).layer(layer)).await;
        let request = client(server).tracing(false).build().unwrap().get("/");
        let request = request.header("x-team", "a").header("x-team", "b").header("x-other", "c");
        let response = request.header("authorization", "hush-2").header("cookie", "hush-3").send().await.unwrap();
        assert_eq!(response.headers()["set-cookie"], "id=hush-1");
    })
    .await;

    assert_trace!(trace, "GET /" (
        "http.request.header.x-team" = ["a", "b"],
        "http.request.header.authorization" = spandrel::REDACTED,
        "http.request.header.cookie" = spandrel::REDACTED,
        "http.response.header.x-shard" = ["7"],
        "http.response.header.set-cookie" = spandrel::REDACTED
    ) {});
    let span = trace.span("GET /");
    for key in ["http.request.header.x-missing", "http.request.header.x-other"] {
        assert!(span.attribute(key).is_none(), "{key}");
    }
    assert!(!format!("{span:?}").contains("hush"));
}

#[tokio::test]
async fn session_and_user_stand_on_all_spans_of_the_request() {
    let (trace, ()) = traced(async {
        let handler = get(async || with_span("work", |_| with_span("deeper", |_| "done")));
        let layer = TraceLayer::new().user_header("x-user");
        let client =
            client(serve(Router::new().route("/", handler).layer(layer)).await).tracing(false).build().unwrap();
        client.get("/").header("x-session-id", "s-1").header("x-user", "u-1").send().await.unwrap();
    })
    .await;

    assert_trace!(trace, "GET /" ("session.id" = "s-1", "user.id" = "u-1") {
        "work" ("session.id" = "s-1", "user.id" = "u-1") {
            "deeper" ("session.id" = "s-1", "user.id" = "u-1") {}
        }
    });
}

#[tokio::test]
async fn an_id_is_short_visible_and_stands_there_once() {
    let long = "x".repeat(256);
    let too_long = "x".repeat(257);
    let cases: [(&[&str], Option<&str>); 8] = [
        (&["s-1"], Some("s-1")),
        (&[&long], Some(&long)),
        (&[&too_long], None),
        (&[""], None),
        (&["two words"], None),
        (&["s\u{e9}ance"], None),
        (&["s-1", "s-2"], None),
        (&[], None),
    ];
    for (sent, expected) in cases {
        let (trace, ()) = traced(async {
            let routes =
                Router::new().route("/", get(async || "done")).layer(TraceLayer::new().session_header("X-Sid"));
            let request = client(serve(routes).await).tracing(false).build().unwrap().get("/");
            let request = sent.iter().fold(request, |request, value| request.header("x-sid", value));
            request.header("x-session-id", "another header").send().await.unwrap();
        })
        .await;
        let expected = expected.map(|text| OwnedValue::Str(text.to_owned()));
        assert_eq!(trace.span("GET /").attribute("session.id"), expected.as_ref(), "{sent:?}");
    }
}

#[tokio::test]
async fn no_header_is_a_session_if_none_is_wanted() {
    let (trace, ()) = traced(async {
        let routes = Router::new().route("/", get(async || "done")).layer(TraceLayer::new().session_header(None));
        let client = client(serve(routes).await).tracing(false).build().unwrap();
        client.get("/").header("x-session-id", "s-1").send().await.unwrap();
    })
    .await;

    assert!(trace.span("GET /").attribute("session.id").is_none());
}

#[tokio::test]
async fn the_trace_id_stands_in_the_response() {
    let (trace, headers) = traced(async {
        let routes = Router::new().route("/", get(async || "done"));
        let server = serve(routes.layer(TraceLayer::new().trace_id_header("x-trace-id"))).await;
        client(server).build().unwrap().get("/").send().await.unwrap().headers().clone()
    })
    .await;

    assert_eq!(headers["x-trace-id"].to_str().unwrap(), trace.span("GET /").trace_id.to_string());
}

#[tokio::test]
async fn the_client_is_the_peer_unless_forwarded_headers_are_trusted() {
    async fn addresses(layer: TraceLayer) -> [Option<OwnedValue>; 2] {
        let (trace, ()) = traced(async {
            let server: SocketAddr = serve(Router::new().route("/", get(async || "done")).layer(layer)).await;
            let client = client(server).tracing(false).build().unwrap();
            client.get("/").header("forwarded", "for=192.0.2.60").send().await.unwrap();
        })
        .await;
        let span = trace.span("GET /");
        ["client.address", "network.peer.address"].map(|key| span.attribute(key).cloned())
    }
    let text = |text: &str| Some(OwnedValue::Str(text.to_owned()));

    assert_eq!(addresses(TraceLayer::new()).await, [text("127.0.0.1"), text("127.0.0.1")]);
    let trusting = TraceLayer::new().trust_forwarded(true);
    assert_eq!(addresses(trusting).await, [text("192.0.2.60"), text("127.0.0.1")]);
}

#[tokio::test]
async fn around_the_router_there_is_no_route_but_what_the_handler_says() {
    use tower_layer::Layer as _;

    let (trace, ()) = traced(async {
        let says = async || {
            spandrel::set_name("GET /orders/{id}");
            "done"
        };
        let routes = Router::new().route("/orders/{id}", get(says)).route("/carts/{id}", get(async || "done"));
        let app = TraceLayer::new().layer(routes);
        let client = client(serve(Router::new().fallback_service(app)).await).tracing(false).build().unwrap();
        for path in ["/orders/7", "/carts/7"] {
            client.get(path).send().await.and_then(Response::error_for_status).unwrap();
        }
    })
    .await;

    assert_trace!(trace, "GET /orders/{id}" {} "GET" ("url.path" = "/carts/7") {});
}

#[tokio::test]
async fn the_span_is_current_over_awaits_and_tasks_with_its_context() {
    let (trace, ()) = traced(async {
        let handler = async |headers: HeaderMap| {
            tokio::task::yield_now().await;
            let task = spandrel::spawn(async { with_span("in a task", |_| ()) });
            task.await.unwrap();
            tokio::task::yield_now().await;
            spandrel::set_attribute("headers", headers.len() as u64);
            with_span("behind it", |_| "done")
        };
        let routes = Router::new().route("/", get(handler)).layer(TraceLayer::new());
        client(serve(routes).await).tracing(false).build().unwrap().get("/").send().await.unwrap();
    })
    .await;

    assert_trace!(trace, "GET /" { "in a task" {} "behind it" {} });
    assert!(trace.span("GET /").attribute("headers").is_some());
}
