//! Providers that panic in the call that their configuration names, from one call on.

mod trap;

mod exporter;
mod live;

pub use exporter::ExporterFactory;
pub use live::LiveFactory;
