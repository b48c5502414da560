//! What `#[traced]` records, and that functions stay what they were.
#![forbid(unsafe_code)]

mod errors;
mod functions;
mod futures;
mod lints;
mod operations;
mod outside;
mod values;

use spandrel::Sampler;
use spandrel::testing::Trace;
use spandrel_provider_memory::{MemoryExporter, MemoryStore};

/// The keys of a span, sorted.
fn keys<'a>(trace: &'a Trace, span: &str) -> Vec<&'a str> {
    let mut keys: Vec<&str> = trace.span(span).attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    keys.sort_unstable();
    keys
}

/// The text of an attribute.
#[track_caller]
fn text<'a>(trace: &'a Trace, span: &str, key: &str) -> &'a str {
    match trace.span(span).attribute(key) {
        Some(spandrel::OwnedValue::Str(text)) => text,
        other => panic!("{key} of {span} is {other:?}"),
    }
}

/// Calls `f` where spans are made and not recorded.
fn sampled_out<R>(f: impl FnOnce() -> R) -> R {
    let exporter = || MemoryExporter::new(MemoryStore::shared());
    let builder = spandrel::builder().exporter("memory", exporter).sampler(Sampler::always_off());
    builder.build().expect("these settings are valid").context().within(f)
}
