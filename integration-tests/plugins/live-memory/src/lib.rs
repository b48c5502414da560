//! A live provider for tests: a recorder over the exporter of `file`, whose table it takes, so
//! that what crossed the boundary can be read.
//!
//! It also keeps a context of its own, has a header of its own, and samples. A span whose
//! name begins with `panic` makes it panic, and `panic in a thread` a thread of it.
#![forbid(unsafe_code)]

mod provider;

mod context;
mod header;

spandrel_plugin_api::export_provider!("live_memory", provider::LiveMemoryFactory);
