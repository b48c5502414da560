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
mod losses;
mod outage;
mod queue;
mod spool;
mod spooler;
mod worker;

pub mod fork;

pub use config::{BatchConfig, OverflowPolicy, RecorderConfig, SpanLimits, SpoolConfig};
pub use recorder::Recorder;
pub use span::RunningSpan;
