//! Three services that call each other over HTTP, traced from end to end.
//!
//! ```sh
//! cargo run --release --bin quickstart
//! TRACING_TYPE=console cargo run --release --bin quickstart
//! ```
//!
//! It sends itself 24 requests and ends. The way of a checkout:
//! customers ─► gateway ─► orders ─► payments.

#![forbid(unsafe_code)]

mod customers;
mod gateway;
mod orders;
mod payments;
mod server;

mod output;
mod tree;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use spandrel as tracing;

use customers::Visits;
use output::{Summary, TraceFile};

#[tokio::main]
async fn main() -> ExitCode {
    let file = TraceFile::at_start();
    let guard = match set_up_tracing() {
        Ok(guard) => guard,
        Err(error) => {
            eprintln!("quickstart: {error}");
            return ExitCode::from(2);
        }
    };
    let visits = match run().await {
        Ok(visits) => visits,
        Err(error) => {
            eprintln!("quickstart: {error}");
            return ExitCode::from(2);
        }
    };
    // Delivers the last spans. Dropping the guard does so, too, but says nothing.
    let (report, all_delivered) = match guard.shutdown(Duration::from_secs(5)) {
        Ok(report) => (report, true),
        Err(error) => {
            eprintln!("quickstart: {error}");
            (error.report, false)
        }
    };
    let summary = Summary { report: &report, visits: &visits, file: &file }.to_string();
    // The reader may have gone: `quickstart | head`.
    let _ = std::io::stdout().write_all(summary.as_bytes());
    if all_delivered && visits.unexpected.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A service would just call `tracing::init()`. This one should do something
/// useful without any configuration, too.
fn set_up_tracing() -> Result<tracing::Guard, tracing::Error> {
    let defaults = "type = 'file'\nflush_on_signals = true\nservice.name = 'quickstart'";
    tracing::builder().default_config(defaults).read_configuration().install()
}

/// Starts the services, the last one of the chain first, and lets customers in.
async fn run() -> Result<Visits, Box<dyn std::error::Error>> {
    let payments = server::start("payments", payments::routes()).await?;
    let orders = server::start("orders", orders::routes(&payments)?).await?;
    let gateway = server::start("gateway", gateway::routes(&orders)?).await?;
    Ok(customers::visit(&gateway, &[&gateway, &orders, &payments]).await?)
}
