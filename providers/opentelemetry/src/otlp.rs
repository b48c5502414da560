use std::thread;
use std::time::Duration;

use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use spandrel_plugin_api::{Error, ErrorKind};

use crate::config::OpenTelemetryConfig;

/// The SDK's exporter for OTLP over HTTP.
///
/// With a client of our own: the SDK would choose an async one if any crate of the program
/// enabled that feature, which panics on the thread that exports.
pub(crate) fn exporter(config: &OpenTelemetryConfig) -> Result<SpanExporter, Error> {
    config.check_environment()?;
    let timeout = Duration::from_millis(config.timeout_ms);
    let mut builder = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(timeout)
        .with_http_client(client(config.proxy.clone(), timeout)?);
    if let Some(url) = config.url() {
        builder = builder.with_endpoint(url);
    }
    if !config.headers.is_empty() {
        builder = builder.with_headers(config.headers.clone().into_iter().collect());
    }
    builder.build().map_err(|error| {
        Error::new(ErrorKind::ConfigInvalid, "the OTLP exporter of the SDK does not start").with_source(error)
    })
}

/// Made on a thread of its own, as a blocking client cannot be made within an async runtime.
fn client(proxy: Option<String>, timeout: Duration) -> Result<reqwest::blocking::Client, Error> {
    let make = move || {
        let builder = reqwest::blocking::Client::builder().timeout(timeout);
        let builder = match proxy.as_deref() {
            None => builder,
            Some("none") => builder.no_proxy(),
            Some(url) => builder.proxy(reqwest::Proxy::all(url)?),
        };
        builder.build()
    };
    let made = thread::Builder::new().name("spandrel-otel".to_owned()).spawn(make)?.join();
    let made = made.map_err(|_| Error::new(ErrorKind::Internal, "the HTTP client panicked as it started"))?;
    made.map_err(|error| {
        let text = "the HTTP client does not start, perhaps because `proxy` is no URL";
        Error::new(ErrorKind::ConfigInvalid, text).with_context("key", "proxy").with_source(error)
    })
}
