//! The providers that a name can mean. The one place that knows more than `noop`.

use std::sync::Arc;

use spandrel_plugin_api::suggest::nearest;
use spandrel_plugin_api::{Error, ErrorKind, Host, Provider, ProviderFactory};
use spandrel_provider_noop::NoopFactory;

use crate::plugins;
use crate::setup::Settings;

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
        #[cfg(feature = "jaeger")]
        registry.register(Arc::new(spandrel_provider_jaeger::JaegerFactory));
        #[cfg(feature = "memory")]
        registry.register(Arc::new(spandrel_provider_memory::MemoryFactory));
        #[cfg(feature = "opentelemetry")]
        registry.register(Arc::new(spandrel_provider_opentelemetry::OpenTelemetryFactory::new()));
        #[cfg(feature = "otlp")]
        registry.register(Arc::new(spandrel_provider_otlp::OtlpFactory));
        #[cfg(feature = "zipkin")]
        registry.register(Arc::new(spandrel_provider_zipkin::ZipkinFactory));
        registry
    }

    pub(crate) fn register(&mut self, factory: Arc<dyn ProviderFactory>) {
        self.factories.retain(|known| known.name() != factory.name());
        self.factories.push(factory);
    }

    /// The factory that the name means in these settings: a linked one, or a plugin's.
    pub(crate) fn factory(&self, name: &str, settings: &Settings) -> Result<Arc<dyn ProviderFactory>, Error> {
        if plugins::is_plugin(name, settings) {
            return plugins::open(name, settings);
        }
        let word = plugins::provider_of(name, settings);
        if let Some(linked) = self.linked_factory(word) {
            return Ok(if word == name {
                linked
            } else {
                Arc::new(Renamed { name: name.to_owned(), factory: linked })
            });
        }
        plugins::open(name, settings).map_err(|error| match error.kind() {
            ErrorKind::ProviderNotFound => self.unknown(word, settings, &error),
            _ => error,
        })
    }

    /// Makes the provider of a linked factory that needs no configuration.
    pub(crate) fn create_linked(&self, name: &str, host: &Host<'_>) -> Result<Provider, Error> {
        let unknown =
            || Error::new(ErrorKind::ProviderNotFound, format!("there is no provider `{name}` in this program"));
        self.linked_factory(name).ok_or_else(unknown)?.create("", host)
    }

    /// Whether there is such a provider, linked or as a plugin.
    pub(crate) fn has(&self, name: &str, settings: &Settings) -> bool {
        plugins::is_plugin(name, settings)
            || self.names(settings).iter().any(|known| known == plugins::provider_of(name, settings))
    }

    /// The name nearest to a misspelt one, of those in use and all others.
    pub(crate) fn nearest<'a>(
        &self,
        name: &str,
        settings: &Settings,
        in_use: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        let mut names = self.names(settings);
        names.extend(in_use.map(str::to_owned));
        nearest(name, names.iter().map(String::as_str)).map(str::to_owned)
    }

    /// The names of all providers there are, sorted.
    fn names(&self, settings: &Settings) -> Vec<String> {
        let linked = self.factories.iter().map(|factory| factory.name().to_owned());
        let mut names: Vec<String> = linked.chain(plugins::available(settings)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn linked_factory(&self, name: &str) -> Option<Arc<dyn ProviderFactory>> {
        self.factories.iter().find(|factory| factory.name() == name).cloned()
    }

    /// Why there is no such provider, from why there is no such plugin.
    fn unknown(&self, name: &str, settings: &Settings, error: &Error) -> Error {
        let meant = self
            .nearest(name, settings, std::iter::empty())
            .map(|n| format!("; did you mean `{n}`?"))
            .unwrap_or_default();
        let mut unknown = Error::new(ErrorKind::ProviderNotFound, format!("there is no provider `{name}`{meant}"))
            .with_context("available", self.names(settings).join(", "));
        if let Some(searched) = error.context("searched") {
            unknown = unknown.with_context("searched", searched);
        }
        if BY_FEATURE.contains(&name) {
            let remedy = format!("enable the cargo feature `{name}` of spandrel");
            unknown = unknown.with_context("remedy", remedy);
        } else if let Some(remedy) = error.context("remedy") {
            unknown = unknown.with_context("remedy", remedy);
        }
        unknown
    }
}

/// Those that this crate can link.
const BY_FEATURE: [&str; 7] = ["console", "file", "jaeger", "memory", "opentelemetry", "otlp", "zipkin"];

/// A linked provider under a second name.
struct Renamed {
    name: String,
    factory: Arc<dyn ProviderFactory>,
}

impl ProviderFactory for Renamed {
    fn name(&self) -> &str {
        &self.name
    }

    fn create(&self, config: &str, host: &Host<'_>) -> Result<Provider, Error> {
        self.factory.create(config, host)
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        self.factory.validate(config)
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
    use crate::setup::Settings;

    #[cfg(not(feature = "opentelemetry"))]
    #[test]
    fn a_provider_that_was_left_out_is_answered_with_its_feature() {
        let error = Registry::linked().factory("opentelemetry", &Settings::default()).err().unwrap();
        let remedy = "enable the cargo feature `opentelemetry` of spandrel";
        assert_eq!(error.context("remedy"), Some(remedy), "{error}");
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_and_all_others() {
        let text = Registry::linked().factory("consol", &Settings::default()).err().unwrap().to_string();
        assert!(
            text.starts_with("there is no provider `consol`; did you mean `console`? (available: console, "),
            "{text}"
        );
    }
}
