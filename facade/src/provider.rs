//! What one needs to write a provider or an exporter within a service.
//!
//! A crate of its own for a provider depends on `spandrel-plugin-api`, where these
//! come from, rather than on the facade.
//!
//! ```
//! use spandrel::provider::{SpanBatch, SpanExporter};
//!
//! struct Names;
//!
//! impl SpanExporter for Names {
//!     fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), spandrel::Error> {
//!         batch.spans().try_for_each(|span| Ok(println!("{}", span?.name())))
//!     }
//! }
//!
//! let tracer = spandrel::builder().exporter("names", || Names).build().unwrap();
//! tracer.context().within(|| spandrel::with_span("hello", |_| ()));
//! tracer.flush(std::time::Duration::from_secs(1)).unwrap();
//! ```

#[cfg(feature = "dylib")]
pub use crate::loader::Plugin;
pub use spandrel_plugin_api::{
    AnyValue, Attributes, Event, EventView, Extraction, Host, Link, LinkView, Provider, ProviderFactory, Resource,
    SpanBatch, SpanExporter, SpanReader, SpanStart, SpanState, SpanView, Timestamp, TracingProvider,
};
