//! Sends the requests: each one is the root of a trace.

use axum::http::StatusCode;
use spandrel::{self as tracing, InSpanExt, Parent, Status};
use spandrel_api_client::{ApiClient, ClientError, Request};
use tokio::task::JoinSet;

use crate::orders::Order;
use crate::payments::{DECLINED, LEDGER_FAILS};
use crate::server;

const CHECKOUTS: u32 = 21;
/// The customer who puts nothing into the cart.
const EMPTY_CART: u32 = 14;

/// What became of the requests.
#[derive(Default)]
pub(crate) struct Visits {
    pub(crate) answered: u32,
    /// They had to fail, and did.
    pub(crate) failed: u32,
    /// What should not have happened.
    pub(crate) unexpected: Vec<String>,
}

/// Sends checkouts to the gateway, all at once, and asks each service how it is.
pub(crate) async fn visit(gateway: &str, all: &[&str]) -> Result<Visits, ClientError> {
    eprintln!("sending {} requests", CHECKOUTS as usize + all.len());
    let mut requests = JoinSet::new();
    let gateway = server::client_of(gateway).build()?;
    for id in 1..=CHECKOUTS {
        requests.spawn(check_out(gateway.clone(), id));
    }
    for url in all {
        requests.spawn(check_health(server::client_of(url).build()?));
    }
    let mut visits = Visits::default();
    while let Some(visit) = requests.join_next().await {
        match visit {
            Ok(Ok(StatusCode::OK)) => visits.answered += 1,
            Ok(Ok(_)) => visits.failed += 1,
            Ok(Err(text)) => visits.unexpected.push(text),
            Err(panic) => visits.unexpected.push(panic.to_string()),
        }
    }
    Ok(visits)
}

async fn check_out(gateway: ApiClient, id: u32) -> Result<StatusCode, String> {
    let items = if id == EMPTY_CART { 0 } else { 1 + id % 4 };
    let order = Order { id, items, credit_card: "4111 1111 1111 1111".to_owned() };
    let expected = match id {
        EMPTY_CART => StatusCode::UNPROCESSABLE_ENTITY,
        LEDGER_FAILS | DECLINED => StatusCode::BAD_GATEWAY,
        _ => StatusCode::OK,
    };
    let span = tracing::span(&format!("checkout #{id}"))
        .parent(Parent::Root)
        .attribute("user.id", format!("u-{}", 100 + id))
        .attribute("cart.items", items)
        .start();
    expect(expected, gateway.post("/checkout").url_template("/checkout").json(&order)).try_in_span(span).await
}

async fn check_health(service: ApiClient) -> Result<StatusCode, String> {
    let span = tracing::span("health check").parent(Parent::Root).start();
    expect(StatusCode::OK, service.get("/health").url_template("/health")).try_in_span(span).await
}

/// Sends the request; another status than the expected one is an error. Also an
/// expected one may be a failure for the customer.
async fn expect(expected: StatusCode, request: Request) -> Result<StatusCode, String> {
    let status = request.send().await.map_err(|error| error.to_string())?.status();
    if status != expected {
        return Err(format!("expected status {expected}, got {status}"));
    }
    if !status.is_success() {
        tracing::set_status(Status::Error(status.canonical_reason().unwrap_or_default()));
    }
    Ok(status)
}
