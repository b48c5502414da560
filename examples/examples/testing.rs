//! Tests of traced code: `cargo run -p spandrel-examples --example testing`
//!
//! In a program these would be functions with `#[test]`. Nothing is installed,
//! so they may run side by side.

#![forbid(unsafe_code)]

use spandrel::testing::{capture, capture_async};
use spandrel::{self as tracing, assert_trace};

fn main() {
    checkout_charges_after_reserving();
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(tasks_belong_to_the_trace());
}

fn checkout_charges_after_reserving() {
    let trace = capture(|| {
        let _ = checkout(3);
    });
    print!("{trace}");

    // The whole tree, with conditions where they matter.
    assert_trace!(trace, "checkout" ("cart.items" = 3) {
        "reserve_stock" {}
        "charge_card" (status: error, kind: internal) {}
    });

    // A single span, for all else.
    let exception = trace.span("charge_card").event("exception").expect("the error was recorded");
    println!("{:?}", exception.attributes);
}

async fn tasks_belong_to_the_trace() {
    let trace = capture_async(async {
        let task = tracing::with_span("order", |_| tracing::spawn(send_mail()));
        task.await.expect("the task does not panic");
    })
    .await;
    print!("{trace}");
    assert_trace!(trace, "order" { "mail" {} });
}

async fn send_mail() {
    tracing::with_span_async("mail", tokio::task::yield_now()).await;
}

fn checkout(items: u32) -> Result<(), &'static str> {
    tracing::with_span("checkout", |span| {
        span.set_attribute("cart.items", items);
        tracing::with_span("reserve_stock", |_| ());
        tracing::try_with_span("charge_card", |_| Err("the card was declined"))
    })
}
