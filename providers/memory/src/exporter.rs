use spandrel_plugin_api::{Error, Host, Provider, ProviderFactory, SpanBatch, SpanData, SpanExporter, config};

use crate::{MemoryConfig, MemoryStore};

/// Makes exporters into [`MemoryStore::shared`].
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryFactory;

/// Puts finished spans into a [`MemoryStore`].
#[derive(Debug)]
pub struct MemoryExporter {
    store: MemoryStore,
}

impl ProviderFactory for MemoryFactory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn create(&self, config: &str, _: &Host<'_>) -> Result<Provider, Error> {
        let config: MemoryConfig = config::parse(config)?;
        let store = MemoryStore::shared();
        store.set_max(config.max_spans);
        Ok(Provider::Exporter(Box::new(MemoryExporter::new(store))))
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        config::parse::<MemoryConfig>(config).map(drop)
    }
}

impl MemoryExporter {
    /// An exporter into `store`.
    #[must_use]
    pub const fn new(store: MemoryStore) -> Self {
        Self { store }
    }
}

impl SpanExporter for MemoryExporter {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        for span in batch.spans() {
            self.store.push(SpanData::from(&span?));
        }
        Ok(())
    }
}
