//! Batches sent to a server on this machine, decoded by Apache's Thrift.

mod decode;
mod format;
#[path = "../../../../post/tests/golden/mod.rs"]
mod golden;
mod server;

use spandrel_post::testing;
use spandrel_provider_jaeger::{JaegerConfig, JaegerExporter};

fn exporter(endpoint: &str) -> JaegerExporter {
    let mut config = JaegerConfig::new(endpoint);
    config.http = testing::settings();
    JaegerExporter::new(config).unwrap()
}
