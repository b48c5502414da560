//! A trace that crosses processes: `cargo run -p spandrel-examples --example propagation`

#![forbid(unsafe_code)]

use std::collections::HashMap;

use spandrel::{self as tracing, Context, SpanContext, SpanKind};

fn main() -> Result<(), tracing::Error> {
    let _guard = tracing::builder().service("propagation").provider_type("console").install()?;

    // What came with a request. Headers are any list of pairs, names in any case.
    let headers =
        vec![("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("Baggage", "customer=gold")];
    let context = tracing::extract(&headers);
    println!("came in: {:?}", context.span_context().map(SpanContext::trace_id));

    // The span continues that trace, and within it the baggage is current.
    let sent = tracing::span("GET /cart").kind(SpanKind::Server).parent(&context).run(|_| {
        let customer = Context::current().baggage().get("customer").map(str::to_owned);
        tracing::set_attribute("app.customer", customer.unwrap_or_default());
        call_next_service()
    });
    for (name, value) in &sent {
        println!("went out: {name}: {value}");
    }

    // The other side, here with the queue's own list of pairs.
    let message: Vec<(String, String)> = sent.into_iter().collect();
    tracing::span("consume cart").kind(SpanKind::Consumer).parent(&tracing::extract(&message)).run(|span| {
        println!("arrived: {:?}", span.context().map(|span| span.trace_id()));
    });
    Ok(())
}

fn call_next_service() -> HashMap<String, String> {
    // Baggage goes with every request from here on.
    let context = Context::current().with_baggage_member("cart", "3 items").unwrap_or_else(|_| Context::current());
    context.within(|| {
        tracing::span("GET /stock").kind(SpanKind::Client).run(|_| {
            let mut headers = HashMap::new();
            // The current span is the parent over there.
            tracing::inject(&mut headers);
            headers
        })
    })
}
