//! A program that ends, fails or is killed in the way its first argument says,
//! after recording spans. The tests look at what is left.

use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use spandrel::provider::Plugin;
use spandrel::{self as tracing, Guard, ProviderFactory};
use spandrel_integration_tests::process::until;
use spandrel_plugin_api::{
    Host, InstrumentationScope, Provider, Resource, SpanContext, SpanId, SpanKind, SpanStart, Timestamp, TraceFlags,
    TraceId, TracingProvider,
};
use spandrel_recorder::{Recorder, RecorderConfig};

/// Only against hanging: other programs use this machine as well.
const DEADLINE: Duration = Duration::from_secs(60);
const SPANS: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mode = std::env::args().nth(1).unwrap_or_default();
    match mode.as_str() {
        "return" => {
            let _guard = tracing::init()?;
            record(SPANS);
        }
        "panic" => {
            let _guard = tracing::init()?;
            record(SPANS);
            panic!("by the test");
        }
        "exit" => {
            let guard = tracing::init()?;
            record(SPANS);
            std::mem::forget(guard);
            std::process::exit(7);
        }
        "wait" => {
            // Ended by a signal.
            let _guard = tracing::init()?;
            record(SPANS);
            say("ready");
            loop {
                std::thread::park();
            }
        }
        "current-thread" => {
            let _guard = tracing::init()?;
            runtime().block_on(async {
                for _ in 0..SPANS {
                    tracing::with_span_async("op", tokio::task::yield_now()).await;
                }
            });
        }
        "inside-async" => {
            let guard = tracing::init()?;
            runtime().block_on(async {
                record(SPANS);
                guard.shutdown(DEADLINE)
            })?;
        }
        "inside-drop" => {
            struct ShutsDown(Option<Guard>);
            impl Drop for ShutsDown {
                fn drop(&mut self) {
                    let report = self.0.take().map(|guard| guard.shutdown(DEADLINE));
                    assert!(matches!(report, Some(Ok(report)) if report.exported() == SPANS as u64));
                }
            }
            let _shuts_down = ShutsDown(Some(tracing::init()?));
            record(SPANS);
        }
        "init-twice" => {
            let _guard = tracing::init()?;
            let _second = tracing::init()?;
        }
        "fork" => fork()?,
        "fork-once" => fork_once()?,
        "hear" => hear()?,
        "reload" => reload()?,
        "churn" => churn()?,
        // Writes until it is killed, each round a batch.
        "write" => {
            let _guard = tracing::init()?;
            say("ready");
            loop {
                record(SPANS);
                let _ = tracing::flush(DEADLINE);
            }
        }
        // Writes a number of spans and prints what became of them.
        "count" => {
            let guard = tracing::init()?;
            let rounds: usize = std::env::args().nth(2).unwrap_or_default().parse()?;
            for _ in 0..rounds {
                record(SPANS);
                let _ = tracing::flush(DEADLINE);
            }
            let report = guard.shutdown(DEADLINE).unwrap_or_else(|error| error.report);
            let balanced = report.providers.iter().all(|(_, stats)| stats.is_balanced());
            let (recorded, exported) = (report.recorded(), report.exported());
            say(&format!("{recorded} {exported} {} {balanced}", report.dropped()));
        }
        other => return Err(format!("unknown mode {other:?}").into()),
    }
    Ok(())
}

fn record(spans: usize) {
    for i in 0..spans {
        tracing::with_span("op", |span| span.set_attribute("i", i));
    }
}

fn say(line: &str) {
    println!("{line}");
    let _ = std::io::stdout().flush();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts")
}

/// Records before and after a reload, with a span that is open meanwhile.
fn reload() -> Result<(), Box<dyn std::error::Error>> {
    let (told, tells) = std::sync::mpsc::channel();
    let told = Mutex::new(told);
    tracing::diagnostics::set_handler(Box::new(move |_, text| {
        let _ = told.lock().map(|told| told.send(text.to_owned()));
    }));
    let guard = tracing::init()?;
    record(SPANS);
    let across = tracing::start_span("across");
    say("ready");
    say(&tells.recv_timeout(DEADLINE)?);
    across.end();
    record(SPANS);
    let report = guard.shutdown(DEADLINE)?;
    say(&format!("{} {}", report.recorded(), report.exported()));
    Ok(())
}

