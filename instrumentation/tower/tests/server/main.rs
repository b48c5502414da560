//! The layer in axum, with real requests on the loopback interface.

mod callers;
mod endings;
mod spans;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use spandrel::testing::{Trace, capture_async};
use spandrel::{Context, InSpanExt};
use spandrel_api_client::{ApiClient, ApiClientBuilder, reqwest};
use tokio::net::TcpListener;

/// Serves the routes, whose spans belong to the test that calls this.
async fn serve(routes: Router) -> SocketAddr {
    let context = Context::current();
    let in_test = move |request: Request, next: Next| next.run(request).in_context(context.clone());
    let app = routes.layer(middleware::from_fn(in_test)).into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    address
}

/// A client of the server, past a proxy that the environment may name.
fn client(server: SocketAddr) -> ApiClientBuilder {
    ApiClient::builder().reqwest(reqwest::Client::builder().no_proxy()).base_url(&format!("http://{server}"))
}

/// The trace of what a test does, and what it gave back.
async fn traced<T>(future: impl Future<Output = T>) -> (Trace, T) {
    let mut result = None;
    let trace = capture_async(async { result = Some(future.await) }).await;
    (trace, result.unwrap())
}

/// Waits until this many spans of the test have ended, at most for a minute.
async fn ended(spans: u64) {
    let tracer = spandrel::tracer().expect("a test has a tracer");
    let all = async {
        while tracer.stats().recorded < spans {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), all).await.expect("a span does not end");
}
