//! Two services in two processes, which know nothing of each other but their URLs: one trace.
//!
//! ```sh
//! cargo run --release --bin two-services
//! ```
//!
//! It starts itself twice more, as `gateway` and as `orders`, each with a trace file of its own, sends the gateway a
//! request, and prints the trace from both files.

#![forbid(unsafe_code)]

mod services;
mod start;
mod tree;

use std::process::ExitCode;

type Error = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage: two-services | two-services orders | two-services gateway URL-OF-ORDERS";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match *arguments {
        [] => start::both().await,
        ["orders"] => services::serve(services::orders()).await,
        ["gateway", orders] => match services::gateway(orders) {
            Ok(gateway) => services::serve(gateway).await,
            Err(error) => Err(error),
        },
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("two-services: {error}");
            ExitCode::FAILURE
        }
    }
}
