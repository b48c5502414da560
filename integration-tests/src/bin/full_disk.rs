//! A service whose backend is away and whose spool is on a disk that is full.
//!
//! `full_disk URL [FILLER]`: puts spans on disk, fills the disk, records until spans are lost, and then does what
//! standard input says, a word a line: `room` makes room again, `end` ends it. With FILLER the disk is filled by a
//! file of that name on it; otherwise by a limit on the size of files, which cuts a write in its middle as well. The
//! spool is that of `TRACING_SPOOL_DIR`. It prints its counts after each step.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use spandrel::{self as tracing, Tracer};
use spandrel_integration_tests::process::until;
use spandrel_provider_otlp::OtlpFactory;

type Failure = Box<dyn Error>;

/// Only against hanging.
const LONG: Duration = Duration::from_secs(60);
/// In a batch of their own before the disk is full.
const FIRST: u64 = 200;
/// What is lost before the service goes on to the next step.
const LOSSES: u64 = 1000;
/// The head of a segment, and a few bytes of its first record.
const NEXT_TO_NOTHING: u64 = 20;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("usage: full_disk URL [FILLER]")?;
    let disk = arguments.next().map(PathBuf::from);
    let spool = PathBuf::from(std::env::var("TRACING_SPOOL_DIR")?);
    let mut service = Service { tracer: tracer(&url)?, next: 0 };
    service.record(FIRST, "");
    service.wait("the first are on disk", |stats| stats.spooled() == FIRST);
    service.say("spooled");

    match &disk {
        Some(filler) => fill(filler)?,
        None => {
            ignore_size_signal();
            // The next batch begins in a file that cannot take all of it.
            limit_files(segments(&spool)?.into_iter().max().unwrap_or(0) + 10)?;
            service.record(1, &"x".repeat(500));
            service.wait("it has gone to another file", |stats| stats.spooled() == FIRST + 1);
            assert_eq!(segments(&spool)?.len(), 2, "a torn record is followed by no other");
            limit_files(NEXT_TO_NOTHING)?;
        }
    }
    while service.tracer.stats().dropped() < LOSSES {
        service.record(100, "");
    }
    service.say("full");

    for line in std::io::stdin().lock().lines() {
        match line?.as_str() {
            "room" => {
                match &disk {
                    Some(filler) => fs::remove_file(filler)?,
                    None => limit_files(libc::RLIM_INFINITY)?,
                }
                service.wait("nothing waits in memory", |stats| stats.pending() == stats.spooled());
                service.say("room");
            }
            "end" => {
                service.tracer.flush(LONG).or_else(|error| match error.kind() {
                    // Tells of what was lost before.
                    tracing::ErrorKind::SpansLost => Ok(()),
                    _ => Err(error),
                })?;
                service.say("end");
                // In the books there is nothing left that could be lost now.
                let _ = service.tracer.shutdown(LONG);
                return Ok(());
            }
            other => return Err(format!("not {other:?}: say `room` or `end`").into()),
        }
    }
    Ok(())
}

fn tracer(url: &str) -> Result<Tracer, Failure> {
    // A queue that is soon full.
    let config = format!(
        "type = 'otlp'\n[batch]\nqueue_bytes = 131072\nretry_ms = 20\nretry_max_ms = 100\n\
         [provider.otlp]\nendpoint = '{url}'\nproxy = 'none'\n"
    );
    Ok(tracing::builder().register(OtlpFactory).default_config(config).read_configuration().build()?)
}

struct Service {
    tracer: Tracer,
    /// The number of the next span, which is in its name.
    next: u64,
}

impl Service {
    fn record(&mut self, spans: u64, text: &str) {
        for _ in 0..spans {
            let work = |span: tracing::SpanRef<'_>| {
                if !text.is_empty() {
                    span.set_attribute("text", text);
                }
                self.next + 1
            };
            // What the closure returns comes back, whatever becomes of its span.
            self.next = self.tracer.context().within(|| tracing::with_span(&format!("op {}", self.next), work));
        }
    }

    fn wait(&self, what: &str, is_so: impl Fn(&tracing::Stats) -> bool) {
        until(what, || {
            let stats = self.tracer.stats();
            assert!(stats.is_balanced(), "{stats}");
            is_so(&stats)
        });
    }

    fn say(&self, step: &str) {
        let stats = self.tracer.stats();
        assert!(stats.is_balanced(), "{stats}");
        assert_eq!(stats.recorded, self.next, "{stats}");
        let (dropped, pending, spooled) = (stats.dropped(), stats.pending(), stats.spooled());
        println!("{step} {} {} {dropped} {pending} {spooled} {stats}", stats.recorded, stats.exported());
        let _ = std::io::stdout().flush();
    }
}

/// The sizes of the files that a spool has its batches in.
fn segments(spool: &Path) -> Result<Vec<u64>, Failure> {
    let mut sizes = Vec::new();
    for folder in fs::read_dir(spool)? {
        for file in fs::read_dir(folder?.path())? {
            let file = file?;
            if file.path().extension().is_some_and(|extension| extension == "spool") {
                sizes.push(file.metadata()?.len());
            }
        }
    }
    Ok(sizes)
}

/// Writes zeros until there is no more room.
fn fill(filler: &Path) -> Result<(), Failure> {
    let mut file = File::create(filler)?;
    let mut chunk = &[0; 4096][..];
    loop {
        match file.write(chunk) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull && chunk.len() > 1 => chunk = &chunk[..1],
            Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Files may not grow beyond it: a write gets as far as there, and the next one fails.
fn limit_files(bytes: u64) -> Result<(), Failure> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is written to during the call.
    let got = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    limit.rlim_cur = bytes.min(limit.rlim_max);
    // SAFETY: the structure is read during the call.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) };
    if (got, set) == (0, 0) { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}

/// A file that would grow too large is an error then, and not the end of the process.
fn ignore_size_signal() {
    // SAFETY: a plain value; nothing runs in the handler.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}
