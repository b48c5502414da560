//! Batches sent to a server on this machine, decoded by serde_json.

mod format;
#[path = "../../../../post/tests/golden/mod.rs"]
mod golden;
mod server;

use spandrel_post::testing;
use spandrel_provider_zipkin::{ZipkinConfig, ZipkinExporter};

fn exporter(endpoint: &str) -> ZipkinExporter {
    let mut config = ZipkinConfig::new(endpoint);
    config.http = testing::settings();
    ZipkinExporter::new(config).unwrap()
}
