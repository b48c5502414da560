//! The provider `file` as a plugin, `libspandrel_file.so`.
spandrel_plugin_api::export_exporter!("file", spandrel_provider_file::FileFactory);
