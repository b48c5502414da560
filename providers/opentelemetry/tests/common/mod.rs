//! What the tests share: an exporter that keeps spans as OTLP, and spans of the contract.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::TracesData;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData as SdkSpanData, SpanExporter};
use prost::Message;
use spandrel_plugin_api::{
    InstrumentationScope, SpanContext, SpanData, SpanId, SpanKind, SpanReader, SpanStart, Timestamp, TraceFlags,
    TraceId,
};

/// More than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Keeps what it exports, encoded as the SDK's OTLP exporter would send it.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeepingExporter {
    messages: Arc<Mutex<Vec<Vec<u8>>>>,
    resource: Arc<ResourceAttributesWithSchema>,
}

impl KeepingExporter {
    /// All spans so far, in the order in which they were exported.
    pub(crate) fn spans(&self) -> Vec<SpanData> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone();
        messages.iter().flat_map(|message| decode(message)).collect()
    }

    pub(crate) fn span(&self, name: &str) -> SpanData {
        let spans = self.spans();
        let found = spans.iter().find(|span| span.name == name);
        found.cloned().unwrap_or_else(|| panic!("no span {name} in {spans:?}"))
    }
}

impl SpanExporter for KeepingExporter {
    async fn export(&self, batch: Vec<SdkSpanData>) -> OTelSdkResult {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let message = TracesData { resource_spans }.encode_to_vec();
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = Arc::new(resource.into());
    }
}

/// The spans of an OTLP message.
pub(crate) fn decode(message: &[u8]) -> Vec<SpanData> {
    let parts = [message];
    SpanReader::new(&parts).map(|span| SpanData::from(&span.unwrap())).collect()
}

pub(crate) fn context(n: u8) -> SpanContext {
    SpanContext::new(TraceId::from_bytes([n; 16]), SpanId::from_bytes([n; 8]), TraceFlags::SAMPLED)
}

pub(crate) fn at(nanos: u64) -> Timestamp {
    Timestamp::from_unix_nanos(nanos)
}

pub(crate) fn start<'a>(name: &'a str, context: &'a SpanContext) -> SpanStart<'a> {
    SpanStart {
        name,
        context,
        parent: None,
        kind: SpanKind::Internal,
        time: at(1_000),
        attributes: &[],
        links: &[],
        scope: InstrumentationScope { name: "tests", version: "1" },
    }
}
