//! Reserves what was ordered and has it paid.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::put;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use spandrel as tracing;
use spandrel_api_client::{ApiClient, ClientError};

use crate::payments::Receipt;
use crate::server;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: u32,
    pub(crate) items: u32,
    pub(crate) credit_card: String,
}

pub(crate) fn routes(payments: &str) -> Result<Router, ClientError> {
    // Paying an order twice is the same as paying it once, so it may be repeated.
    let payments = server::client_of(payments).attribute("peer.service", "payments").retries(2).build()?;
    Ok(Router::new().route("/orders/{id}", put(place)).with_state(payments))
}

async fn place(
    State(payments): State<ApiClient>,
    Path(id): Path<u32>,
    Json(order): Json<Order>,
) -> Result<Json<Receipt>, StatusCode> {
    reserve_stock(&order);
    let paid = tracing::try_with_span_async("pay", async {
        tracing::set_attribute("order.id", id);
        let request = payments.put(&format!("/payments/{id}")).url_template("/payments/{id}").json(&order);
        request.send().await?.error_for_status()?.json().await
    });
    // The error is in the span `pay` already; customers need not know it.
    paid.await.map(Json).map_err(|_: ClientError| StatusCode::BAD_GATEWAY)
}

fn reserve_stock(order: &Order) {
    tracing::with_span("reserve_stock", |span| {
        span.set_attribute("order.items", order.items);
        span.add_event("reserved", &tracing::attrs! { "warehouse" => "north", "items" => order.items });
    });
}
