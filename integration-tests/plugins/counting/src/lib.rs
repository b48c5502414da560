//! A live provider as cheap as one can be, so that the boundary is what one sees.
mod counting;
spandrel_plugin_api::export_provider!("counting", counting::CountingFactory);
