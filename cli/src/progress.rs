use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// A line on standard error for what takes more than a second; on a terminal only.
pub(crate) struct Progress {
    what: String,
    /// Of the file, if it has a length.
    total: Option<u64>,
    done: u64,
    next: Option<Instant>,
    shown: bool,
}

impl Progress {
    pub(crate) fn new(what: String, total: Option<u64>) -> Self {
        let next = std::io::stderr().is_terminal().then(|| Instant::now() + Duration::from_secs(1));
        Self { what, total, done: 0, next, shown: false }
    }

    pub(crate) fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        let Some(next) = self.next else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        self.next = Some(now + Duration::from_millis(200));
        self.shown = true;
        let megabytes = self.done / 1_000_000;
        let share = self.total.filter(|total| *total > 0).map(|total| self.done.min(total) * 100 / total);
        let share = share.map(|share| format!(", {share} %")).unwrap_or_default();
        // If it cannot be shown, nobody misses it.
        let _ = write!(std::io::stderr(), "\r{}: {megabytes} MB{share} ", self.what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}
