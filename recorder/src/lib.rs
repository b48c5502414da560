#![doc = include_str!("docs.md")]
#![deny(unsafe_code)]

mod config;
mod recorder;
mod span;

mod block;
mod core;
mod live;
mod scopes;
mod sync;
mod writers;

mod batch;
mod branch;

pub mod fork;

pub use config::{BatchConfig, OverflowPolicy, RecorderConfig, SpanLimits};
pub use recorder::Recorder;
pub use span::RunningSpan;
