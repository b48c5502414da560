//! What customers talk to: checks a cart and passes it on.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use spandrel as tracing;
use spandrel_api_client::{ApiClient, ClientError};

use crate::orders::Order;
use crate::payments::Receipt;
use crate::server;

pub(crate) fn routes(orders: &str) -> Result<Router, ClientError> {
    let orders = server::client_of(orders).attribute("peer.service", "orders").build()?;
    Ok(Router::new().route("/checkout", post(checkout)).with_state(orders))
}

async fn checkout(State(orders): State<ApiClient>, Json(order): Json<Order>) -> Result<Json<Receipt>, StatusCode> {
    tracing::try_with_span("validate_cart", |span| {
        span.set_attribute("cart.items", order.items);
        if order.items == 0 { Err("the cart is empty") } else { Ok(()) }
    })
    .map_err(|_| StatusCode::UNPROCESSABLE_ENTITY)?;

    let request = orders.put(&format!("/orders/{}", order.id)).url_template("/orders/{id}").json(&order);
    let response = request.send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    if !response.status().is_success() {
        return Err(response.status());
    }
    response.json().await.map(Json).map_err(|_| StatusCode::BAD_GATEWAY)
}
