use std::time::Duration;

use spandrel_plugin_api::{Error, Host, Provider, ProviderFactory, SpanBatch, SpanExporter, config};
use spandrel_post::{Client, Delivery};

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
    config: JaegerConfig,
    format: Format,
    /// `None` in the child of a fork until the next batch, and after shutdown.
    delivery: Option<Delivery>,
}

impl JaegerExporter {
    /// Reads the files of the configuration; connects with the first batch.
    ///
    /// # Errors
    ///
    /// [`ConfigInvalid`](spandrel_plugin_api::ErrorKind::ConfigInvalid) with the key in the context `key`.
    pub fn new(config: JaegerConfig) -> Result<Self, Error> {
        let (_, format) = config.check()?;
        let delivery = Some(connect(&config)?);
        Ok(Self { config, format, delivery })
    }
}

impl SpanExporter for JaegerExporter {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        let delivery = match &mut self.delivery {
            Some(delivery) => delivery,
            none => none.insert(connect(&self.config)?),
        };
        match self.format {
            Format::Thrift => delivery.send(batch, &Thrift),
            Format::Otlp => otlp::send(delivery.client(), batch),
        }
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

fn connect(config: &JaegerConfig) -> Result<Delivery, Error> {
    let (endpoint, _) = config.check()?;
    Ok(Delivery::new(Client::new(SERVER, endpoint, &config.http)?))
}
