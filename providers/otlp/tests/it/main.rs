//! The provider against servers on this machine, which are none of its own making:
//! hyper reads and answers, prost decodes.

mod faults;
mod grpc;
mod http;
mod proxy;
mod requests;
mod server;
mod sizes;
mod spans;
#[cfg(feature = "tls")]
mod tls;
