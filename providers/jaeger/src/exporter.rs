use std::time::Duration;

use spandrel_plugin_api::{Error, Host, Provider, ProviderFactory, SpanBatch, SpanExporter, config};
use spandrel_post::Delivery;

use crate::config::{Format, JaegerConfig, SERVER};
use crate::encode::Thrift;
use crate::otlp;

/// Makes the provider `jaeger`.
#[derive(Debug, Clone, Copy, Default)]
pub struct JaegerFactory;

impl ProviderFactory for JaegerFactory {
    fn name(&self) -> &str {
        "jaeger"
    }

    fn create(&self, config: &str, _host: &Host<'_>) -> Result<Provider, Error> {
        let exporter = JaegerExporter::new(config::parse(config)?)?;
        Ok(Provider::Exporter(Box::new(exporter)))
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        config::parse::<JaegerConfig>(config)?.check().map(drop)
    }
}

/// Sends finished spans to Jaeger.
///
/// Each call of [`export`](SpanExporter::export) tries once. An error of the kind
/// [`Unavailable`](spandrel_plugin_api::ErrorKind::Unavailable) may be tried again, by the
/// recorder, with the same batch.
#[derive(Debug)]
pub struct JaegerExporter {
    format: Format,
    delivery: Delivery,
}

impl JaegerExporter {
    /// Reads the files of the configuration; connects with the first batch.
    ///
    /// # Errors
    ///
    /// [`ConfigInvalid`](spandrel_plugin_api::ErrorKind::ConfigInvalid) with the key in the context `key`.
    pub fn new(config: JaegerConfig) -> Result<Self, Error> {
        let (endpoint, format) = config.check()?;
        Ok(Self { format, delivery: Delivery::new(SERVER, endpoint, config.http)? })
    }
}

impl SpanExporter for JaegerExporter {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        match self.format {
            Format::Thrift => self.delivery.send(batch, &Thrift),
            Format::Otlp => otlp::send(self.delivery.client()?, batch),
        }
    }

    fn on_fork(&mut self) {
        self.delivery.on_fork();
    }

    fn shutdown(&mut self, _deadline: Duration) -> Result<(), Error> {
        self.delivery.close();
        Ok(())
    }
}
