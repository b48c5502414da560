//! A service with a spool that forks while its backend is away.
//!
//! `forked URL quiet|busy`: records, forks, and lets the child record as well, with a spool in the same folder
//! (`TRACING_SPOOL_DIR`). If it is `quiet`, nobody else does anything meanwhile, and the folder of the parent must
//! stay as it is; if it is `busy`, another thread records before, during and after. It prints what became of the
//! child's spans; on a line of standard input the parent delivers its own and ends.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{PipeReader, Read, Write, pipe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use spandrel::{self as tracing, Tracer};
use spandrel_integration_tests::process::until;
use spandrel_provider_otlp::OtlpFactory;

type Failure = Box<dyn Error>;

/// Only against hanging.
const LONG: Duration = Duration::from_secs(60);
const SPANS: u64 = 100;

fn main() -> Result<(), Failure> {
    let [url, mode] = [1, 2].map(|n| std::env::args().nth(n).unwrap_or_default());
    let spool = PathBuf::from(std::env::var("TRACING_SPOOL_DIR")?);
    let tracer = tracer(&url)?;
    record(tracer, "before");
    until("all is on disk", || tracer.stats().spooled() == SPANS);
    let (stop, busy) = (AtomicBool::new(mode != "busy"), AtomicU64::new(0));
    let status = std::thread::scope(|scope| {
        let another = scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let n = busy.fetch_add(1, Ordering::Relaxed);
                tracer.context().within(|| tracing::with_span(&format!("busy {n}"), |_| ()));
                // So that locks are held at the fork, as often as not.
                let _ = tracer.stats();
                // A service does other things, too.
                std::thread::sleep(Duration::from_micros(50));
            }
        });
        if mode != "busy" {
            let _ = another.join();
        } else {
            until("the other thread records", || busy.load(Ordering::Relaxed) > 1000);
        }
        // In blocks and in the queue at the fork.
        record(tracer, "inherited");
        let status = fork(tracer, &spool, mode != "busy");
        record(tracer, "after");
        stop.store(true, Ordering::Relaxed);
        status
    })?;
    say(&format!("child {status}"));
    std::io::stdin().read_exact(&mut [0])?;
    tracer.flush(LONG)?;
    let shutdown = tracer.shutdown(LONG);
    say(&format!("parent {} {} {:?}", busy.into_inner(), tracer.stats(), shutdown.is_ok()));
    Ok(())
}

fn tracer(url: &str) -> Result<Tracer, Failure> {
    let config = format!(
        "type = 'otlp'\n[batch]\non_full = 'block'\nretry_ms = 20\nretry_max_ms = 100\n\
         [provider.otlp]\nendpoint = '{url}'\nproxy = 'none'\n"
    );
    Ok(tracing::builder().register(OtlpFactory).default_config(config).read_configuration().build()?)
}

fn record(tracer: Tracer, name: &str) {
    for n in 0..SPANS {
        tracer.context().within(|| tracing::with_span(&format!("{name} {n}"), |_| ()));
    }
}

/// How the child ended.
fn fork(tracer: Tracer, spool: &Path, is_quiet: bool) -> Result<i32, Failure> {
    let across = tracer.context().within(|| tracing::start_span("across"));
    let (mut ready, mut go) = pipe()?;
    // SAFETY: the child calls only what a forked child of this library may call: that it may
    // is what is tested here.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        drop(go);
        let is_fine = child(tracer, across, &mut ready).unwrap_or(false);
        // SAFETY: ends the child without the handlers of the parent.
        unsafe { libc::_exit(if is_fine { 0 } else { 3 }) };
    }
    drop(across);
    let mut folder = BTreeMap::new();
    if is_quiet {
        // Nothing of the parent is on its way then, so that its folder would stay as it is.
        until("all is on disk", || tracer.stats().spooled() == 2 * SPANS + 1);
        folder = files(spool)?;
    }
    go.write_all(b"!")?;
    let mut status = 0;
    // SAFETY: waits for the child made right above.
    unsafe { libc::waitpid(pid, &raw mut status, 0) };
    let after = files(spool)?;
    let changed = folder.iter().find(|(path, content)| after.get(*path) != Some(*content));
    match changed {
        Some((path, _)) => Err(format!("the child has touched {}", path.display()).into()),
        None => Ok(status),
    }
}

/// Whether the child's books are balanced, and have nothing but its own spans.
fn child(tracer: Tracer, across: tracing::Span, ready: &mut PipeReader) -> Result<bool, Failure> {
    ready.read_exact(&mut [0])?;
    drop(across);
    record(tracer, "child");
    let shutdown = tracer.shutdown(LONG);
    let stats = tracer.stats();
    let forked: u64 = stats.branches.iter().map(|branch| branch.dropped.forked).sum();
    let (recorded, spooled) = (stats.recorded, stats.spooled());
    say(&format!("child {recorded} {forked} {spooled} {:?} {stats}", shutdown.is_ok()));
    // All are on its disk, but for the span that the parent began; or, if the parent was at
    // work with the exporter, none.
    let is_told = forked == 1 && spooled == SPANS || forked == SPANS + 1 && spooled == 0;
    Ok(is_told && stats.is_balanced() && recorded == SPANS + 1)
}

/// What lies in the folders of a spool.
fn files(spool: &Path) -> Result<BTreeMap<PathBuf, Vec<u8>>, Failure> {
    let mut files = BTreeMap::new();
    for folder in fs::read_dir(spool)? {
        for file in fs::read_dir(folder?.path())? {
            let path = file?.path();
            files.insert(path.clone(), fs::read(&path)?);
        }
    }
    Ok(files)
}

fn say(line: &str) {
    println!("{line}");
    let _ = std::io::stdout().flush();
}
