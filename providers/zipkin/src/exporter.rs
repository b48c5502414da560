use std::time::Duration;

use spandrel_plugin_api::{Error, Host, Provider, ProviderFactory, SpanBatch, SpanExporter, config};
use spandrel_post::{Client, Delivery};

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
    config: ZipkinConfig,
    /// `None` in the child of a fork until the next batch, and after shutdown.
    delivery: Option<Delivery>,
}

impl ZipkinExporter {
    /// Reads the files of the configuration; connects with the first batch.
    ///
    /// # Errors
    ///
    /// [`ConfigInvalid`](spandrel_plugin_api::ErrorKind::ConfigInvalid) with the key in the context `key`.
    pub fn new(config: ZipkinConfig) -> Result<Self, Error> {
        let delivery = Some(connect(&config)?);
        Ok(Self { config, delivery })
    }
}

impl SpanExporter for ZipkinExporter {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        let delivery = match &mut self.delivery {
            Some(delivery) => delivery,
            none => none.insert(connect(&self.config)?),
        };
        delivery.send(batch, &Json)
    }

    fn on_fork(&mut self) {
        if let Some(delivery) = self.delivery.take() {
            delivery.abandon();
        }
    }

    fn shutdown(&mut self, _deadline: Duration) -> Result<(), Error> {
        // Nothing waits here: a batch has left when `export` returns.
        self.delivery = None;
        Ok(())
    }
}

fn connect(config: &ZipkinConfig) -> Result<Delivery, Error> {
    Ok(Delivery::new(Client::new(SERVER, config.check()?, &config.http)?))
}
