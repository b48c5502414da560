//! Builds batches by hand and catches what is printed.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use spandrel_plugin_api::wire::{field, put_attribute, put_bytes, put_fixed32, put_fixed64, put_uint};
use spandrel_plugin_api::{
    Attribute, Error, Resource, SpanBatch, SpanExporter, SpanId, SpanKind, Status, ToValue, TraceId,
};

use crate::{ConsoleConfig, ConsoleExporter};

/// When all spans start: 2026-01-02 03:04:05 UTC.
const START: u64 = 1_767_323_045_000_000_000;

/// A span in the making, of the service `shop` and trace 1.
pub(super) struct TestSpan {
    trace: u8,
    service: &'static str,
    bytes: Vec<u8>,
}

/// A span that runs from one microsecond to another.
pub(super) fn span(name: &str, id: u8, parent: u8, micros: std::ops::Range<u64>) -> TestSpan {
    let mut bytes = Vec::new();
    put_bytes(&mut bytes, field::SPAN_NAME, name.as_bytes());
    put_bytes(&mut bytes, field::SPAN_SPAN_ID, SpanId::from_bytes([id; 8]).as_bytes());
    if parent != 0 {
        put_bytes(&mut bytes, field::SPAN_PARENT_SPAN_ID, &[parent; 8]);
    }
    put_fixed64(&mut bytes, field::SPAN_START, START + micros.start * 1000);
    put_fixed64(&mut bytes, field::SPAN_END, START + micros.end * 1000);
    TestSpan { trace: 1, service: "shop", bytes }
}

impl TestSpan {
    pub(super) fn of_trace(mut self, trace: u8) -> Self {
        self.trace = trace;
        self
    }

    pub(super) fn of(mut self, service: &'static str) -> Self {
        self.service = service;
        self
    }

    pub(super) fn kind(mut self, kind: SpanKind) -> Self {
        put_uint(&mut self.bytes, field::SPAN_KIND, kind.to_otlp().into());
        self
    }

    pub(super) fn remote_parent(mut self) -> Self {
        let flags = field::FLAGS_HAS_IS_REMOTE | field::FLAGS_IS_REMOTE;
        put_fixed32(&mut self.bytes, field::SPAN_FLAGS, flags);
        self
    }

    pub(super) fn attribute(mut self, key: &str, value: impl ToValue) -> Self {
        put_attribute(&mut self.bytes, field::SPAN_ATTRIBUTES, &Attribute::new(key, &value), usize::MAX);
        self
    }

    pub(super) fn dropped_events(mut self, n: u64) -> Self {
        put_uint(&mut self.bytes, field::SPAN_DROPPED_EVENTS, n);
        self
    }

    pub(super) fn status(mut self, status: Status<'_>) -> Self {
        let mut message = Vec::new();
        match status {
            Status::Unset => {}
            Status::Ok => put_uint(&mut message, field::STATUS_CODE, 1),
            Status::Error(text) => {
                put_uint(&mut message, field::STATUS_CODE, 2);
                put_bytes(&mut message, field::STATUS_MESSAGE, text.as_bytes());
            }
        }
        put_bytes(&mut self.bytes, field::SPAN_STATUS, &message);
        self
    }

    pub(super) fn event(mut self, name: &str, micros: u64, attributes: &[(&str, &str)]) -> Self {
        let mut message = Vec::new();
        put_fixed64(&mut message, field::EVENT_TIME, START + micros * 1000);
        put_bytes(&mut message, field::EVENT_NAME, name.as_bytes());
        for (key, value) in attributes {
            put_attribute(&mut message, field::EVENT_ATTRIBUTES, &Attribute::new(key, value), usize::MAX);
        }
        put_bytes(&mut self.bytes, field::SPAN_EVENTS, &message);
        self
    }

    pub(super) fn link(mut self, trace: u8, span: u8) -> Self {
        let mut message = Vec::new();
        put_bytes(&mut message, field::LINK_TRACE_ID, &[trace; 16]);
        put_bytes(&mut message, field::LINK_SPAN_ID, &[span; 8]);
        put_attribute(&mut message, field::LINK_ATTRIBUTES, &Attribute::new("why", "retry of"), usize::MAX);
        put_bytes(&mut self.bytes, field::SPAN_LINKS, &message);
        self
    }

    /// The span in a `ResourceSpans` of its own.
    fn encode(&self) -> Vec<u8> {
        let mut span = self.bytes.clone();
        put_bytes(&mut span, field::SPAN_TRACE_ID, TraceId::from_bytes([self.trace; 16]).as_bytes());
        let mut scope_spans = Vec::new();
        put_bytes(&mut scope_spans, field::SCOPE_SPANS_SPANS, &span);

        let mut resource = Vec::new();
        for attribute in Resource::new().with("service.name", self.service).attributes() {
            put_attribute(&mut resource, field::RESOURCE_ATTRIBUTES, &attribute, usize::MAX);
        }
        let mut resource_spans = Vec::new();
        put_bytes(&mut resource_spans, field::RESOURCE_SPANS_RESOURCE, &resource);
        put_bytes(&mut resource_spans, field::RESOURCE_SPANS_SCOPE_SPANS, &scope_spans);

        let mut request = Vec::new();
        put_bytes(&mut request, field::REQUEST_RESOURCE_SPANS, &resource_spans);
        request
    }
}

/// A console whose output can be read.
pub(super) struct TestConsole {
    pub(super) exporter: ConsoleExporter,
    output: Captured,
}

impl TestConsole {
    pub(super) fn new(config: &ConsoleConfig) -> Self {
        let output = Captured::default();
        let exporter = ConsoleExporter::to_writer(config, Box::new(output.clone()));
        Self { exporter, output }
    }

    /// What is printed when this batch is exported.
    pub(super) fn export<const N: usize>(&mut self, spans: [TestSpan; N]) -> String {
        export(&mut self.exporter, &spans).unwrap();
        self.printed()
    }

    pub(super) fn idle(&mut self) -> String {
        self.exporter.on_idle();
        self.printed()
    }

    pub(super) fn flush(&mut self) -> String {
        self.exporter.flush(std::time::Duration::ZERO).unwrap();
        self.printed()
    }

    fn printed(&self) -> String {
        let bytes = std::mem::take(&mut *self.output.0.lock().unwrap());
        String::from_utf8(bytes).unwrap()
    }
}

pub(super) fn export(exporter: &mut ConsoleExporter, spans: &[TestSpan]) -> Result<(), Error> {
    let encoded: Vec<Vec<u8>> = spans.iter().map(TestSpan::encode).collect();
    let parts: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    exporter.export(&SpanBatch::new(&parts, spans.len()))
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
