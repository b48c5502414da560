use std::sync::Arc;
use std::time::Duration;

use spandrel_plugin_api::{
    Attribute, Carrier, CarrierMut, Error, Event, Extraction, Host, Link, Provider, ProviderFactory, SpanBatch,
    SpanContext, SpanExporter, SpanStart, SpanState, Stats, Status, Timestamp, TracingProvider,
};

use crate::trap::Trap;

/// Makes exporters that panic.
pub struct ExporterFactory;

impl ProviderFactory for ExporterFactory {
    fn name(&self) -> &str {
        "panicking"
    }

    fn create(&self, config: &str, _: &Host<'_>) -> Result<Provider, Error> {
        let trap = Arc::new(Trap::new(config)?);
        trap.call("create")?;
        let exporter = Box::new(Panicking(Arc::clone(&trap)));
        Ok(match trap.settings().has_companion {
            true => Provider::ExporterWith { exporter, companion: Box::new(Companion(trap)) },
            false => Provider::Exporter(exporter),
        })
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        Trap::new(config)?.call("validate_config")
    }
}

struct Panicking(Arc<Trap>);

impl SpanExporter for Panicking {
    fn export(&mut self, _: &SpanBatch<'_>) -> Result<(), Error> {
        self.0.call("export_batch")
    }

    fn flush(&mut self, _: Duration) -> Result<(), Error> {
        self.0.call("flush")
    }

    fn on_idle(&mut self) {
        let _ = self.0.call("on_idle");
    }

    fn on_fork(&mut self) {
        let _ = self.0.call("after_fork_child");
    }

    fn shutdown(&mut self, _: Duration) -> Result<(), Error> {
        self.0.call("shutdown")
    }
}

impl Drop for Panicking {
    fn drop(&mut self) {
        let _ = self.0.call("destroy");
    }
}

struct Companion(Arc<Trap>);

impl TracingProvider for Companion {
    fn start_span(&self, _: &SpanStart<'_>) -> SpanState {
        let _ = self.0.call("on_start");
        SpanState::none()
    }

    fn end_span(&self, _: SpanState, _: Timestamp) {}

    fn set_span_status(&self, _: &mut SpanState, _: Status<'_>) {}

    fn set_span_name(&self, _: &mut SpanState, _: &str) {}

    fn add_span_attributes(&self, _: &mut SpanState, _: &[Attribute<'_>]) {}

    fn add_span_event(&self, _: &mut SpanState, _: &Event<'_>) {}

    fn add_span_link(&self, _: &mut SpanState, _: &Link<'_>) {}

    fn propagation_fields(&self) -> &[&str] {
        &["x-panicking"]
    }

    fn extract_context(&self, _: &dyn Carrier) -> Extraction {
        let _ = self.0.call("extract");
        Extraction::UseConfigured
    }

    fn inject_context(&self, _: &SpanContext, _: &mut dyn CarrierMut) -> bool {
        let _ = self.0.call("inject");
        false
    }

    fn samples(&self) -> bool {
        true
    }

    fn sample(&self, _: &SpanStart<'_>) -> bool {
        let _ = self.0.call("sample");
        true
    }

    fn health(&self) -> Result<(), Error> {
        self.0.call("health")
    }

    fn force_flush(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }

    fn shutdown(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }

    fn stats(&self) -> Stats {
        let _ = self.0.call("stats");
        Stats::default()
    }
}
