use std::time::Duration;

use spandrel_plugin_api::{
    Attribute, Error, ErrorKind, Event, Host, Link, Provider, ProviderFactory, SpanStart, SpanState, Status, Timestamp,
    TracingProvider,
};

/// Makes [`NoopProvider`]s.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopFactory;

/// Records nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopProvider;

impl ProviderFactory for NoopFactory {
    fn name(&self) -> &'static str {
        "noop"
    }

    fn create(&self, config: &str, _: &Host<'_>) -> Result<Provider, Error> {
        self.validate(config)?;
        Ok(Provider::Live(Box::new(NoopProvider)))
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        match config.trim() {
            "" => Ok(()),
            _ => Err(Error::new(ErrorKind::ConfigInvalid, "provider noop has no settings")),
        }
    }
}

impl TracingProvider for NoopProvider {
    fn start_span(&self, _: &SpanStart<'_>) -> SpanState {
        SpanState::none()
    }

    fn end_span(&self, _: SpanState, _: Timestamp) {}

    fn set_span_status(&self, _: &mut SpanState, _: Status<'_>) {}

    fn set_span_name(&self, _: &mut SpanState, _: &str) {}

    fn add_span_attributes(&self, _: &mut SpanState, _: &[Attribute<'_>]) {}

    fn add_span_event(&self, _: &mut SpanState, _: &Event<'_>) {}

    fn add_span_link(&self, _: &mut SpanState, _: &Link<'_>) {}

    fn records(&self) -> bool {
        false
    }

    fn on_fork(&self) -> bool {
        true
    }

    fn force_flush(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }

    fn shutdown(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }
}
