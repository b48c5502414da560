#![doc = include_str!("docs.md")]
#![forbid(unsafe_code)]

mod body;
mod layer;
mod service;

mod call;
mod request;

mod attributes;
mod forwarded;
mod query;
mod rpc;

#[cfg(feature = "metrics")]
mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "metrics_off.rs"]
mod metrics;

#[cfg(feature = "axum")]
mod router;
#[cfg(not(feature = "axum"))]
#[path = "router_unknown.rs"]
mod router;

pub use body::TraceBody;
pub use layer::TraceLayer;
pub use service::{TraceFuture, TraceService};
