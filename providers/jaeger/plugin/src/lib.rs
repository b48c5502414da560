//! The provider `jaeger` as a plugin, `libspandrel_jaeger.so`.
spandrel_plugin_api::export_exporter!("jaeger", spandrel_provider_jaeger::JaegerFactory);
