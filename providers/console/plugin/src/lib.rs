//! The provider `console` as a plugin, `libspandrel_console.so`.
spandrel_plugin_api::export_exporter!("console", spandrel_provider_console::ConsoleFactory);
