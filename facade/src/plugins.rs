//! What a name means beyond the linked providers: a plugin.

use std::sync::Arc;

use spandrel_plugin_api::{Error, ProviderFactory};

use crate::loader;
use crate::setup::Settings;

/// The provider that a name means: itself, unless `[plugin.<name>]` says another.
pub(crate) fn provider_of<'a>(name: &'a str, settings: &'a Settings) -> &'a str {
    settings.loader.provider_of(name)
}

/// Whether the name means a plugin, whatever is linked.
pub(crate) fn is_plugin(name: &str, settings: &Settings) -> bool {
    let says_so = |name: &str| {
        let named = settings.loader.named.get(name);
        named.is_some_and(|plugin| plugin.file.is_some() || plugin.linked == Some(false))
    };
    loader::is_path(name) || says_so(name) || says_so(settings.loader.provider_of(name))
}

/// Opens the plugin that the name means.
pub(crate) fn open(name: &str, settings: &Settings) -> Result<Arc<dyn ProviderFactory>, Error> {
    loader::open(name, &settings.loader)
}

/// The names of the plugins that are there.
pub(crate) fn available(settings: &Settings) -> Vec<String> {
    loader::available(&settings.loader)
}
