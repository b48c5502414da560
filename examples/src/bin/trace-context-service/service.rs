//! The service that the harness asks.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;
use spandrel_api_client::{ApiClient, ClientError, reqwest};
use spandrel_tower::TraceLayer;

/// One request that the harness wants.
#[derive(Deserialize)]
struct Call {
    url: String,
    #[serde(default)]
    arguments: Value,
}

pub(crate) fn routes() -> Result<Router, ClientError> {
    // The harness listens on loopback, which needs no proxy that the environment may name.
    let client = ApiClient::builder().reqwest(reqwest::Client::builder().no_proxy()).build()?;
    Ok(Router::new().route("/test", post(call_back)).with_state(client).layer(TraceLayer::new()))
}

/// Answers with the status of each call.
async fn call_back(
    State(client): State<ApiClient>,
    Json(calls): Json<Vec<Call>>,
) -> Result<Json<Vec<u16>>, (StatusCode, String)> {
    let mut statuses = Vec::with_capacity(calls.len());
    for call in calls {
        let response = client.post(&call.url).json(&call.arguments).send().await;
        let response = response.map_err(|error| (StatusCode::BAD_GATEWAY, error.to_string()))?;
        statuses.push(response.status().as_u16());
    }
    Ok(Json(statuses))
}
