//! Batches, and exporters for them.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use spandrel_plugin_api::{Error, SpanBatch, SpanExporter};
use spandrel_provider_otlp::{OtlpConfig, OtlpExporter};

/// An exporter to `endpoint`, which no variable of the environment sends elsewhere.
pub(crate) fn exporter(endpoint: &str, change: impl FnOnce(&mut OtlpConfig)) -> OtlpExporter {
    OtlpExporter::new(config(endpoint, change)).unwrap()
}

pub(crate) fn config(endpoint: &str, change: impl FnOnce(&mut OtlpConfig)) -> OtlpConfig {
    let mut config = OtlpConfig::default();
    config.endpoint = Some(endpoint.to_owned());
    config.proxy = Some("none".to_owned());
    // No test waits for it but those of servers that hang.
    config.timeout_ms = 60_000;
    change(&mut config);
    config
}

/// Spans named `span 0` and so on, each with a text of so many characters.
pub(crate) fn request(spans: usize, chars: usize) -> ExportTraceServiceRequest {
    let text = |text: String| Some(AnyValue { value: Some(any_value::Value::StringValue(text)) });
    let pair = |key: &str, value| KeyValue { key: key.to_owned(), value: text(value), ..KeyValue::default() };
    let span = |i: usize| Span {
        trace_id: vec![1; 16],
        span_id: (i as u64 + 1).to_be_bytes().to_vec(),
        name: format!("span {i}"),
        kind: 1,
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        attributes: vec![pair("text", "x".repeat(chars))],
        ..Span::default()
    };
    let scope = InstrumentationScope { name: "tests".to_owned(), ..InstrumentationScope::default() };
    let scope_spans = ScopeSpans { scope: Some(scope), spans: (0..spans).map(span).collect(), ..ScopeSpans::default() };
    let resource = Resource { attributes: vec![pair("service.name", "shop".to_owned())], ..Resource::default() };
    let resource_spans =
        ResourceSpans { resource: Some(resource), scope_spans: vec![scope_spans], ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}

pub(crate) fn export(exporter: &mut OtlpExporter, spans: usize) -> Result<(), Error> {
    export_request(exporter, &request(spans, 10))
}

pub(crate) fn export_request(exporter: &mut OtlpExporter, request: &ExportTraceServiceRequest) -> Result<(), Error> {
    exporter.export(&SpanBatch::new(&[&request.encode_to_vec()], names(request).len()))
}

/// The names of the spans in a request.
pub(crate) fn names(request: &ExportTraceServiceRequest) -> Vec<String> {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.flat_map(|scope| &scope.spans).map(|span| span.name.clone()).collect()
}
