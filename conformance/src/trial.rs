//! Runs one check over a provider: watched, and with a sentence if it fails.

use std::any::Any;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use spandrel_plugin_api::{Resource, SpanData, Stats, TracingProvider};

use crate::fixture;
use crate::subject::{Delivered, Started, Subject};

/// More than a healthy provider ever needs.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// An instance of the provider under test.
pub(crate) struct Trial {
    subject: Subject,
    started: Started,
}

impl Subject {
    /// Fails with a sentence if `check` panics or does not come to an end.
    ///
    /// `check` gets a fresh instance and drops it, all on a thread of its own.
    pub(crate) fn promises(&self, promise: &str, check: impl FnOnce(Trial) + Send + 'static) {
        let name = self.name();
        let subject = self.clone();
        let (done, watchdog) = channel::<()>();
        let thread = thread::Builder::new().name(format!("{name}: {promise}"));
        let thread = thread.spawn(move || {
            // Dropped last, after the provider; by a panic as well.
            let _done = done;
            check(Trial::new(subject));
        });
        let thread = thread.unwrap_or_else(|error| panic!("cannot start a thread: {error}"));
        if watchdog.recv_timeout(self.patience()) == Err(RecvTimeoutError::Timeout) {
            panic!("provider {name} promises that {promise}, but hangs (after {:?})", self.patience());
        }
        if let Err(reason) = thread.join() {
            panic!("provider {name} promises that {promise}, but: {}", text(&*reason));
        }
    }
}

impl Trial {
    fn new(subject: Subject) -> Self {
        let started = subject.start(&fixture::resource());
        Self { subject, started }
    }

    /// Another instance of the same provider.
    pub(crate) fn another(&self) -> Self {
        Self::new(self.subject.clone())
    }

    /// Another instance, for another service.
    pub(crate) fn another_for(&self, resource: &Resource) -> Self {
        Self { started: self.subject.start(resource), subject: self.subject.clone() }
    }

    pub(crate) fn provider(&self) -> &dyn TracingProvider {
        &*self.started.provider
    }

    /// How long the whole check may take.
    pub(crate) fn patience(&self) -> Duration {
        self.subject.patience()
    }

    /// Flushes and reads all that was delivered so far, sorted by span id; `None`
    /// if it cannot be read. All branches have delivered the same.
    pub(crate) fn delivered(&self) -> Option<Vec<SpanData>> {
        self.provider().force_flush(LONG).expect("a flush with a long deadline succeeds");
        let stats = self.stats();
        assert_eq!(stats.map_or(0, |stats| stats.pending()), 0, "spans are pending after a flush");
        let mut branches = self.read_branches().into_iter();
        let first = branches.next()?;
        for other in branches {
            fixture::check_same(&other, &first);
        }
        Some(first)
    }

    /// The only span that was recorded.
    pub(crate) fn only_span(&self) -> Option<SpanData> {
        let spans = self.delivered()?;
        let [span] = <[SpanData; 1]>::try_from(spans).unwrap_or_else(|spans| {
            let names: Vec<_> = spans.iter().map(|span| &span.name).collect();
            panic!("one span was recorded, {} were delivered: {names:?}", spans.len());
        });
        Some(span)
    }

    /// Reads what the first branch has delivered so far; without a flush, as a
    /// shutdown was enough.
    pub(crate) fn read(&self) -> Option<Vec<SpanData>> {
        self.read_branches().into_iter().next()
    }

    /// Reads what each branch has delivered, and compares the numbers with the statistics.
    pub(crate) fn read_branches(&self) -> Vec<Vec<SpanData>> {
        let branches = self.peek();
        let stats = self.stats().map(|stats| stats.branches).unwrap_or_default();
        for (spans, stats) in branches.iter().zip(stats) {
            let (exported, delivered) = (stats.exported, spans.len() as u64);
            assert_eq!(exported, delivered, "branch {} has counted another number of spans", stats.name);
        }
        branches
    }

    /// As [`read_branches`](Self::read_branches), while spans are still on their way.
    pub(crate) fn peek(&self) -> Vec<Vec<SpanData>> {
        let branches = read_sorted(&self.started.delivered);
        if self.subject.is_recording() {
            return branches;
        }
        let is_empty = branches.iter().all(Vec::is_empty);
        assert!(is_empty, "spans were delivered by a provider that records nothing");
        Vec::new()
    }

    /// The statistics, which are balanced; `None` if the provider has none.
    pub(crate) fn stats(&self) -> Option<Stats> {
        let stats = self.provider().stats();
        assert_eq!(stats.panics, 0, "a call into the provider panicked: {stats}");
        assert!(stats.is_balanced(), "not every span is accounted for: {stats}");
        if !self.subject.is_recording() {
            assert_eq!(stats.recorded, 0, "spans were counted by a provider that records nothing");
        }
        Some(stats).filter(|_| self.subject.is_counting())
    }

    /// Fails unless so many spans are counted as recorded.
    pub(crate) fn check_recorded(&self, ended: u64) {
        if let Some(stats) = self.stats() {
            assert_eq!(stats.recorded, ended, "counted as recorded, against spans that ended ({stats})");
        }
    }

    /// Drops the provider and reads what each branch has delivered until then.
    pub(crate) fn drop_provider(self) -> Vec<Vec<SpanData>> {
        let Started { provider, delivered, kept: _kept } = self.started;
        drop(provider);
        read_sorted(&delivered)
    }
}

/// Sorted by span id, as nobody promises an order.
fn read_sorted(delivered: &[Delivered]) -> Vec<Vec<SpanData>> {
    let mut branches: Vec<Vec<SpanData>> = delivered.iter().map(|delivered| delivered()).collect();
    branches.iter_mut().for_each(|spans| spans.sort_by_key(|span| span.span_id));
    branches
}

fn text(reason: &(dyn Any + Send)) -> &str {
    let owned = reason.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| reason.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text")
}
