//! The service: a question in, server-sent events out.

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use spandrel_genai as ai;
use spandrel_tower::TraceLayer;
use tokio::sync::mpsc;

use crate::agent::{Agent, TEMPLATE, VERSION};
use crate::models::Models;

#[derive(Debug, Deserialize)]
struct Question {
    user: String,
    text: String,
}

pub(crate) fn routes(models: Models) -> Router {
    let metrics = get(async || spandrel::prometheus() + &ai::prometheus());
    let routes = Router::new().route("/chat", post(chat)).route("/metrics", metrics);
    // The header `x-session-id` makes the session of all spans within.
    routes.with_state(Arc::new(Agent::new(models))).layer(TraceLayer::new().skip(["/metrics"]))
}

/// Events: `{"text": …}` for each piece, then `done` with what it took, or `error`.
async fn chat(State(agent): State<Arc<Agent>>, headers: HeaderMap, Json(question): Json<Question>) -> Response {
    let session = headers.get("x-session-id").and_then(|id| id.to_str().ok()).unwrap_or("none").to_owned();
    let (texts, mut pieces) = mpsc::channel::<String>(8);
    let (end, mut ends) = mpsc::channel::<String>(1);
    let work = async move {
        let scope =
            ai::scope().user(&question.user).prompt_template(TEMPLATE, VERSION, &[("question", &question.text)]);
        let last = match scope.run_async(agent.answer(&session, &question.text, &texts)).await {
            Ok(totals) => {
                let (input, output) = (totals.input_tokens, totals.output_tokens);
                event(
                    "done",
                    &json!({ "input_tokens": input, "output_tokens": output, "usd": totals.cost.to_string() }),
                )
            }
            // What went wrong is in the trace; callers need not know.
            Err(_) => event("error", &json!({ "error": "there is no answer now" })),
        };
        let _ = end.send(last).await;
    };
    // The agent works while the body is polled: within the span of the request, which so has the sum of all,
    // and no longer than somebody listens.
    let work = stream::once(work).filter_map(|()| ready(None));
    let pieces = stream::poll_fn(move |cx| pieces.poll_recv(cx)).map(|text| event("message", &json!({ "text": text })));
    let events = pieces.chain(stream::poll_fn(move |cx| ends.poll_recv(cx)));
    let body = stream::select(events, work).map(Ok::<_, Infallible>);
    ([("content-type", "text/event-stream")], Body::from_stream(body)).into_response()
}

fn event(name: &str, data: &serde_json::Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
