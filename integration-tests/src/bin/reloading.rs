//! A service whose configuration is changed from `file` to `otlp` and back while its threads record.
//!
//! `reloading [RELOADS] [THREADS]`, 100 and 8 unless given: each reload waits until every thread has recorded some
//! more. Then every span must be in the trace file or at the backend, once. Works in the directory it is started in.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use spandrel as tracing;
use spandrel_integration_tests::backend::{Backend, Mood};
use spandrel_integration_tests::process::until;
use spandrel_integration_tests::trace_file::TraceFile;
use spandrel_provider_otlp::OtlpFactory;

/// Only against hanging.
const LONG: Duration = Duration::from_secs(60);
/// What each thread records between two reloads, at least.
const BETWEEN: u64 = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let number = |at: usize, default: u64| std::env::args().nth(at).map_or(Ok(default), |text| text.parse());
    let (reloads, threads) = (number(1, 100)?, number(2, 8)?);
    let backend = Backend::start(Mood::Healthy);
    let configs = [
        "type = 'file'\n[batch]\non_full = 'block'\n[provider.file]\npath = 'traces.jsonl'\n".to_owned(),
        format!(
            "type = 'otlp'\n[batch]\non_full = 'block'\n[provider.otlp]\nendpoint = '{}'\nproxy = 'none'\n",
            backend.url()
        ),
    ];
    std::fs::write("spandrel.toml", &configs[0])?;
    let guard = tracing::builder().register(OtlpFactory).read_configuration().install()?;

    let stop = AtomicBool::new(false);
    let recorded: Vec<AtomicU64> = (0..threads).map(|_| AtomicU64::new(0)).collect();
    let mut longest = Duration::ZERO;
    std::thread::scope(|scope| {
        for (thread, recorded) in recorded.iter().enumerate() {
            let stop = &stop;
            scope.spawn(move || record(thread, recorded, stop));
        }
        let reloaded = (1..=reloads).try_for_each(|reload| {
            let before: Vec<u64> = recorded.iter().map(|n| n.load(Ordering::Relaxed)).collect();
            until("all threads record", || {
                let mut threads = recorded.iter().zip(&before);
                threads.all(|(now, before)| now.load(Ordering::Relaxed) >= before + BETWEEN)
            });
            std::fs::write("spandrel.toml", &configs[usize::from(reload % 2 == 1)])?;
            let began = Instant::now();
            tracing::reload()?;
            longest = longest.max(began.elapsed());
            Ok::<_, Box<dyn Error>>(())
        });
        stop.store(true, Ordering::Relaxed);
        reloaded
    })?;
    let report = guard.shutdown(LONG)?;

    let file = TraceFile::read(Path::new("traces.jsonl"));
    let mut arrived = backend.spans();
    let over_otlp = arrived.len();
    for span in &file.spans {
        *arrived.entry(span["name"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    let expected: BTreeMap<String, u32> =
        recorded.iter().enumerate().flat_map(|(thread, n)| names(thread, n.load(Ordering::Relaxed))).collect();
    let lost = expected.keys().filter(|name| !arrived.contains_key(*name)).count();
    let twice = arrived.values().filter(|times| **times > 1).count();
    let (all, in_file) = (expected.len(), file.spans.len());
    println!(
        "{reloads} reloads under {threads} threads: {all} spans, {in_file} in the file, {over_otlp} over OTLP, \
         {lost} lost, {twice} twice; a reload took at most {:.1} ms",
        longest.as_secs_f64() * 1e3
    );
    assert_eq!((lost, twice, arrived.len()), (0, 0, all));
    assert_eq!((file.is_torn, file.unreadable), (false, 0));
    assert_eq!((report.recorded(), report.exported(), report.dropped()), (all as u64, all as u64, 0), "{report}");
    assert!(report.is_balanced() && report.pending() == 0, "{report}");
    Ok(())
}

/// Records a span and one in it until it is told to stop; both may be open while the provider changes.
fn record(thread: usize, recorded: &AtomicU64, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let n = recorded.load(Ordering::Relaxed);
        let outer = tracing::start_span(&name(thread, n));
        let inner = outer.context().map(|_| tracing::start_span(&name(thread, n + 1)));
        std::thread::yield_now();
        drop(outer);
        drop(inner);
        recorded.store(n + 2, Ordering::Relaxed);
    }
}

fn name(thread: usize, n: u64) -> String {
    format!("op {thread} {n}")
}

fn names(thread: usize, spans: u64) -> impl Iterator<Item = (String, u32)> {
    (0..spans).map(move |n| (name(thread, n), 1))
}
