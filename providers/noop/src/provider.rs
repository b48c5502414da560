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
pub struct NoopProvider {
    new_ids: bool,
}

impl NoopProvider {
    /// One that passes contexts on as they came.
    #[must_use]
    pub const fn new() -> Self {
        Self { new_ids: false }
    }

    /// Whether spans have ids of their own.
    #[must_use]
    pub const fn with_new_ids(mut self, new_ids: bool) -> Self {
        self.new_ids = new_ids;
        self
    }
}

impl ProviderFactory for NoopFactory {
    fn name(&self) -> &'static str {
        "noop"
    }

    fn create(&self, config: &str, _: &Host<'_>) -> Result<Provider, Error> {
        Ok(Provider::Live(Box::new(NoopProvider::new().with_new_ids(wants_new_ids(config)?))))
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        wants_new_ids(config).map(drop)
    }
}

/// The only setting. Read by hand, because every program links this crate, and most of
/// them without a parser of TOML.
fn wants_new_ids(config: &str) -> Result<bool, Error> {
    let (key, value) = config.trim().split_once('=').unwrap_or_default();
    match (key.trim(), value.trim()) {
        ("new_ids", "true") => Ok(true),
        ("new_ids", "false") => Ok(false),
        _ if config.trim().is_empty() => Ok(false),
        _ => Err(Error::new(ErrorKind::ConfigInvalid, "provider noop has only the setting new_ids, true or false")),
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
        self.new_ids
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

#[cfg(test)]
mod tests {
    use super::wants_new_ids;

    #[test]
    fn there_is_one_setting() {
        for (config, wanted) in [("", false), (" \n", false), ("new_ids = true\n", true), ("new_ids=false", false)] {
            assert_eq!(wants_new_ids(config).unwrap(), wanted, "{config:?}");
        }
        for config in ["ids = true", "new_ids = 1", "new_ids = true\npath = \"x\"", "x"] {
            let error = wants_new_ids(config).unwrap_err().to_string();
            assert_eq!(error, "provider noop has only the setting new_ids, true or false", "{config:?}");
        }
    }
}
