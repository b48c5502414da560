//! A program that ends, fails or is killed in the way its first argument says,
//! after recording spans. The tests look at what is left.

use std::io::Write;
use std::time::Duration;

use spandrel::{self as tracing, Guard};

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
                guard.shutdown(Duration::from_secs(5))
            })?;
        }
        "inside-drop" => {
            struct ShutsDown(Option<Guard>);
            impl Drop for ShutsDown {
                fn drop(&mut self) {
                    let report = self.0.take().map(|guard| guard.shutdown(Duration::from_secs(5)));
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
        // Writes until it is killed, each round a batch.
        "write" => {
            let _guard = tracing::init()?;
            say("ready");
            loop {
                record(SPANS);
                let _ = tracing::flush(Duration::from_secs(5));
            }
        }
        // Writes a number of spans and prints what became of them.
        "count" => {
            let guard = tracing::init()?;
            let rounds: usize = std::env::args().nth(2).unwrap_or_default().parse()?;
            for _ in 0..rounds {
                record(SPANS);
                let _ = tracing::flush(Duration::from_secs(5));
            }
            let report = guard.shutdown(Duration::from_secs(5)).unwrap_or_else(|error| error.report);
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
                let _ = tracing::flush(Duration::from_secs(5));
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
        let result = guard.shutdown(Duration::from_secs(5));
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
    guard.shutdown(Duration::from_secs(5))?;
    say(&format!("child {status}"));
    Ok(())
}
