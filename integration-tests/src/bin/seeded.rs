//! Records spans full of secrets, for the providers that the configuration names.

use std::time::Duration;

use spandrel::{self as tracing, SpanContext};
use spandrel_integration_tests::seeds::seeds;
use spandrel_provider_opentelemetry::OpenTelemetryFactory;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seeds = seeds();
    let builder = tracing::builder().read_configuration().register(OpenTelemetryFactory::new());
    let builder = seeds.iter().fold(builder, |builder, seed| seed.add_to_resource(builder));
    let guard = builder.install()?;
    let linked = tracing::with_span("linked", |span| span.context().unwrap_or_else(SpanContext::default));
    seeds.iter().for_each(|seed| seed.record(&linked));
    println!("{:?}", tracing::redactions());
    guard.shutdown(Duration::from_secs(60))?;
    Ok(())
}
