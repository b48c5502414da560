use std::time::Duration;

use spandrel_plugin_api::{Error, Host, Provider, ProviderFactory, SpanBatch, SpanExporter, config};
use spandrel_post::Delivery;

use crate::config::{SERVER, ZipkinConfig};
use crate::encode::Json;

/// Makes the provider `zipkin`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ZipkinFactory;

impl ProviderFactory for ZipkinFactory {
    fn name(&self) -> &str {
        "zipkin"
    }

    fn create(&self, config: &str, _host: &Host<'_>) -> Result<Provider, Error> {
        let exporter = ZipkinExporter::new(config::parse(config)?)?;
        Ok(Provider::Exporter(Box::new(exporter)))
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        config::parse::<ZipkinConfig>(config)?.check().map(drop)
    }
}

/// Sends finished spans to Zipkin.
///
/// Each call of [`export`](SpanExporter::export) tries once. An error of the kind
/// [`Unavailable`](spandrel_plugin_api::ErrorKind::Unavailable) may be tried again, by the recorder, with the
/// same batch.
#[derive(Debug)]
pub struct ZipkinExporter {
    delivery: Delivery,
}

impl ZipkinExporter {
    /// Reads the files of the configuration; connects with the first batch.
    ///
    /// # Errors
    ///
    /// [`ConfigInvalid`](spandrel_plugin_api::ErrorKind::ConfigInvalid) with the key in the context `key`.
    pub fn new(config: ZipkinConfig) -> Result<Self, Error> {
        let endpoint = config.check()?;
        Ok(Self { delivery: Delivery::new(SERVER, endpoint, config.http)? })
    }
}

impl SpanExporter for ZipkinExporter {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        self.delivery.send(batch, &Json)
    }

    fn on_fork(&mut self) {
        self.delivery.on_fork();
    }

    fn shutdown(&mut self, _deadline: Duration) -> Result<(), Error> {
        self.delivery.close();
        Ok(())
    }
}
