//! The providers that a name can mean. The one place that knows more than `noop`.

use std::sync::Arc;

use spandrel_plugin_api::suggest::nearest;
use spandrel_plugin_api::{Error, ErrorKind, Host, Provider, ProviderFactory};
use spandrel_provider_noop::NoopFactory;

/// Factories by name; of two with the same name the later one.
#[derive(Clone)]
pub(crate) struct Registry {
    factories: Vec<Arc<dyn ProviderFactory>>,
}

impl Registry {
    /// The providers linked into this program by features.
    pub(crate) fn linked() -> Self {
        let mut registry = Self { factories: Vec::new() };
        registry.register(Arc::new(NoopFactory));
        #[cfg(feature = "console")]
        registry.register(Arc::new(spandrel_provider_console::ConsoleFactory));
        #[cfg(feature = "file")]
        registry.register(Arc::new(spandrel_provider_file::FileFactory));
        #[cfg(feature = "memory")]
        registry.register(Arc::new(spandrel_provider_memory::MemoryFactory));
        registry
    }

    pub(crate) fn register(&mut self, factory: Arc<dyn ProviderFactory>) {
        self.factories.retain(|known| known.name() != factory.name());
        self.factories.push(factory);
    }

    /// Makes the provider of this name.
    pub(crate) fn create(&self, name: &str, config: &str, host: &Host<'_>) -> Result<Provider, Error> {
        let factory = self.factories.iter().find(|factory| factory.name() == name);
        factory.ok_or_else(|| self.unknown(name))?.create(config, host)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.factories.iter().any(|factory| factory.name() == name)
    }

    /// The known name nearest to a misspelt one.
    pub(crate) fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.factories.iter().map(|factory| factory.name()))
    }

    pub(crate) fn unknown(&self, name: &str) -> Error {
        let mut names: Vec<&str> = self.factories.iter().map(|factory| factory.name()).collect();
        names.sort_unstable();
        let meant = self.nearest(name).map(|n| format!("; did you mean `{n}`?")).unwrap_or_default();
        Error::new(ErrorKind::ProviderNotFound, format!("there is no provider `{name}`{meant}"))
            .with_context("available", names.join(", "))
            .with_context("remedy", "set TRACING_TYPE to one of them, or register the provider before `install`")
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.factories.iter().map(|factory| factory.name())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Registry;

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_and_all_others() {
        let text = Registry::linked().unknown("consol").to_string();
        assert!(
            text.starts_with("there is no provider `consol`; did you mean `console`? (available: console, "),
            "{text}"
        );
    }
}
