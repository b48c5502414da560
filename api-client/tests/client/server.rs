use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::net::{TcpListener, TcpSocket};

/// A server that answers as it was told, and remembers what it was asked.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) port: u16,
    state: Arc<Shared>,
}

pub(crate) struct Received {
    pub(crate) at: Instant,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// `None`: the request is never answered.
type Answer = dyn Fn(usize, &Uri) -> Option<Response> + Send + Sync;

struct Shared {
    answer: Box<Answer>,
    requests: Mutex<Vec<Received>>,
}

impl Server {
    /// In place of a status: the request is never answered.
    pub(crate) const NO_ANSWER: u16 = 0;

    /// Answers with these statuses, then with the last one again.
    pub(crate) async fn start(statuses: &[u16]) -> Self {
        let statuses = statuses.to_vec();
        Self::answering(move |number, _| {
            let status = statuses[number.min(statuses.len() - 1)];
            let status = (status != Self::NO_ANSWER).then(|| StatusCode::from_u16(status).unwrap());
            Some((status?, axum::Json([1, 2])).into_response())
        })
        .await
    }

    /// Answers each request by its number, from 0, and its URL.
    pub(crate) async fn answering(answer: impl Fn(usize, &Uri) -> Option<Response> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Shared { answer: Box::new(answer), requests: Mutex::new(Vec::new()) });
        let app = Router::new().fallback(serve).with_state(Arc::clone(&state));
        tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        Self { url: format!("http://127.0.0.1:{port}"), port, state }
    }

    /// Something of each request.
    pub(crate) fn requests<T>(&self, of: impl Fn(&Received) -> T) -> Vec<T> {
        self.state.requests.lock().unwrap().iter().map(of).collect()
    }

    /// A header of each request.
    pub(crate) fn received(&self, name: &str) -> Vec<Option<String>> {
        self.requests(|request| Some(request.headers.get(name)?.to_str().unwrap().to_owned()))
    }

    pub(crate) fn methods(&self) -> Vec<String> {
        self.requests(|request| request.method.to_string())
    }
}

/// A response with one header.
pub(crate) fn answer(status: u16, header: (&'static str, &str), body: &'static str) -> Option<Response> {
    Some((StatusCode::from_u16(status).unwrap(), [(header.0, header.1.to_owned())], body).into_response())
}

/// A URL where nobody listens, while the socket is kept: no other test gets its port.
pub(crate) fn deserted() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, url)
}

async fn serve(
    State(state): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let number = {
        let mut requests = state.requests.lock().unwrap();
        requests.push(Received { at: Instant::now(), method, headers, body });
        requests.len() - 1
    };
    match (state.answer)(number, &uri) {
        Some(response) => response,
        None => std::future::pending().await,
    }
}
