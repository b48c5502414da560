//! JSON logs with trace ids, of code that logs with `log` and of code that logs with `tracing`.
//!
//! ```text
//! cargo run -p spandrel-examples --example logs
//! ```

use log::{LevelFilter, Log, Metadata, Record};
use spandrel::testing;
use spandrel_log::{Logger, write_json};
use spandrel_tracing::WithIds;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// In a service this is env_logger, fern, ….
struct Stdout;

impl Log for Stdout {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= LevelFilter::Info
    }

    fn log(&self, record: &Record<'_>) {
        // A closed pipe is no reason to stop working.
        let _ = write_json(&mut std::io::stdout().lock(), record);
    }

    fn flush(&self) {}
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    Logger::new(Stdout).with_events(LevelFilter::Warn).install(LevelFilter::Info)?;
    let lines = tracing_subscriber::fmt::layer().json().map_event_format(WithIds::new);
    tracing_subscriber::registry()
        .with(tracing_subscriber::filter::LevelFilter::INFO)
        .with(spandrel_tracing::layer())
        .with(lines)
        .try_init()?;

    // A service calls `spandrel::init()` instead, and has its traces elsewhere.
    let trace = testing::capture(|| {
        log::info!("outside of spans there are no ids");
        spandrel::with_span("checkout", |_| {
            log::info!(items = 3; "a record of `log`");
            tracing::info_span!("reserve_stock", warehouse = "east").in_scope(|| {
                tracing::info!("an event of `tracing`");
                log::warn!("low on stock");
            });
        });
    });
    println!("\n{trace}");
    Ok(())
}
