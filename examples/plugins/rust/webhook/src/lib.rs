#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod config;
mod exporter;

mod courier;

pub use config::WebhookConfig;
pub use exporter::WebhookFactory;

spandrel_plugin_api::export_exporter!("webhook", WebhookFactory);
