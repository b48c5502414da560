//! Spans of futures and tasks: `cargo run -p spandrel-examples --example async_spans`

#![forbid(unsafe_code)]

use std::time::Duration;

use spandrel::{self as tracing, InSpanExt, SpanKind, Status};
use tokio::time::sleep;

#[tokio::main]
async fn main() -> Result<(), tracing::Error> {
    let _guard = tracing::builder().service("async-spans").provider_type("console").install()?;

    // A span around a future: one start and one end, however often it is polled.
    tracing::with_span_async("checkout", async {
        tracing::set_attribute("cart.items", 3);

        // Concurrent children are children of the same span.
        tokio::join!(price("apple", 5), price("pear", 3));

        // A task of its own. `spandrel::spawn` takes the context along; with
        // `tokio::spawn` the spans of the task would begin a trace of theirs.
        let mail = tracing::spawn(send_mail());

        // The span is lent, so that the result can still be written to it.
        let mut query = tracing::span("SELECT stock").kind(SpanKind::Client).start();
        let rows = select_stock().in_span_mut(&mut query).await;
        query.set_attribute("db.response.returned_rows", rows);
        query.set_status(Status::Error("nothing in stock"));
        query.end();

        // Blocking work on another thread.
        let hash = tracing::spawn_blocking(|| tracing::with_span("hash", |_| 42));
        let _ = tokio::join!(mail, hash);
    })
    .await;
    Ok(())
}

async fn price(fruit: &str, cents: u64) -> u64 {
    // A span with more than a name: described first, then put around the future.
    let span = tracing::span("price").attribute("fruit", fruit).start();
    async {
        sleep(Duration::from_millis(cents)).await;
        tracing::add_event("looked up", &tracing::attrs! { "cents" => cents });
        cents
    }
    .in_span(span)
    .await
}

async fn send_mail() {
    tracing::with_span_async("send_mail", sleep(Duration::from_millis(4))).await;
}

async fn select_stock() -> u64 {
    sleep(Duration::from_millis(1)).await;
    0
}
