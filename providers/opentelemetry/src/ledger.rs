use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use spandrel_plugin_api::diagnostics::{Level, RateLimit, report};
use spandrel_plugin_api::{BranchStats, Deadline, Dropped, Error, ErrorKind, Stats};

/// After this many panics an exporter is not called again.
const MAX_PANICS: u32 = 3;

/// What became of each span, told by those who had it: the SDK does not say what it
/// drops, and its shutdown is `Ok` though everything was lost.
#[derive(Debug)]
pub(crate) struct Ledger {
    counts: Mutex<Counts>,
    /// Spans were settled, or a worker ended.
    changed: Condvar,
    full: RateLimit,
    failed: RateLimit,
}

#[derive(Debug, Default)]
struct Counts {
    recorded: u64,
    is_closing: bool,
    branches: Vec<Branch>,
}

/// The spans on their way to one exporter.
#[derive(Debug)]
struct Branch {
    name: String,
    /// Most spans that the queue of the SDK holds.
    room: u64,
    queued: u64,
    exporting: u64,
    exported: u64,
    dropped: Dropped,
    /// Spans that were queued once and are exported or lost now.
    settled: u64,
    /// Lost spans that no flush has told of.
    untold: u64,
    panics: u32,
    end: Option<End>,
    /// Why the last export failed, if it did.
    failure: Option<String>,
}

/// Why the worker of an exporter is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Shutdown,
    Died,
    Forked,
}

