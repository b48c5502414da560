//! How requests end: streams, clients that go away, panics.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use http_body::Frame;
use spandrel::{OwnedValue, assert_trace, with_span};
use spandrel_tower::TraceLayer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::{client, ended, serve, traced};

/// A body of the parts that arrive in a channel, with a span for each.
struct Parts(mpsc::UnboundedReceiver<&'static str>);

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let part = std::task::ready!(self.0.poll_recv(cx));
        Poll::Ready(part.map(|part| {
            with_span("part", |span| span.set_attribute("part", part));
            Ok(Frame::data(Bytes::from_static(part.as_bytes())))
        }))
    }
}

/// A server with a response whose parts the test sends.
async fn streaming(length: Option<u64>) -> (std::net::SocketAddr, mpsc::UnboundedSender<&'static str>) {
    let (parts, receiver) = mpsc::unbounded_channel();
    let body = std::sync::Arc::new(std::sync::Mutex::new(Some(Parts(receiver))));
    let answer = async move || {
        let mut response = Response::new(Body::new(body.lock().unwrap().take().expect("one request")));
        if let Some(length) = length {
            response.headers_mut().insert("content-length", length.into());
        }
        response
    };
    (serve(Router::new().route("/", get(answer)).layer(TraceLayer::new())).await, parts)
}

#[tokio::test]
async fn the_span_goes_on_to_the_end_of_the_body() {
    let (trace, ()) = traced(async {
        let (server, parts) = streaming(None).await;
        let mut response = client(server).build().unwrap().get("/").send().await.unwrap().into_inner();
        for part in ["one", "two"] {
            parts.send(part).unwrap();
            assert_eq!(response.chunk().await.unwrap().unwrap(), part);
        }
        // There is a response, but the span has not ended.
        assert_eq!(spandrel::tracer().unwrap().stats().recorded, 3);
        drop(parts);
        assert_eq!(response.chunk().await.unwrap(), None);
    })
    .await;

    assert_trace!(trace, "GET" {
        "GET /" (status: unset) { "part" ("part" = "one") {} "part" ("part" = "two") {} }
    });
    assert!(trace.span("GET /").attribute("spandrel.cancelled").is_none());
}

#[tokio::test]
async fn a_body_of_a_known_length_ends_where_the_length_says() {
    let (trace, ()) = traced(async {
        let (server, parts) = streaming(Some(6)).await;
        let response = client(server).tracing(false).build().unwrap().get("/").send().await.unwrap();
        parts.send("one").unwrap();
        parts.send("two").unwrap();
        assert_eq!(response.text().await.unwrap(), "onetwo");
        // The server does not ask whether there is more.
        ended(3).await;
    })
    .await;

    assert_trace!(trace, "GET /" { "part" {} "part" {} });
    assert!(trace.span("GET /").attribute("spandrel.cancelled").is_none());
}

#[tokio::test]
async fn a_client_that_goes_away_within_the_body_is_no_error() {
    let (trace, ()) = traced(async {
        let (server, parts) = streaming(None).await;
        let mut response = client(server).tracing(false).build().unwrap().get("/").send().await.unwrap().into_inner();
        parts.send("one").unwrap();
        assert_eq!(response.chunk().await.unwrap().unwrap(), "one");
        drop(response);
        ended(2).await;
    })
    .await;

    assert_trace!(trace, "GET /" (
        status: unset, "http.response.status_code" = 200, "spandrel.cancelled" = true
    ) { "part" {} });
}

#[tokio::test]
async fn a_client_that_goes_away_before_the_response_is_no_error() {
    let (trace, ()) = traced(async {
        let (arrived, mut arrival) = mpsc::unbounded_channel();
        let wait = async move || {
            let _span = spandrel::start_span("work");
            arrived.send(()).unwrap();
            std::future::pending::<()>().await;
        };
        let server = serve(Router::new().route("/", get(wait)).layer(TraceLayer::new())).await;
        let mut connection = TcpStream::connect(server).await.unwrap();
        connection.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
        arrival.recv().await.unwrap();
        drop(connection);
        ended(2).await;
    })
    .await;

    assert_trace!(trace, "GET /" (status: unset, "spandrel.cancelled" = true, "server.address" = "shop") {
        "work" {}
    });
    let span = trace.span("GET /");
    assert!(span.attribute("http.response.status_code").is_none() && span.attribute("server.port").is_none());
}

#[tokio::test]
async fn a_panic_is_an_error() {
    let (trace, ()) = traced(async {
        let panics = async || {
            if true {
                panic!("as the test wants it");
            }
            "never"
        };
        let server = serve(Router::new().route("/", get(panics)).layer(TraceLayer::new())).await;
        let error = client(server).tracing(false).build().unwrap().get("/").send().await.unwrap_err();
        assert_eq!(error.attempts(), 1);
        ended(1).await;
    })
    .await;

    assert_trace!(trace, "GET /" (status: error, "error.type" = "panic") {});
    assert!(trace.span("GET /").attribute("spandrel.cancelled").is_none());
}

#[tokio::test]
async fn a_request_for_the_headers_alone_is_complete() {
    let (trace, ()) = traced(async {
        let (server, _parts) = streaming(Some(6)).await;
        let mut connection = TcpStream::connect(server).await.unwrap();
        connection.write_all(b"HEAD / HTTP/1.1\r\nhost: [::1]:8080\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        ended(1).await;
    })
    .await;

    assert_trace!(trace, "HEAD /" ("server.address" = "::1", "server.port" = 8080) {});
    assert_eq!(trace.span("HEAD /").attribute("spandrel.cancelled"), None::<&OwnedValue>);
}

#[tokio::test]
async fn a_response_without_a_body_ends_with_its_headers() {
    let (trace, ()) = traced(async {
        let routes = Router::new().route("/", get(async || StatusCode::NO_CONTENT)).layer(TraceLayer::new());
        client(serve(routes).await).build().unwrap().get("/").send().await.unwrap();
    })
    .await;

    assert_trace!(trace, "GET" { "GET /" (status: unset, "http.response.status_code" = 204) {} });
}
