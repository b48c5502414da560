use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router};
use tokio::net::{TcpListener, TcpSocket};

/// A server that answers with the statuses it was given, then with the last one again.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) port: u16,
    state: Arc<Shared>,
}

struct Shared {
    statuses: Vec<u16>,
    requests: Mutex<Vec<HeaderMap>>,
}

impl Server {
    /// In place of a status: the request is never answered.
    pub(crate) const NO_ANSWER: u16 = 0;

    pub(crate) async fn start(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Shared { statuses: statuses.to_vec(), requests: Mutex::new(Vec::new()) });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&state));
        tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        Self { url: format!("http://127.0.0.1:{port}"), port, state }
    }

    /// A header of each request.
    pub(crate) fn received(&self, name: &str) -> Vec<Option<String>> {
        let requests = self.state.requests.lock().unwrap();
        requests.iter().map(|headers| Some(headers.get(name)?.to_str().unwrap().to_owned())).collect()
    }
}

/// A URL where nobody listens, while the socket is kept: no other test gets its port.
pub(crate) fn deserted() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, url)
}

async fn answer(State(state): State<Arc<Shared>>, headers: HeaderMap) -> (StatusCode, Json<[u32; 2]>) {
    let number = {
        let mut requests = state.requests.lock().unwrap();
        requests.push(headers);
        requests.len() - 1
    };
    let status = state.statuses[number.min(state.statuses.len() - 1)];
    if status == Server::NO_ANSWER {
        std::future::pending::<()>().await;
    }
    (StatusCode::from_u16(status).unwrap(), Json([1, 2]))
}