/// How an export ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Exported,
    Failed(String),
    Panicked,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { counts: Mutex::default(), changed: Condvar::new(), full: RateLimit::new(), failed: RateLimit::new() }
    }

    /// Adds a branch and says its number.
    pub(crate) fn open(&self, name: String, room: usize) -> usize {
        let mut counts = self.lock();
        counts.branches.push(Branch::new(name, room as u64));
        counts.branches.len() - 1
    }

    /// Nothing will be exported: this process was forked, and its threads are the parent's.
    pub(crate) fn end_forked(&self) {
        self.lock().branches.iter_mut().for_each(|branch| branch.end = Some(End::Forked));
    }

    /// Counts a span that ended, and says which branches have room for it.
    pub(crate) fn record(&self) -> Vec<bool> {
        let mut counts = self.lock();
        counts.recorded += 1;
        let is_full = counts.branches.iter().find(|branch| branch.is_full()).map(|branch| branch.name.clone());
        let taken = counts.branches.iter_mut().map(Branch::take).collect();
        drop(counts);
        if let Some(name) = is_full {
            self.full.warn(|| {
                format!(
                    "provider {name} is slower than the service and its queue is full: spans are dropped; \
                     raise batch.max_queue_spans"
                )
            });
        }
        taken
    }

    /// Counts a span that ended after shutdown.
    pub(crate) fn record_late(&self) {
        self.record_lost(|dropped| dropped.after_shutdown += 1);
    }

    /// Counts a span of a forked process' parent, which exports it.
    pub(crate) fn record_forked(&self) {
        self.record_lost(|dropped| dropped.forked += 1);
    }

    fn record_lost(&self, count: impl Fn(&mut Dropped)) {
        let mut counts = self.lock();
        counts.recorded += 1;
        counts.branches.iter_mut().for_each(|branch| count(&mut branch.dropped));
    }

    /// The exporter gets spans out of its queue; false if it must not be called again.
    pub(crate) fn begin_export(&self, branch: usize, spans: u64) -> bool {
        let mut counts = self.lock();
        let Some(branch) = counts.branches.get_mut(branch) else { return false };
        branch.queued = branch.queued.saturating_sub(spans);
        branch.exporting += spans;
        branch.panics < MAX_PANICS
    }

    pub(crate) fn end_export(&self, branch: usize, spans: u64, outcome: Outcome) {
        let mut counts = self.lock();
        let Some(branch) = counts.branches.get_mut(branch) else { return };
        branch.exporting = branch.exporting.saturating_sub(spans);
        branch.settled += spans;
        let name = branch.name.clone();
        branch.failure = match outcome {
            Outcome::Exported => {
                branch.exported += spans;
                None
            }
            Outcome::Failed(why) => {
                branch.dropped.export_failed += spans;
                branch.untold += spans;
                Some(why)
            }
            Outcome::Panicked => {
                branch.panics = (branch.panics + 1).min(MAX_PANICS);
                branch.dropped.panicked += spans;
                branch.untold += spans;
                Some(match branch.panics {
                    MAX_PANICS => format!("it panicked {MAX_PANICS} times and is out of service now"),
                    _ => "it panicked".to_owned(),
                })
            }
        };
        let failure = branch.failure.clone();
        drop(counts);
        self.changed.notify_all();
        if let Some(why) = failure {
            self.failed.warn(|| format!("provider {name} could not export {spans} spans: {why}"));
        }
    }

    /// The worker is gone, and what it had with it.
    pub(crate) fn end(&self, branch: usize) {
        let mut counts = self.lock();
        let is_closing = counts.is_closing;
        let Some(branch) = counts.branches.get_mut(branch) else { return };
        let lost = branch.queued + branch.exporting;
        (branch.queued, branch.exporting) = (0, 0);
        branch.settled += lost;
        if is_closing {
            // These ended while it shut down: what ended before was exported.
            branch.end = Some(End::Shutdown);
            branch.dropped.after_shutdown += lost;
        } else {
            branch.end = Some(End::Died);
            branch.dropped.panicked += lost;
            branch.untold += lost;
        }
        let name = branch.name.clone();
        drop(counts);
        self.changed.notify_all();
        if !is_closing {
            let text = format!("the export thread of provider {name} is gone: spans are dropped");
            report(Level::Warning, &text);
        }
    }

    /// Workers that end from now on were asked to.
    pub(crate) fn close(&self) {
        self.lock().is_closing = true;
    }

    /// What has to be settled for all spans that have ended to be settled.
    pub(crate) fn targets(&self) -> Vec<u64> {
        self.lock().branches.iter().map(|branch| branch.settled + branch.pending()).collect()
    }

    pub(crate) fn wait_settled(&self, targets: &[u64], until: Deadline) -> bool {
        self.wait(until, |counts| counts.branches.iter().zip(targets).all(|(branch, target)| branch.settled >= *target))
    }

    pub(crate) fn wait_ended(&self, until: Deadline) -> bool {
        self.wait(until, |counts| counts.branches.iter().all(|branch| branch.end.is_some()))
    }

    fn wait(&self, until: Deadline, is_reached: impl Fn(&Counts) -> bool) -> bool {
        let counts = self.lock();
        let waited = self.changed.wait_timeout_while(counts, until.left(), |counts| !is_reached(counts));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Tells of lost spans once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::SpansLost`] if there are any.
    pub(crate) fn tell(&self) -> Result<(), Error> {
        let mut counts = self.lock();
        for branch in &mut counts.branches {
            let untold = std::mem::take(&mut branch.untold);
            if untold > 0 {
                let error = Error::new(ErrorKind::SpansLost, format!("{untold} spans could not be exported"));
                let why = if branch.end.is_some() { "its thread is gone" } else { "its queue was full" };
                return Err(branch.explain(error, Some(why)));
            }
        }
        Ok(())
    }

    /// An error that says what is still on its way.
    pub(crate) fn timeout(&self, what: &str) -> Error {
        let pending = self.lock().branches.iter().map(Branch::pending).max().unwrap_or(0);
        Error::new(ErrorKind::Timeout, format!("{what} did not finish before its deadline"))
            .with_context("pending", pending.to_string())
    }

    pub(crate) fn health(&self) -> Result<(), Error> {
        let counts = self.lock();
        for branch in &counts.branches {
            let error = match (branch.end, &branch.failure) {
                (Some(End::Died), _) => Error::new(ErrorKind::Panicked, "the export thread is gone"),
                (Some(End::Forked), _) => Error::new(ErrorKind::Unsupported, "nothing is exported in a forked process"),
                (Some(End::Shutdown), _) => Error::new(ErrorKind::Shutdown, "it was shut down"),
                (None, Some(_)) => Error::new(ErrorKind::Unavailable, "the last export failed"),
                (None, None) => continue,
            };
            return Err(branch.explain(error, None));
        }
        Ok(())
    }

    pub(crate) fn stats(&self) -> Stats {
        let counts = self.lock();
        let mut stats = Stats::default();
        stats.recorded = counts.recorded;
        stats.branches = counts.branches.iter().map(Branch::stats).collect();
        stats
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Branch {
    fn new(name: String, room: u64) -> Self {
        Self {
            name,
            room,
            queued: 0,
            exporting: 0,
            exported: 0,
            dropped: Dropped::default(),
            settled: 0,
            untold: 0,
            panics: 0,
            end: None,
            failure: None,
        }
    }

    const fn is_full(&self) -> bool {
        self.end.is_none() && self.queued >= self.room
    }

    /// Whether it has room for one more span. The queue of the SDK never has more than
    /// what is counted here, so that it drops nothing by itself.
    fn take(&mut self) -> bool {
        match self.end {
            None if self.is_full() => {
                self.dropped.queue_full += 1;
                self.untold += 1;
            }
            None => {
                self.queued += 1;
                return true;
            }
            Some(End::Shutdown) => self.dropped.after_shutdown += 1,
            Some(End::Forked) => self.dropped.forked += 1,
            Some(End::Died) => {
                self.dropped.panicked += 1;
                self.untold += 1;
            }
        }
        false
    }

    const fn pending(&self) -> u64 {
        self.queued + self.exporting
    }

    /// With why the last export failed, or else with `why`.
    fn explain(&self, error: Error, why: Option<&str>) -> Error {
        let error = error.with_context("provider", &self.name);
        match self.failure.as_deref().or(why) {
            Some(why) => error.with_context("reason", why),
            None => error,
        }
    }

    fn stats(&self) -> BranchStats {
        let mut stats = BranchStats::default();
        stats.name.clone_from(&self.name);
        (stats.exported, stats.dropped, stats.pending) = (self.exported, self.dropped, self.pending());
        stats
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use spandrel_plugin_api::{Deadline, ErrorKind};

    use super::{Ledger, Outcome};

    #[test]
    fn every_span_is_somewhere_at_any_time() {
        let ledger = Ledger::new();
        let branch = ledger.open("x".to_owned(), 3);
        let record = |n: usize| (0..n).filter(|_| ledger.record() == [true]).count();
        let check = || assert!(ledger.stats().is_balanced(), "{}", ledger.stats());

        assert_eq!(record(5), 3);
        check();
        assert_eq!(ledger.targets(), [3]);
        assert!(ledger.begin_export(branch, 2));
        assert_eq!(record(5), 2, "there is room again for what was taken out");
        check();
        ledger.end_export(branch, 2, Outcome::Failed("no route".to_owned()));
        check();
        assert!(!ledger.wait_settled(&[3], Deadline::after(Duration::ZERO)));
        let error = ledger.tell().unwrap_err();
        let text = "7 spans could not be exported (provider: x; reason: no route)";
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::SpansLost, text));
        ledger.tell().unwrap();
        assert_eq!(ledger.health().unwrap_err().kind(), ErrorKind::Unavailable);

        ledger.begin_export(branch, 1);
        ledger.end_export(branch, 1, Outcome::Exported);
        ledger.health().unwrap();
        ledger.close();
        ledger.end(branch);
        ledger.record_late();
        assert_eq!(record(1), 0);
        check();
        let stats = ledger.stats();
        let dropped = stats.branches[0].dropped;
        assert_eq!((stats.recorded, stats.exported(), stats.pending()), (12, 1, 0), "{stats}");
        assert_eq!((dropped.queue_full, dropped.export_failed, dropped.after_shutdown), (5, 2, 4), "{stats}");
        ledger.tell().unwrap();
    }

    #[test]
    fn a_worker_that_dies_is_told_of() {
        let ledger = Ledger::new();
        let branch = ledger.open("x".to_owned(), 3);
        ledger.record();
        ledger.end(branch);
        ledger.record();
        assert_eq!(ledger.stats().branches[0].dropped.panicked, 2);
        assert_eq!(ledger.health().unwrap_err().kind(), ErrorKind::Panicked);
        assert_eq!(ledger.tell().unwrap_err().kind(), ErrorKind::SpansLost);
    }
}
