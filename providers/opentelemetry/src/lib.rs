#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod config;
mod factory;
mod provider;

mod builder;
mod pipeline;

mod context;
mod ids;
mod span;

mod exporter;
mod ledger;
mod processor;

mod encode;
mod otlp;

pub use builder::PipelineBuilder;
pub use config::{BatchLimits, OpenTelemetryConfig};
pub use factory::OpenTelemetryFactory;
pub use provider::OpenTelemetryProvider;
