//! The cases of the W3C harness of Trace Context, through a whole service: requests on sockets, the layer for
//! servers, the client for callbacks. And the harness itself, where it is.

#[allow(dead_code, reason = "the harness has no vectors of what is written without a request")]
#[path = "../../../propagation/tests/vectors/tracecontext.rs"]
mod tracecontext;
#[allow(dead_code, reason = "as above")]
#[path = "../../../propagation/tests/vectors/vector.rs"]
mod vector;

/// The service of the example `trace-context-service`.
#[path = "../../../examples/src/bin/trace-context-service/service.rs"]
mod service;

mod cases;
mod official;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use spandrel::{Context, InSpanExt};
use tokio::net::TcpListener;

use vector::{Incoming, Written, fill, incoming, written};

/// Serves the routes; what they trace belongs to the context.
async fn serve(routes: Router, context: Context) -> SocketAddr {
    let in_context = move |request: Request, next: Next| next.run(request).in_context(context.clone());
    let app = routes.layer(middleware::from_fn(in_context));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    address
}
