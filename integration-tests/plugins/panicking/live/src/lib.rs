//! The plugin `panicking_live`, a live provider.
spandrel_plugin_api::export_provider!("panicking_live", panicking::LiveFactory);
