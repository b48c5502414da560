//! The programs, each set up as the documentation of its library says.

use std::time::Duration;

use opentelemetry::global;
use opentelemetry::trace::Tracer;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::trace::SdkTracerProvider;
use spandrel as tracing;

use super::{Bearer, Pain, SPANS};
use crate::Failure;

/// Prints what shutdown returned, if the program calls it.
pub(crate) fn run(pain: Pain, bearer: Bearer) -> Result<(), Failure> {
    match bearer {
        Bearer::Otel => otel(pain),
        Bearer::Spandrel => spandrel(pain),
    }
}

/// The quick start of `opentelemetry-otlp`.
fn otel(pain: Pain) -> Result<(), Failure> {
    let exporter = SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary);
    let exporter = match pain {
        // What the feature `reqwest-client` makes the default, for all crates of a program if one of them asks for it.
        Pain::Flavour => exporter.with_http_client(reqwest::Client::new()),
        _ => exporter,
    };
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter.build()?).build();
    global::set_tracer_provider(provider.clone());
    let tracer = global::tracer("pains");
    (0..SPANS).for_each(|_| tracer.in_span("doing_work", |_| ()));
    match pain {
        Pain::Return => {}
        Pain::Exit => std::process::exit(0),
        Pain::Unreachable | Pain::Flavour => println!("{:?}", provider.shutdown()),
    }
    Ok(())
}

/// The quick start of `spandrel`.
fn spandrel(pain: Pain) -> Result<(), Failure> {
    let guard = tracing::init()?;
    (0..SPANS).for_each(|_| tracing::with_span("doing_work", |_| ()));
    match pain {
        // The guard delivers when it is dropped.
        Pain::Return => {}
        Pain::Exit => std::process::exit(0),
        Pain::Unreachable | Pain::Flavour => println!("{:?}", guard.shutdown(Duration::from_secs(5)).map(drop)),
    }
    Ok(())
}
