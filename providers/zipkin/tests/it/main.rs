//! Batches sent to a server on this machine, decoded by serde_json.

mod format;
#[path = "../../../../post/tests/golden/mod.rs"]
mod golden;
mod server;

use spandrel_provider_zipkin::{ZipkinConfig, ZipkinExporter};

/// As in a program whose environment says nothing of proxies.
fn exporter(endpoint: &str) -> ZipkinExporter {
    let mut config = ZipkinConfig::new(endpoint);
    config.http.proxy = Some("none".to_owned());
    config.http.timeout_ms = 60_000;
    ZipkinExporter::new(config).unwrap()
}
