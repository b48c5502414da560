use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use axum::routing::post;
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::asked::Asked;
use crate::reply::Reply;
use crate::wire::{Vendor, json};
use crate::{anthropic, openai, responses};

/// The largest body that is read.
const MAX_BODY: usize = 16 << 20;

/// A server on the loopback interface, which ends when this is dropped.
#[derive(Debug)]
pub struct ModelServer {
    url: String,
    state: Shared,
    task: JoinHandle<()>,
}

/// A request that came in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Received {
    /// `/v1/chat/completions`
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; null if it is no JSON.
    pub body: Json,
}

type Shared = Arc<Mutex<Seen>>;

#[derive(Debug, Default)]
struct Seen {
    requests: Vec<Received>,
    /// How often a text of a user came.
    texts: HashMap<String, u32>,
}

impl ModelServer {
    /// Begins to serve, at a free port.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub async fn start() -> io::Result<Self> {
        Self::start_at(0).await
    }

    /// As [`start`](Self::start), at this port.
    ///
    /// # Errors
    ///
    /// If it is taken.
    pub async fn start_at(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Shared::default();
        let app = Router::new()
            .route("/v1/chat/completions", post(chat))
            .route("/v1/responses", post(respond))
            .route("/v1/embeddings", post(embed))
            .route("/v1/messages", post(messages))
            .with_state(Arc::clone(&state));
        let task = tokio::spawn(async {
            // Nobody is there to hear of an error; clients see that nothing answers.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { url, state, task })
    }

    /// Where it is, without a path: `http://127.0.0.1:40123`. The base URL of clients is this with `/v1` at its end, for both
    /// vendors; only Anthropic's own clients take it without, and add the `/v1` themselves.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What came in so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        lock(&self.state).requests.clone()
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn chat(State(state): State<Shared>, request: Request) -> Response {
    answer(&state, Vendor::OpenAi, request, openai::chat).await
}

async fn respond(State(state): State<Shared>, request: Request) -> Response {
    answer(&state, Vendor::OpenAi, request, responses::respond).await
}

async fn messages(State(state): State<Shared>, request: Request) -> Response {
    answer(&state, Vendor::Anthropic, request, anthropic::messages).await
}

async fn embed(State(state): State<Shared>, request: Request) -> Response {
    answer(&state, Vendor::OpenAi, request, |asked, _| json(200, &openai::embeddings(asked))).await
}

async fn answer(
    state: &Shared,
    vendor: Vendor,
    request: Request,
    respond: impl FnOnce(&Asked, Reply) -> Response,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return vendor.error(400, "the body cannot be read");
    };
    let body: Json = serde_json::from_slice(&body).unwrap_or_default();
    let path = head.uri.path().to_owned();
    let number = {
        let requests = &mut lock(state).requests;
        requests.push(Received { path, headers: head.headers.clone(), body: body.clone() });
        requests.len()
    };
    let mut response = answer_to(state, vendor, &head.headers, body, respond);
    if let Ok(id) = format!("req_{number}").parse() {
        response.headers_mut().insert(vendor.request_id(), id);
    }
    response
}

fn answer_to(
    state: &Shared,
    vendor: Vendor,
    headers: &HeaderMap,
    body: Json,
    respond: impl FnOnce(&Asked, Reply) -> Response,
) -> Response {
    match vendor.key(headers) {
        Some(key) if key.starts_with("wrong") => {
            return vendor.error(401, &format!("Incorrect API key provided: {key}"));
        }
        None => return vendor.error(401, "You didn't provide an API key."),
        Some(_) => {}
    }
    let Some(asked) = Asked::read(body) else {
        return vendor.error(400, "the body is not JSON with a `model`");
    };
    let times = {
        let mut state = lock(state);
        let times = state.texts.entry(asked.last_text.clone()).or_default();
        *times += 1;
        *times
    };
    if let Some(status) = asked.script.status(times) {
        let mut response = vendor.error(status, "this is what the request asked for");
        let headers = response.headers_mut();
        if let Some(seconds) = asked.script.retry_after {
            headers.insert("retry-after", seconds.into());
        }
        if let Some(milliseconds) = asked.script.retry_after_ms {
            headers.insert("retry-after-ms", milliseconds.into());
        }
        if let Some(said) = asked.script.should_retry {
            headers.insert("x-should-retry", HeaderValue::from_static(if said { "true" } else { "false" }));
        }
        return response;
    }
    let reply = Reply::to(&asked, vendor);
    respond(&asked, reply)
}

fn lock(state: &Shared) -> MutexGuard<'_, Seen> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
