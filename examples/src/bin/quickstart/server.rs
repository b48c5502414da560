//! What all services have in common: a request is a span of kind server.

use std::io;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use spandrel::{self as tracing, InSpanExt, InstrumentationScope, SpanKind, Status};
use spandrel_api_client::{ApiClient, ApiClientBuilder, reqwest};
use tokio::net::TcpListener;

/// Serves the routes on a free port of the loopback interface; gives back its URL.
pub(crate) async fn start(service: &'static str, routes: Router) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let routes = routes.route("/health", get(async || "ok"));
    let app = routes.layer(middleware::from_fn_with_state(service, trace_request));
    tokio::spawn(async move { axum::serve(listener, app).await });
    eprintln!("{service} listens on {url}");
    Ok(url)
}

/// A client of the service at `url`; loopback needs no proxy that the environment may name.
pub(crate) fn client_of(url: &str) -> ApiClientBuilder {
    ApiClient::builder().reqwest(reqwest::Client::builder().no_proxy()).base_url(url)
}

/// Handles a request within a span that continues the trace of its sender.
async fn trace_request(State(service): State<&'static str>, request: Request, next: Next) -> Response {
    // All spans of the request say which of the services they belong to.
    let context = tracing::extract(request.headers()).with_attribute("app.service", service);
    // The route, not the path: `/orders/{id}` is one name, `/orders/7` is one of many.
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let method = request.method().as_str();
    let name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}"));

    let scope = format!("quickstart.{service}");
    let scope = InstrumentationScope { name: &scope, version: env!("CARGO_PKG_VERSION") };
    let mut span = tracing::span(&name)
        .kind(SpanKind::Server)
        .parent(&context)
        .instrumentation_scope(scope)
        .attribute("http.request.method", method)
        .attribute("url.path", request.uri().path());
    if let Some(route) = route {
        span = span.attribute("http.route", route);
    }
    let mut span = span.start();

    let response = next.run(request).in_span_mut(&mut span).await;

    let status = response.status();
    span.set_attribute("http.response.status_code", status.as_u16());
    // A status from 400 to 499 is the fault of the sender, and an error there.
    if status.is_server_error() {
        span.set_attribute("error.type", status.as_str());
        span.set_status(Status::Error(""));
    }
    response
}
