use std::io;
use std::time::{Duration, Instant};

use crate::config::{Durability, FileConfig};
use crate::trace_file::TraceFile;

/// Decides when written lines are forced to the disk.
#[derive(Debug)]
pub(crate) struct Syncer {
    /// Least time between two syncs; `None` means that there are none.
    interval: Option<Duration>,
    last: Instant,
    is_dirty: bool,
}

impl Syncer {
    pub(crate) fn new(config: &FileConfig, now: Instant) -> Self {
        let interval = match config.durability {
            Durability::Process => None,
            Durability::Interval => Some(Duration::from_millis(config.sync_interval_ms)),
            Durability::Every => Some(Duration::ZERO),
        };
        Self { interval, last: now, is_dirty: false }
    }

    /// Whether anything is ever synced.
    pub(crate) const fn is_on(&self) -> bool {
        self.interval.is_some()
    }

    /// Notes that lines were written.
    pub(crate) const fn mark_written(&mut self) {
        self.is_dirty = self.is_on();
    }

    /// Syncs if lines were written and the interval is over.
    pub(crate) fn sync_if_due(&mut self, file: &TraceFile, now: Instant) -> io::Result<()> {
        if self.is_due(now) { self.sync(file, now) } else { Ok(()) }
    }

    /// Syncs if lines were written.
    pub(crate) fn sync(&mut self, file: &TraceFile, now: Instant) -> io::Result<()> {
        if !self.is_dirty {
            return Ok(());
        }
        // Also if it fails: the kernel reports a lost page only once, so that
        // trying again would report success.
        self.is_dirty = false;
        self.last = now;
        file.sync()
    }

    fn is_due(&self, now: Instant) -> bool {
        self.is_dirty && self.interval.is_some_and(|interval| now.duration_since(self.last) >= interval)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Syncer;
    use crate::config::{Durability, FileConfig};

    #[test]
    fn is_due_when_lines_were_written_and_the_interval_is_over() {
        let start = Instant::now();
        let mut config = FileConfig::default();
        for (durability, at_once, later) in
            [(Durability::Process, false, false), (Durability::Interval, false, true), (Durability::Every, true, true)]
        {
            config.durability = durability;
            let mut syncer = Syncer::new(&config, start);
            assert!(!syncer.is_due(start + Duration::from_secs(1)), "nothing was written");
            syncer.mark_written();
            assert_eq!(syncer.is_due(start), at_once, "{durability:?}");
            assert_eq!(syncer.is_due(start + Duration::from_millis(500)), later, "{durability:?}");
        }
    }
}
