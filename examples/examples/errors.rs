//! What failed and why: `cargo run -p spandrel-examples --example errors`

#![forbid(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use spandrel::{self as tracing, Status};

fn main() -> Result<(), tracing::Error> {
    let _guard = tracing::builder().service("errors").provider_type("console").install()?;

    tracing::with_span("import", |span| {
        // An `Err` makes the status an error and adds an `exception` event.
        let port = tracing::try_with_span("parse_port", |_| "80a".parse::<u16>()).unwrap_or(80);
        span.set_attribute("server.port", port);

        // The same with `?` inside: the error leaves through every span.
        let _ = tracing::try_with_span("read_file", |_| -> Result<String, std::io::Error> {
            let text = tracing::try_with_span("open", |_| std::fs::read_to_string("/does/not/exist"))?;
            Ok(text.to_uppercase())
        });

        // An error that is handled: recorded by hand, and the outcome is declared good.
        // `Ok` is final, so it stands last.
        tracing::with_span("fetch_price", |span| {
            if let Err(error) = "12,50".parse::<f64>() {
                span.add_event("fallback", &tracing::attrs! { "reason" => error.to_string() });
            }
            span.set_status(Status::Ok);
        });

        // No error type at all: only a status with a text.
        tracing::with_span("check_stock", |span| span.set_status(Status::Error("2 of 3 in stock")));

        // An error that was met somewhere deep, without the span at hand.
        tracing::with_span("charge_card", |_| deep_below());

        // A panic ends the spans it leaves, with an error as their status.
        let result = catch_unwind(AssertUnwindSafe(|| {
            tracing::with_span("divide", |_| panic!("this panic belongs to the example"));
        }));
        assert!(result.is_err());
    });
    Ok(())
}

fn deep_below() {
    // The current span is always within reach.
    tracing::record_error("the card was declined");
}
