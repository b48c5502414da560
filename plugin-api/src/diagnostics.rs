//! What Spandrel has to say about itself: a lost span, an unreachable backend.
//!
//! Goes to standard error unless a handler is set. Each place that reports
//! limits its rate, so that a broken backend does not fill the log.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

/// How serious a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// Something was lost or does not work.
    Warning,
    /// Worth knowing.
    Info,
}

/// Receives messages in place of standard error.
pub type Handler = Box<dyn Fn(Level, &str) + Send + Sync>;

static HANDLER: OnceLock<Handler> = OnceLock::new();

/// Sends messages to `handler` from now on; `false` if one was set before.
pub fn set_handler(handler: Handler) -> bool {
    HANDLER.set(handler).is_ok()
}

/// Reports a message.
pub fn report(level: Level, message: &str) {
    match HANDLER.get() {
        Some(handler) => handler(level, message),
        None => {
            use std::io::Write;
            let word = match level {
                Level::Warning => "warning",
                Level::Info => "info",
            };
            // Standard error may be closed; that is no reason to panic.
            let _ = writeln!(std::io::stderr(), "spandrel: {word}: {message}");
        }
    }
}

static COUNTERS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
static COUNTER: OnceLock<fn(&str, u64)> = OnceLock::new();

/// Adds to a counter, made at its first use. For things worth counting besides
/// spans, which have [`Stats`](crate::Stats); not for every span, as it takes a lock.
pub fn count(name: &str, by: u64) {
    if let Some(counter) = COUNTER.get() {
        return counter(name, by);
    }
    let mut counters = COUNTERS.lock().unwrap_or_else(PoisonError::into_inner);
    match counters.get_mut(name) {
        Some(value) => *value = value.saturating_add(by),
        None => drop(counters.insert(name.to_owned(), by)),
    }
}

/// All counters by name. Those of a plugin begin with its name and a dot.
#[must_use]
pub fn counters() -> BTreeMap<String, u64> {
    COUNTERS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Counts elsewhere from now on; in a plugin that is the host.
#[cfg(feature = "plugin")]
pub(crate) fn set_counter(counter: fn(&str, u64)) {
    let _ = COUNTER.set(counter);
}

/// Lets one message through in ten seconds and counts the others.
#[derive(Debug)]
pub struct RateLimit {
    next_ms: AtomicU64,
    suppressed: AtomicU64,
}

impl RateLimit {
    const INTERVAL_MS: u64 = 10_000;

    /// A limit that lets the first message through.
    #[must_use]
    pub const fn new() -> Self {
        Self { next_ms: AtomicU64::new(0), suppressed: AtomicU64::new(0) }
    }

    /// Reports the message unless one was reported within the last ten seconds.
    pub fn warn(&self, message: impl FnOnce() -> String) {
        static START: OnceLock<Instant> = OnceLock::new();
        let elapsed = START.get_or_init(Instant::now).elapsed();
        let now = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let next = self.next_ms.load(Ordering::Relaxed);
        let due = now >= next
            && self
                .next_ms
                .compare_exchange(next, now + Self::INTERVAL_MS, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !due {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match self.suppressed.swap(0, Ordering::Relaxed) {
            0 => report(Level::Warning, &message()),
            n => report(Level::Warning, &format!("{} ({n} similar messages suppressed)", message())),
        }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self::new()
    }
}
