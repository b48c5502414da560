//! The provider `opentelemetry` as a plugin, `libspandrel_opentelemetry.so`.
spandrel_plugin_api::export_provider!("opentelemetry", spandrel_provider_opentelemetry::OpenTelemetryFactory::new());
