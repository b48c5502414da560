//! The provider `memory` as a plugin, `libspandrel_memory.so`.
spandrel_plugin_api::export_exporter!("memory", spandrel_provider_memory::MemoryFactory);
