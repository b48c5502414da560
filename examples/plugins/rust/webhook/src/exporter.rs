use std::sync::Arc;
use std::time::Duration;

use spandrel_plugin_api::{Error, ErrorKind, Host, Provider, ProviderFactory, SpanBatch, SpanExporter};

use crate::config::WebhookConfig;
use crate::courier::Courier;

/// Makes the provider `webhook`.
#[derive(Debug, Clone, Copy)]
pub struct WebhookFactory;

/// Hands each batch to a courier and waits for what became of it.
struct WebhookExporter {
    config: Arc<WebhookConfig>,
    /// `None` before the first batch.
    courier: Option<Courier>,
    is_shut_down: bool,
}

impl ProviderFactory for WebhookFactory {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn create(&self, config: &str, _: &Host<'_>) -> Result<Provider, Error> {
        let config = Arc::new(WebhookConfig::parse(config)?);
        Ok(Provider::Exporter(Box::new(WebhookExporter { config, courier: None, is_shut_down: false })))
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        WebhookConfig::parse(config).map(drop)
    }
}

impl SpanExporter for WebhookExporter {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        if self.is_shut_down {
            return Err(Error::new(ErrorKind::Shutdown, "the webhook was shut down"));
        }
        let courier = match &mut self.courier {
            Some(courier) => courier,
            none => none.insert(Courier::start(&self.config)?),
        };
        courier.deliver(batch.to_bytes().into_owned())
    }

    fn on_fork(&mut self) {
        // Its thread is the parent's, and so is what its runtime waits for: taking
        // that apart here would take it from the parent. The next batch starts another.
        std::mem::forget(self.courier.take());
    }

    fn shutdown(&mut self, deadline: Duration) -> Result<(), Error> {
        self.is_shut_down = true;
        self.courier.take().map_or(Ok(()), |courier| courier.stop(deadline))
    }
}

impl Drop for WebhookExporter {
    fn drop(&mut self) {
        let _ = self.shutdown(Duration::from_secs(1));
    }
}

#[cfg(test)]
mod tests;
