//! The provider `noop` as a plugin, `libspandrel_noop.so`.
spandrel_plugin_api::export_provider!("noop", spandrel_provider_noop::NoopFactory);
