//! The provider `zipkin` as a plugin, `libspandrel_zipkin.so`.
spandrel_plugin_api::export_exporter!("zipkin", spandrel_provider_zipkin::ZipkinFactory);
