//! A backend that sees every call as it happens, chosen by its name:
//! `cargo run -p spandrel-examples --example own_provider`

#![forbid(unsafe_code)]

use std::time::Duration;

use spandrel::provider::{Event, Host, Link, SpanStart, SpanState, Timestamp};
use spandrel::{self as tracing, Attribute, Error, Provider, ProviderFactory, SpanContext, Status, TracingProvider};

struct Live;

/// Calls come from all threads; what belongs to one span lies in its `SpanState`.
impl TracingProvider for Live {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        println!("start   {} {:?}", start.name, start.parent.map(SpanContext::span_id));
        SpanState::boxed(Box::new(start.name.to_owned()))
    }
    fn end_span(&self, span: SpanState, _: Timestamp) {
        println!("end     {}", span.downcast::<String>().unwrap_or_default());
    }
    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>) {
        println!("status  {:?} {status:?}", span.downcast_mut::<String>());
    }
    fn set_span_name(&self, _: &mut SpanState, _: &str) {}
    fn add_span_attributes(&self, _: &mut SpanState, attributes: &[Attribute<'_>]) {
        attributes.iter().for_each(|a| println!("set     {} = {:?}", a.key, a.value));
    }
    fn add_span_event(&self, _: &mut SpanState, event: &Event<'_>) {
        println!("event   {}", event.name);
    }
    fn add_span_link(&self, _: &mut SpanState, _: &Link<'_>) {}
    fn force_flush(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }
    fn shutdown(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }
}

impl ProviderFactory for Live {
    fn name(&self) -> &'static str {
        "live"
    }
    fn create(&self, _table: &str, _: &Host<'_>) -> Result<Provider, Error> {
        Ok(Provider::Live(Box::new(Live)))
    }
}

fn main() -> Result<(), Error> {
    // A program leaves the name to the configuration: `TRACING_TYPE=live`.
    let _guard = tracing::builder().register(Live).provider_type("live").install()?;
    tracing::with_span("checkout", |span| {
        span.set_attribute("user.email", "a@example.com"); // redacted before any provider sees it
        let _ = tracing::try_with_span("charge_card", |_| Err::<(), _>("declined"));
    });
    Ok(())
}
