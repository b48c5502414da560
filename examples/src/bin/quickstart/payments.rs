//! Takes the money, sometimes slowly, and not always.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::put;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use spandrel as tracing;

use crate::orders::Order;

/// The order whose first attempt meets a busy service.
pub(crate) const BUSY: u32 = 5;
/// The order on which the ledger fails.
pub(crate) const LEDGER_FAILS: u32 = 7;
/// The order whose card is declined.
pub(crate) const DECLINED: u32 = 11;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Receipt {
    order: u32,
    cents: u64,
}

pub(crate) fn routes() -> Router {
    Router::new().route("/payments/{id}", put(pay)).with_state(Arc::new(AtomicBool::new(false)))
}

async fn pay(
    State(was_busy): State<Arc<AtomicBool>>,
    Path(id): Path<u32>,
    Json(order): Json<Order>,
) -> Result<Json<Receipt>, StatusCode> {
    if id == BUSY && !was_busy.swap(true, Ordering::Relaxed) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let charged = tracing::try_with_span_async("charge_card", async {
        // A secret by its name: what arrives anywhere is `[REDACTED]`.
        tracing::set_attribute("payment.credit_card", &order.credit_card);
        let cents = 1_250 * u64::from(order.items);
        tracing::set_attribute("payment.cents", cents);
        if id == DECLINED {
            return Err(PaymentError::Declined);
        }
        write_ledger(id).await?;
        Ok(Receipt { order: id, cents })
    });
    charged.await.map(Json).map_err(|error| match error {
        PaymentError::Declined => StatusCode::PAYMENT_REQUIRED,
        PaymentError::LedgerUnavailable => StatusCode::INTERNAL_SERVER_ERROR,
    })
}

async fn write_ledger(id: u32) -> Result<(), PaymentError> {
    tracing::try_with_span_async("write_ledger", async {
        if id == LEDGER_FAILS {
            return Err(PaymentError::LedgerUnavailable);
        }
        // Some writes are slow; the trace shows which requests waited for one.
        let takes = if id.is_multiple_of(6) { 80 } else { 2 };
        tokio::time::sleep(Duration::from_millis(takes)).await;
        Ok(())
    })
    .await
}

#[derive(Debug)]
enum PaymentError {
    Declined,
    LedgerUnavailable,
}

impl fmt::Display for PaymentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Declined => "the card was declined",
            Self::LedgerUnavailable => "the ledger is unavailable",
        })
    }
}
