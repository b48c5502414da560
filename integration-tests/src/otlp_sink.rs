//! A collector that keeps what it gets: OTLP over HTTP, protobuf and JSON, and over gRPC.

use spandrel_plugin_api::{SpanBatch, SpanData};

use crate::otlp_json;
use crate::requests::{Received, Requests};

/// Listens on a free port of this machine until it is dropped.
#[derive(Debug)]
pub struct OtlpSink {
    requests: Requests,
}

impl OtlpSink {
    /// Starts to listen.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is a server, not a value")]
    pub fn new() -> Self {
        Self { requests: Requests::new() }
    }

    /// Settings of the provider `otlp` that lead here, whatever the environment says.
    #[must_use]
    pub fn config(&self, protocol: &str) -> String {
        format!("endpoint = '{}'\nproxy = 'none'\nprotocol = '{protocol}'\n", self.requests.url())
    }

    /// All spans so far.
    ///
    /// # Panics
    ///
    /// If anything that came is not OTLP.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanData> {
        self.requests.received().iter().flat_map(spans).collect()
    }
}

fn spans(request: &Received) -> Vec<SpanData> {
    let message = request.message();
    if request.content_type == "application/json" {
        return otlp_json::spans(&serde_json::from_slice(&message).expect("JSON"));
    }
    SpanBatch::new(&[&message], 0).spans().map(|span| SpanData::from(&span.expect("OTLP"))).collect()
}
