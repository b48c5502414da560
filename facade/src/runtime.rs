//! What can be done to the installed tracer while the program runs.

use std::time::{Duration, Instant};

use spandrel_plugin_api::{Deadline, Error, ErrorKind, Provider, Stats};

use crate::open_spans::OpenSpan;
use crate::report::{Report, ShutdownError, first_error};
use crate::tracer::Tracer;
use crate::{global, setup};

/// Whether spans that start on this thread now have a tracer.
#[must_use]
pub fn is_enabled() -> bool {
    global::active().is_some()
}

/// The tracer of spans that start on this thread now; `None` where tracing is off.
#[must_use]
pub fn tracer() -> Option<Tracer> {
    global::active().map(Tracer)
}

/// Switches tracing on again after [`disable`]; nothing before installation.
pub fn enable() {
    let installed = global::installed();
    if let Some(tracer) = installed.current.filter(|_| !installed.is_shut_down) {
        global::activate(Some(tracer));
    }
}

/// Switches tracing off at once, at the price of one load for each call.
///
/// Spans that have started still end with their provider. Contexts that come in
/// are not passed on meanwhile; `TRACING_TYPE=noop` does that.
pub fn disable() {
    // Under the lock, so that it never crosses an `enable`.
    let _installed = global::installed();
    global::activate(None);
}

/// Puts another provider in the place of the active one; all else stays.
///
/// Spans that have started end with the provider that they began with, which
/// delivers them and then gives its worker back.
///
/// # Errors
///
/// [`ErrorKind::Unsupported`] before installation.
pub fn set_provider(name: &str, provider: Provider) -> Result<(), Error> {
    let builder = installed_builder()?;
    replace(builder.tracer_over(vec![(name.to_owned(), provider)])?);
    Ok(())
}

/// Reads the configuration again and installs what it says now.
///
/// # Errors
///
/// Those of [`init`](crate::init); the active tracer stays as it is then.
/// [`ErrorKind::Unsupported`] before installation.
pub fn reload() -> Result<(), Error> {
    replace(installed_builder()?.build()?);
    Ok(())
}

/// Delivers all spans that have ended, of all providers that were installed.
///
/// # Errors
///
/// [`ErrorKind::Timeout`] after `deadline`, or what a backend says.
pub fn flush(deadline: Duration) -> Result<(), Error> {
    each_within(deadline, Tracer::flush)
}

/// What became of the spans of the active provider so far.
#[must_use]
pub fn stats() -> Stats {
    let current = global::installed().current;
    current.map(Tracer::stats).unwrap_or_default()
}

/// The spans that are open now, the oldest first; empty unless the
/// configuration says `debug_open_spans = true`.
#[must_use]
pub fn open_spans() -> Vec<OpenSpan> {
    let all = global::installed().all.clone();
    all.into_iter().flat_map(Tracer::open_spans).collect()
}

/// Whether everything that was installed was shut down.
pub(crate) fn is_shut_down() -> bool {
    global::installed().is_shut_down
}

/// Delivers what is left, within `deadline`, and switches tracing off for good.
///
/// # Errors
///
/// Never `Ok` when spans were lost: the error has the report, too.
pub fn shutdown(deadline: Duration) -> Result<Report, ShutdownError> {
    let began = Instant::now();
    disable();
    let mut installed = global::installed();
    installed.is_shut_down = installed.current.is_some();
    drop(installed);
    let result = each_within(deadline, Tracer::shutdown);
    let all = global::installed().all.clone();
    let providers = all.iter().map(|tracer| (tracer.name().to_owned(), tracer.stats())).collect();
    Report { providers, elapsed: began.elapsed() }.judge(result.err())
}

fn each_within(deadline: Duration, call: impl Fn(Tracer, Duration) -> Result<(), Error>) -> Result<(), Error> {
    let until = Deadline::after(deadline);
    let all = global::installed().all.clone();
    first_error(all.iter().map(|tracer| call(*tracer, until.left())))
}

fn installed_builder() -> Result<setup::Builder, Error> {
    if is_shut_down() {
        return Err(Error::new(ErrorKind::Shutdown, "tracing was shut down, for good"));
    }
    let builder = global::installed().builder.clone();
    builder.ok_or_else(|| {
        Error::new(ErrorKind::Unsupported, "tracing is not installed yet; call `spandrel::init()` first")
    })
}

fn replace(tracer: Tracer) {
    let mut installed = global::installed();
    let before = installed.current.replace(tracer);
    installed.all.push(tracer);
    if global::is_active() {
        global::activate(Some(tracer));
    }
    drop(installed);
    if let Some(before) = before {
        before.0.retire();
    }
}
