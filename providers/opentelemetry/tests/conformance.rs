//! What every provider promises, read back from what the SDK would send.

mod common;

use spandrel_conformance::{Started, Subject};
use spandrel_plugin_api::{Host, Provider, ProviderFactory};
use spandrel_provider_opentelemetry::{OpenTelemetryFactory, PipelineBuilder};

use common::KeepingExporter;

spandrel_conformance::suite!(opentelemetry, super::opentelemetry());
spandrel_conformance::suite!(opentelemetry_twice, super::opentelemetry_twice());
spandrel_conformance::suite!(opentelemetry_by_itself, super::opentelemetry_by_itself());

/// A queue for the 10,000 spans of a promise; with its default one the SDK drops some.
const BATCH: &str = "[batch]\nmax_queue_spans = 12_000\ndelay_ms = 50";

fn opentelemetry() -> Subject {
    exporting("opentelemetry", 1)
}

/// Two exporters, each with its own queue.
fn opentelemetry_twice() -> Subject {
    exporting("opentelemetry with two exporters", 2)
}

fn exporting(name: &str, exporters: usize) -> Subject {
    Subject::new(name, move |resource| {
        let kept: Vec<KeepingExporter> = (0..exporters).map(|_| KeepingExporter::default()).collect();
        let given = kept.clone();
        let factory = OpenTelemetryFactory::with(move |builder| {
            let add = |builder: PipelineBuilder, (i, exporter): (usize, &KeepingExporter)| {
                builder.with_exporter(&format!("kept {i}"), exporter.clone())
            };
            given.iter().enumerate().fold(builder, add)
        });
        let Ok(Provider::Live(provider)) = factory.create(BATCH, &Host::new(resource)) else {
            panic!("opentelemetry is a live provider")
        };
        kept.into_iter().fold(Started::new(provider), |started, kept| started.read_by(move || kept.spans()))
    })
}

/// With a processor of the user's that exports by itself, of which nothing is counted.
fn opentelemetry_by_itself() -> Subject {
    Subject::new("opentelemetry with a processor of its own", |resource| {
        let kept = KeepingExporter::default();
        let processor = opentelemetry_sdk::trace::SimpleSpanProcessor::new(kept.clone());
        let provider = PipelineBuilder::new().with_resource(resource).with_span_processor(processor).build();
        Started::new(Box::new(provider)).read_by(move || kept.spans())
    })
    .without_statistics()
}
