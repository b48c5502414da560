#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod config;
mod provider;
mod span;

mod desk;
mod encode;
mod watch;

pub use config::JournalConfig;
pub use provider::JournalFactory;

spandrel_plugin_api::export_provider!("journal", JournalFactory);
