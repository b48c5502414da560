//! A server that keeps the requests it gets: HTTP/1, HTTP/2 and gRPC, on one port.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::runtime::{Builder, Runtime};

const GRPC: &str = "application/grpc";

/// Listens on a free port of this machine until it is dropped.
#[derive(Debug)]
pub struct Requests {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    /// `None` while it is dropped.
    runtime: Option<Runtime>,
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Received {
    /// Without host and query.
    pub path: String,
    /// `application/json`, for example.
    pub content_type: String,
    /// As it is, with the frames of gRPC.
    pub body: Bytes,
}

impl Requests {
    /// Starts to listen.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is a server, not a value")]
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        listener.set_nonblocking(true).expect("it may be used by a runtime");
        let received = Arc::new(Mutex::new(Vec::new()));
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build().expect("a runtime starts");
        runtime.spawn(serve(listener, Arc::clone(&received)));
        Self { address, received, runtime: Some(runtime) }
    }

    /// Where it listens, `http://127.0.0.1:1234`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests that were answered so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Received {
    /// The message in a call of gRPC, or the body of any other request.
    ///
    /// # Panics
    ///
    /// If a call is not exactly one frame, as it is.
    #[must_use]
    pub fn message(&self) -> Bytes {
        if self.content_type != GRPC {
            return self.body.clone();
        }
        let (frame, message) = self.body.split_at(5);
        let len = (message.len() as u32).to_be_bytes();
        assert_eq!(frame, [&[0][..], &len].concat(), "one frame that is not compressed");
        self.body.slice(5..)
    }
}

async fn serve(listener: TcpListener, received: Arc<Mutex<Vec<Received>>>) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener of the system");
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        let received = Arc::clone(&received);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&received)));
            // A connection may end anywhere.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    received: Arc<Mutex<Vec<Received>>>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (content_type, path) = (content_type.to_owned(), head.uri.path().to_owned());
    let is_grpc = content_type == GRPC;
    received.lock().unwrap_or_else(PoisonError::into_inner).push(Received { path, content_type, body });

    let mut response = Response::new(Empty::new().boxed());
    if is_grpc {
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(GRPC));
        let ok = (HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"));
        let trailers = HeaderMap::from_iter([ok]);
        *response.body_mut() = Empty::new().with_trailers(std::future::ready(Some(Ok(trailers)))).boxed();
    }
    Ok(response)
}
