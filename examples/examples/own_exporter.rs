//! Finished spans to a place of one's own: `cargo run -p spandrel-examples --example own_exporter`
//!
//! An exporter gets batches of spans. The recorder collects them and counts what
//! was not delivered. See `own_provider` for spans as they happen.

#![forbid(unsafe_code)]

use spandrel::provider::SpanBatch;
use spandrel::{self as tracing, Error, SpanExporter};

/// Prints a line for each span.
struct Lines;

impl SpanExporter for Lines {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        for span in batch.spans() {
            let span = span?;
            let micros = (span.end().unix_nanos() - span.start().unix_nanos()) / 1_000;
            print!("{} {} {micros} µs", span.trace_id(), span.name());
            for (key, value) in span.attributes() {
                print!(" {key}={value}");
            }
            println!();
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let guard = tracing::builder().exporter("lines", || Lines).install()?;

    tracing::with_span("checkout", |span| {
        span.set_attribute("cart.items", 3);
        tracing::with_span("reserve_stock", |_| ());
        tracing::with_span("charge_card", |span| span.set_attribute("cents", 1_250));
    });

    let report = guard.shutdown(std::time::Duration::from_secs(1))?;
    println!("{report}");
    Ok(())
}
