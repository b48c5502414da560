//! The exporter of the subject `spandrel`, as a plugin: it lets spans go. The recorder of the
//! program counts them.
mod discard;
spandrel_plugin_api::export_exporter!("discard", discard::DiscardFactory);
