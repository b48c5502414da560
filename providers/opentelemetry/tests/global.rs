//! In a program of its own: there is one global tracer provider.

mod common;

use opentelemetry::global;
use opentelemetry::trace::Tracer;
use spandrel_plugin_api::TracingProvider;
use spandrel_provider_opentelemetry::PipelineBuilder;

use common::{KeepingExporter, LONG};

#[test]
fn it_is_the_global_provider_only_if_asked() {
    let kept = KeepingExporter::default();
    let first = PipelineBuilder::new().with_exporter("first", kept.clone()).build();
    global::tracer("library").in_span("nowhere", |_| ());
    first.force_flush(LONG).unwrap();
    assert_eq!((first.stats().recorded, kept.spans().len()), (0, 0));

    let second = PipelineBuilder::new().with_exporter("second", kept.clone()).with_global(true).build();
    global::tracer("library").in_span("here", |_| ());
    second.force_flush(LONG).unwrap();
    assert_eq!((first.stats().recorded, second.stats().recorded), (0, 1));
    assert_eq!(kept.span("here").scope_name, "library");
}