/// The parent records before, during and after; so does the child.
fn fork() -> Result<(), Box<dyn std::error::Error>> {
    let guard = tracing::init()?;
    record(SPANS);
    let mut across = tracing::start_span("across");
    // Another thread records all the time, so that locks are held at the fork.
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let busy = {
        let stop = stop.clone();
        std::thread::spawn(move || {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                tracing::with_span("busy", |_| ());
                let _ = tracing::flush(DEADLINE);
            }
        })
    };
    // SAFETY: the child calls only what a forked child of this library may call:
    // that it may is what is tested here.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        across.set_attribute("child", true);
        drop(across);
        for _ in 0..SPANS {
            tracing::with_span("child", |_| ());
        }
        let result = guard.shutdown(DEADLINE);
        let forked =
            result.err().map_or(0, |e| e.report.providers.iter().map(|(_, s)| s.branches[0].dropped.forked).sum());
        // SAFETY: ends the child without the handlers of the parent.
        unsafe { libc::_exit(if forked == 1 || forked == 101 { 0 } else { 3 }) };
    }
    for _ in 0..SPANS {
        tracing::with_span("parent", |_| ());
    }
    let mut status = 0;
    // SAFETY: waits for the child made right above.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    busy.join().map_err(|_| "the busy thread panicked")?;
    drop(across);
    guard.shutdown(DEADLINE)?;
    say(&format!("child {status}"));
    Ok(())
}

/// The parent does nothing while the child records, in several threads at once.
fn fork_once() -> Result<(), Box<dyn std::error::Error>> {
    let guard = tracing::init()?;
    record(SPANS);
    let _ = tracing::flush(DEADLINE);
    let across = tracing::start_span("across");
    // SAFETY: the child calls only what a forked child of this library may call.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..SPANS).for_each(|_| tracing::with_span("child", |_| ())));
            }
        });
        drop(across);
        let _ = tracing::flush(DEADLINE);
        let report = guard.shutdown(DEADLINE).unwrap_or_else(|error| error.report);
        say(&format!("child: {report}"));
        // SAFETY: ends the child without the handlers of the parent.
        unsafe { libc::_exit(if report.is_balanced() { 0 } else { 3 }) };
    }
    let mut status = 0;
    // SAFETY: waits for the child made right above.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    record(SPANS);
    drop(across);
    guard.shutdown(DEADLINE)?;
    say(&format!("child {status}"));
    Ok(())
}

/// Records spans with the names that the arguments say; prints what the service hears of its provider.
fn hear() -> Result<(), Box<dyn std::error::Error>> {
    static HEARD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    tracing::diagnostics::set_handler(Box::new(|_, text| {
        HEARD.lock().map(|mut heard| heard.push(text.to_owned())).unwrap_or_default();
    }));
    let guard = tracing::init()?;
    for name in std::env::args().skip(2) {
        tracing::with_span(&name, |_| ());
    }
    let ended = guard.shutdown(DEADLINE);
    let report = ended.unwrap_or_else(|error| error.report);
    for heard in HEARD.lock().map_err(|_| "a handler panicked")?.iter() {
        say(heard);
    }
    say(&report.to_string());
    Ok(())
}

/// Makes, uses and drops instances of a plugin; prints how many threads there were meanwhile,
/// and how many open files after the first one and after the last one.
fn churn() -> Result<(), Box<dyn std::error::Error>> {
    const ROUNDS: usize = 20;
    let [library, config] = [2, 3].map(|n| std::env::args().nth(n).unwrap_or_default());
    let (plugin, resource) = (Plugin::load(library.as_ref())?, Resource::new());
    let entries = |folder| std::fs::read_dir(folder).map_or(0, Iterator::count);
    let (mut threads, mut files) = (0, Vec::new());
    for round in 0..ROUNDS {
        let provider: Box<dyn TracingProvider> = match plugin.create(&config, &Host::new(&resource))? {
            Provider::Live(provider) => provider,
            Provider::Exporter(exporter) => {
                let exporters = vec![("churn".to_owned(), exporter)];
                Box::new(Recorder::new(RecorderConfig::default(), &resource, exporters))
            }
            other => return Err(format!("not one provider: {other:?}").into()),
        };
        let context = SpanContext::new(TraceId::from_bytes([1; 16]), SpanId::from_bytes([1; 8]), TraceFlags::SAMPLED);
        let start = SpanStart {
            name: "op",
            context: &context,
            parent: None,
            kind: SpanKind::Internal,
            time: Timestamp::from_unix_nanos(1),
            attributes: &[],
            links: &[],
            scope: InstrumentationScope::default(),
        };
        provider.end_span(provider.start_span(&start), Timestamp::from_unix_nanos(2));
        provider.force_flush(DEADLINE)?;
        threads += entries("/proc/self/task") - 1;
        if round % 2 == 0 {
            provider.shutdown(DEADLINE)?;
        }
        drop(provider);
        // A thread that has been joined, or has said that it is done, may still be leaving.
        until("its threads are gone", || entries("/proc/self/task") == 1);
        files.push(entries("/proc/self/fd"));
    }
    say(&format!("{} of {ROUNDS} {} {}", threads.min(ROUNDS), files[0], files[ROUNDS - 1]));
    Ok(())
}
