//! Runs one check over a provider: watched, and with a sentence if it fails.

use std::any::Any;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use spandrel_plugin_api::{Resource, SpanData, Stats, TracingProvider};

use crate::fixture;
use crate::subject::{Started, Subject};

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
    /// if it cannot be read.
    pub(crate) fn delivered(&self) -> Option<Vec<SpanData>> {
        self.provider().force_flush(LONG).expect("a flush with a long deadline succeeds");
        let stats = self.stats();
        assert_eq!(stats.map_or(0, |stats| stats.pending()), 0, "spans are pending after a flush");
        self.read()
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

    /// As [`delivered`](Self::delivered) without a flush, and compares the number
    /// with the statistics.
    pub(crate) fn read(&self) -> Option<Vec<SpanData>> {
        let spans = self.peek()?;
        for branch in self.stats().map(|stats| stats.branches).unwrap_or_default() {
            let (exported, delivered) = (branch.exported, spans.len() as u64);
            assert_eq!(exported, delivered, "branch {} has counted another number of spans", branch.name);
        }
        Some(spans)
    }

    /// As [`read`](Self::read), while spans are still being delivered.
    pub(crate) fn peek(&self) -> Option<Vec<SpanData>> {
        let mut spans = self.started.delivered.as_ref()?();
        // Nobody promises an order.
        spans.sort_by_key(|span| span.span_id);
        if !self.subject.is_recording() {
            assert_eq!(spans.len(), 0, "spans were delivered by a provider that records nothing");
            return None;
        }
        Some(spans)
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

    /// Drops the provider; the rest still reads what it has delivered.
    pub(crate) fn drop_provider(self) -> Option<Vec<SpanData>> {
        let Started { provider, delivered, kept: _kept } = self.started;
        drop(provider);
        delivered.map(|delivered| delivered())
    }
}

fn text(reason: &(dyn Any + Send)) -> &str {
    let owned = reason.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| reason.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text")
}
