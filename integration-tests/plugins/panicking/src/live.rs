use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use spandrel_plugin_api::{
    Attribute, BranchStats, Carrier, CarrierMut, Error, Event, Extraction, Host, Link, Provider, ProviderFactory,
    SpanContext, SpanStart, SpanState, Stats, Status, Timestamp, TracingProvider,
};

use crate::trap::Trap;

/// Makes live providers that panic.
pub struct LiveFactory;

impl ProviderFactory for LiveFactory {
    fn name(&self) -> &str {
        "panicking_live"
    }

    fn create(&self, config: &str, _: &Host<'_>) -> Result<Provider, Error> {
        let trap = Trap::new(config)?;
        trap.call("create")?;
        Ok(Provider::Live(Box::new(Live { trap, ended: AtomicU64::new(0) })))
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        Trap::new(config)?.call("validate_config")
    }
}

struct Live {
    trap: Trap,
    ended: AtomicU64,
}

impl Live {
    fn call(&self, entry: &'static str) {
        let _ = self.trap.call(entry);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.call("destroy");
    }
}

impl TracingProvider for Live {
    fn start_span(&self, _: &SpanStart<'_>) -> SpanState {
        self.call("start_span");
        SpanState::token(1)
    }

    fn end_span(&self, _: SpanState, _: Timestamp) {
        self.call("end_span");
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    fn set_span_status(&self, _: &mut SpanState, _: Status<'_>) {
        self.call("set_span_status");
    }

    fn set_span_name(&self, _: &mut SpanState, _: &str) {
        self.call("set_span_name");
    }

    fn add_span_attributes(&self, _: &mut SpanState, _: &[Attribute<'_>]) {
        self.call("add_span_attributes");
    }

    fn add_span_event(&self, _: &mut SpanState, _: &Event<'_>) {
        self.call("add_span_event");
    }

    fn add_span_link(&self, _: &mut SpanState, _: &Link<'_>) {
        self.call("add_span_link");
    }

    fn keeps_context(&self) -> bool {
        true
    }

    fn enter_span(&self, _: &mut SpanState) {
        self.call("enter_span");
    }

    fn exit_span(&self, _: &mut SpanState) {
        self.call("exit_span");
    }

    fn enter_unsampled(&self, _: &SpanContext) {
        self.call("enter_unsampled");
    }

    fn exit_unsampled(&self, _: &SpanContext) {
        self.call("exit_unsampled");
    }

    fn current_context(&self) -> Option<SpanContext> {
        self.call("current_context");
        None
    }

    fn propagation_fields(&self) -> &[&str] {
        &["x-panicking"]
    }

    fn extract_context(&self, _: &dyn Carrier) -> Extraction {
        self.call("extract");
        Extraction::UseConfigured
    }

    fn inject_context(&self, _: &SpanContext, _: &mut dyn CarrierMut) -> bool {
        self.call("inject");
        false
    }

    fn samples(&self) -> bool {
        true
    }

    fn sample(&self, _: &SpanStart<'_>) -> bool {
        self.call("sample");
        true
    }

    fn health(&self) -> Result<(), Error> {
        self.trap.call("health")
    }

    fn force_flush(&self, _: Duration) -> Result<(), Error> {
        self.trap.call("flush")
    }

    fn retire(&self) {
        self.call("retire");
    }

    fn on_fork(&self) -> bool {
        self.call("after_fork_child");
        true
    }

    fn shutdown(&self, _: Duration) -> Result<(), Error> {
        self.trap.call("shutdown")
    }

    fn stats(&self) -> Stats {
        self.call("stats");
        let ended = self.ended.load(Ordering::Relaxed);
        let mut branch = BranchStats::default();
        branch.exported = ended;
        let mut stats = Stats::default();
        stats.recorded = ended;
        stats.branches.push(branch);
        stats
    }
}
