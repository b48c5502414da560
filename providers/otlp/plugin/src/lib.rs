//! The provider `otlp` as a plugin, `libspandrel_otlp.so`.
spandrel_plugin_api::export_exporter!("otlp", spandrel_provider_otlp::OtlpFactory);
