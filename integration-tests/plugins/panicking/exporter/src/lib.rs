//! The plugin `panicking`, an exporter.
spandrel_plugin_api::export_exporter!("panicking", panicking::ExporterFactory);
