//! Batches sent to a server on this machine, decoded by Apache's Thrift.

mod decode;
mod format;
#[path = "../../../../post/tests/golden/mod.rs"]
mod golden;
mod server;

use spandrel_provider_jaeger::{JaegerConfig, JaegerExporter};

/// As in a program whose environment says nothing of proxies.
fn exporter(endpoint: &str) -> JaegerExporter {
    let mut config = JaegerConfig::new(endpoint);
    config.http.proxy = Some("none".to_owned());
    config.http.timeout_ms = 60_000;
    JaegerExporter::new(config).unwrap()
}
