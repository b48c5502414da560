//! In place of `plugins.rs` without the feature `dylib`.

use std::sync::Arc;

use spandrel_plugin_api::{Error, ErrorKind, ProviderFactory};

use crate::setup::Settings;

pub(crate) fn provider_of<'a>(name: &'a str, _: &'a Settings) -> &'a str {
    name
}

pub(crate) fn is_plugin(name: &str, _: &Settings) -> bool {
    name.contains('/')
}

pub(crate) fn open(name: &str, settings: &Settings) -> Result<Arc<dyn ProviderFactory>, Error> {
    if is_plugin(name, settings) {
        let message = format!("this program was built without the feature `dylib`, and cannot load `{name}`");
        return Err(Error::new(ErrorKind::Unsupported, message)
            .with_context("remedy", "build it with the feature, or name a provider that is linked into it"));
    }
    Err(Error::new(ErrorKind::ProviderNotFound, format!("there is no provider `{name}`"))
        .with_context("remedy", "set TRACING_TYPE to one of them, or register the provider before `install`"))
}

pub(crate) fn available(_: &Settings) -> Vec<String> {
    Vec::new()
}
