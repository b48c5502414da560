//! The two services.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use spandrel as tracing;
use spandrel_api_client::{ApiClient, reqwest};
use spandrel_tower::TraceLayer;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::Error;

pub(crate) fn gateway(orders: &str) -> Result<Router, Error> {
    // Loopback needs no proxy that the environment may name.
    let http = reqwest::Client::builder().no_proxy();
    let orders = ApiClient::builder().reqwest(http).base_url(orders).attribute("peer.service", "orders").build()?;
    Ok(Router::new().route("/checkout/{id}", get(check_out)).with_state(orders))
}

async fn check_out(State(orders): State<ApiClient>, Path(id): Path<u32>) -> Result<Json<u32>, StatusCode> {
    let request = orders.get(&format!("/orders/{id}")).url_template("/orders/{id}");
    let response = request.send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    response.json().await.map(Json).map_err(|_| StatusCode::BAD_GATEWAY)
}

pub(crate) fn orders() -> Router {
    Router::new().route("/orders/{id}", get(async |Path(id): Path<u32>| Json(cents(id))))
}

fn cents(id: u32) -> u32 {
    tracing::with_span("reserve_stock", |span| {
        span.set_attribute("order.id", id);
        1_250 * id
    })
}

/// Serves until standard input ends; the first line of the output is the URL.
pub(crate) async fn serve(routes: Router) -> Result<(), Error> {
    let _guard = tracing::init()?; // delivers the last spans when it is dropped
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, routes.layer(TraceLayer::new())).with_graceful_shutdown(told_to_stop()).await?;
    Ok(())
}

async fn told_to_stop() {
    let mut nothing = Vec::new();
    // An input that cannot be read has ended, too.
    let _ = tokio::io::stdin().read_to_end(&mut nothing).await;
}
