//! A service that uses all that tracing has, round by round, and prints what became of
//! its spans. The tests look at how it gets on with a provider that does not.
//!
//! `serving ROUNDS [until PANICS | fork | swap]`

use std::io::Write;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use spandrel::{self as tracing, Provider, Report, Status};
use spandrel_provider_memory::{MemoryExporter, MemoryStore};

const DEADLINE: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rounds: usize = arguments.first().ok_or("no number of rounds")?.parse()?;
    let guard = tracing::init()?;
    serve_rounds(rounds, "");
    match arguments.get(1).map(String::as_str) {
        None => {}
        // Idle until the provider has panicked so often.
        Some("until") => {
            let panics: u64 = arguments.get(2).ok_or("no number of panics")?.parse()?;
            let end = Instant::now() + DEADLINE;
            while tracing::stats().panics < panics && Instant::now() < end {
                std::thread::yield_now();
            }
        }
        Some("fork") => {
            // SAFETY: the child calls only what a forked child of this library may call.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                serve_rounds(rounds, "child: ");
                let ended = guard.shutdown(DEADLINE);
                say("child: ", &ended.unwrap_or_else(|error| error.report));
                // SAFETY: ends the child without the handlers of the parent.
                unsafe { libc::_exit(0) };
            }
            let mut status = 0;
            // SAFETY: waits for the child made right above.
            unsafe { libc::waitpid(pid, &raw mut status, 0) };
            println!("child {status}");
        }
        Some("swap") => {
            let exporter = MemoryExporter::new(MemoryStore::new(NonZeroUsize::MAX));
            tracing::set_provider("memory", Provider::Exporter(Box::new(exporter)))?;
            serve_rounds(rounds, "swapped: ");
        }
        Some(other) => return Err(format!("unknown mode {other:?}").into()),
    }
    say("", &guard.shutdown(DEADLINE).unwrap_or_else(|error| error.report));
    Ok(())
}

/// Two spans in each round are recorded.
fn serve_rounds(rounds: usize, prefix: &str) {
    let mut served = 0;
    for _ in 0..rounds {
        served += serve();
        let _ = tracing::flush(DEADLINE);
        if let Some(tracer) = tracing::tracer() {
            let _ = tracer.health();
        }
        let _ = tracing::stats();
    }
    let on = if tracing::is_enabled() { "on" } else { "off" };
    println!("{prefix}served {served}, tracing {on}");
}

fn serve() -> usize {
    let headers =
        |flags| vec![("traceparent", format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}"))];
    let unsampled = tracing::extract(&headers("00"));
    tracing::span("unsampled").parent(&unsampled).run(|span| assert!(!span.is_recording()));
    let context = tracing::extract(&headers("01"));
    tracing::span("serve").parent(&context).run(|span| {
        span.set_attribute("a", 1);
        span.set_name("served");
        span.add_event("e", &[]);
        span.add_link(&span.context().unwrap_or_default(), &[]);
        span.set_status(Status::Ok);
        tracing::inject(&mut Vec::<(String, String)>::new());
        tracing::with_span("inner", |_| 1)
    })
}

fn say(prefix: &str, report: &Report) {
    for (name, stats) in &report.providers {
        let (recorded, exported) = (stats.recorded, stats.exported());
        let panicked: u64 = stats.branches.iter().map(|branch| branch.dropped.panicked).sum();
        let (dropped, pending, panics) = (stats.dropped(), stats.pending(), stats.panics);
        let balanced = if stats.is_balanced() { "balanced" } else { "not balanced" };
        println!(
            "{prefix}{name}: recorded {recorded}, exported {exported}, dropped {dropped}, \
             panicked {panicked}, pending {pending}, panics {panics}, {balanced}"
        );
    }
    let _ = std::io::stdout().flush();
}
