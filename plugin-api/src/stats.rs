use std::fmt;
use std::time::Duration;

/// What became of the spans of a provider, counted, not estimated.
///
/// While no span ends, and for each branch: `recorded + recovered == exported + dropped + pending`.
/// Nothing is recovered without a spool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Sampled spans that ended.
    pub recorded: u64,
    /// Calls into a provider that panicked.
    pub panics: u64,
    /// One entry for each exporter; empty for a provider that exports by itself.
    pub branches: Vec<BranchStats>,
}

/// What became of the spans on their way to one exporter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BranchStats {
    /// The provider's name.
    pub name: String,
    /// Spans that the exporter accepted.
    pub exported: u64,
    /// Spans that were lost.
    pub dropped: Dropped,
    /// Spans that wait for the worker, are with the exporter now, or lie on disk.
    pub pending: u64,
    /// Of the pending ones, those that lie on disk; a shutdown leaves them there.
    pub spooled: u64,
    /// Spans of earlier processes that were found on disk. They are not `recorded`.
    pub recovered: u64,
    /// Memory that finished spans take up while they wait for the worker.
    pub queue_bytes: u64,
    /// Batches that the exporter was called with, tried again or not.
    pub exports: u64,
    /// Of these, how many will be tried again, or were, because the backend was unavailable.
    pub retries: u64,
    /// The time that all these calls took.
    pub export_time: Duration,
    /// The time that the last one took.
    pub last_export_time: Duration,
    /// What the last export that failed said; empty if none has.
    pub last_error: String,
}

/// Lost spans by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Dropped {
    /// The queue was full, and the policy is not to wait, or not any longer.
    pub queue_full: u64,
    /// The span alone is larger than the queue allows.
    pub too_large: u64,
    /// The exporter answered with an error, or its backend was unavailable until shutdown.
    pub export_failed: u64,
    /// The provider panicked, or was quarantined because it had.
    pub panicked: u64,
    /// The span ended after shutdown.
    pub after_shutdown: u64,
    /// The span was recorded by the parent of a forked process, which exports it.
    pub forked: u64,
    /// The spool was full, and these were the oldest in it.
    pub spool_full: u64,
    /// They lay in the spool for longer than its `max_age`.
    pub expired: u64,
    /// They could not be read from the spool any more.
    pub damaged: u64,
}

impl Stats {
    /// Spans that every exporter accepted.
    #[must_use]
    pub fn exported(&self) -> u64 {
        self.branches.iter().map(|b| b.exported).min().unwrap_or(0)
    }

    /// Spans lost, over all branches.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.branches.iter().map(|b| b.dropped.total()).sum()
    }

    /// Spans on their way, in the branch that has most of them.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.branches.iter().map(|b| b.pending).max().unwrap_or(0)
    }

    /// Spans on disk, in the branch that has most of them; they are pending, too.
    #[must_use]
    pub fn spooled(&self) -> u64 {
        self.branches.iter().map(|b| b.spooled).max().unwrap_or(0)
    }

    /// Whether each branch accounts for every recorded span, and for those it found.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        let accounted = |b: &BranchStats| b.exported + b.dropped.total() + b.pending;
        self.branches.iter().all(|b| accounted(b) == self.recorded + b.recovered)
    }
}

impl Dropped {
    /// All losses together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.reasons().iter().map(|(_, count)| count).sum()
    }

    /// Each reason with its count.
    #[must_use]
    pub fn reasons(&self) -> [(&'static str, u64); 9] {
        [
            ("queue full", self.queue_full),
            ("too large", self.too_large),
            ("export failed", self.export_failed),
            ("provider panicked", self.panicked),
            ("after shutdown", self.after_shutdown),
            ("forked", self.forked),
            ("spool full", self.spool_full),
            ("expired", self.expired),
            ("damaged", self.damaged),
        ]
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recorded {}", self.recorded)?;
        for branch in &self.branches {
            let BranchStats { name, exported, dropped, pending, spooled, recovered, .. } = branch;
            write!(f, "; {name}: exported {exported}, dropped {}, pending {pending}", dropped.total())?;
            for (count, what) in [(spooled, "on disk"), (recovered, "recovered")] {
                if *count > 0 {
                    write!(f, ", {what} {count}")?;
                }
            }
            let lost: Vec<String> =
                dropped.reasons().iter().filter(|(_, n)| *n > 0).map(|(why, n)| format!("{why} {n}")).collect();
            if !lost.is_empty() {
                write!(f, " ({})", lost.join(", "))?;
            }
        }
        if self.panics > 0 {
            write!(f, "; provider panics {}", self.panics)?;
        }
        Ok(())
    }
}
