use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use spandrel_plugin_api::diagnostics::{Level, report};
use spandrel_plugin_api::{
    BranchStats, Error, ErrorKind, SpanStart, SpanState, Stats, Timestamp, TracingProvider, panics, suppression,
};
use spandrel_propagation::Propagator;
use spandrel_recorder::{Recorder, RunningSpan};

use crate::accompanied::Accompanied;
use crate::context::{Context, Scope};
use crate::open_spans::{OpenSpan, OpenSpans};
use crate::propagation::{ForcedTraces, Trust};
use crate::redaction::Redaction;
use crate::sampler::{IdSampler, Sampler};

/// A provider with all that decides what reaches it: sampler, redaction, propagators.
///
/// Made by [`Builder::build`](crate::Builder::build) for a part of the program, a test
/// above all; a program as a whole [installs](crate::Builder::install) one. Lives
/// until the process ends, so that spans never outlive their provider.
#[derive(Clone, Copy)]
pub struct Tracer(pub(crate) &'static Core);

impl PartialEq for Tracer {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Tracer {}

/// What a [`Tracer`] points to.
pub(crate) struct Core {
    pub(crate) name: String,
    backend: Backend,
    sampler: Sampler,
    /// The sampler, if it needs no more than ids.
    pub(crate) id_sampler: Option<IdSampler>,
    pub(crate) redaction: Redaction,
    pub(crate) propagators: Vec<Box<dyn Propagator>>,
    pub(crate) trust: Trust,
    pub(crate) forced_traces: Option<ForcedTraces>,
    /// Nothing is recorded; contexts that come in are passed on as they are.
    pub(crate) only_forwards: bool,
    pub(crate) keeps_context: bool,
    /// The provider may have a propagation of its own.
    pub(crate) may_propagate: bool,
    /// The provider has a say in sampling.
    pub(crate) samples: bool,
    open_spans: Option<OpenSpans>,
    /// Tables of the configuration that are not the facade's own, as TOML.
    pub(crate) sections: BTreeMap<String, String>,
    /// What crates on top made of them, one of each type.
    extensions: Mutex<Vec<&'static (dyn Any + Send + Sync)>>,
    /// A start has to ask or to tell somebody.
    is_special: bool,
    panics: AtomicU32,
    lost: AtomicU64,
}

/// What spans go to.
pub(crate) enum Backend {
    /// Called without more ado: it is code of ours that neither panics nor traces.
    Recorder(Accompanied),
    /// Called with care.
    Provider(Box<dyn TracingProvider>),
}

/// After this many panics a provider is not called again.
pub(crate) const MAX_PANICS: u32 = 3;

impl Tracer {
    /// A context in which this tracer takes the place of the installed one.
    ///
    /// ```
    /// # let tracer = spandrel::builder().build().unwrap();
    /// tracer.context().within(|| spandrel::with_span("seen by this tracer alone", |_| ()));
    /// ```
    #[must_use]
    pub fn context(self) -> Context {
        Context::of_scope(Scope { tracer: Some(self.0), ..Scope::default() })
    }

    /// The name of its provider; several are joined with commas.
    #[must_use]
    pub fn name(self) -> &'static str {
        &self.0.name
    }

    /// What became of its spans so far.
    #[must_use]
    pub fn stats(self) -> Stats {
        self.0.stats()
    }

    /// A table of the configuration that a crate on top of this one reads: `ai` or
    /// `prices`, as TOML. Empty if there is none.
    #[must_use]
    pub fn section(self, name: &str) -> &'static str {
        self.0.sections.get(name).map_or("", String::as_str)
    }

    /// What a crate on top keeps with the tracer, made by `make` at the first call: above
    /// all what it read in a [`section`](Self::section). It lives as long as the tracer does.
    pub fn extension<T: Any + Send + Sync>(self, make: impl FnOnce(Self) -> T) -> &'static T {
        let find =
            |known: &[&'static (dyn Any + Send + Sync)]| known.iter().find_map(|known| known.downcast_ref::<T>());
        let known = || self.0.extensions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = find(&known()) {
            return found;
        }
        // Without the lock: it may take its time, or want another one.
        let made: &'static T = Box::leak(Box::new(make(self)));
        let mut known = known();
        find(&known).unwrap_or_else(|| {
            known.push(made);
            made
        })
    }

    /// Whether its backends can be reached, as far as they know without asking.
    ///
    /// # Errors
    ///
    /// What the first one that is not well says.
    pub fn health(self) -> Result<(), Error> {
        self.0.call(|provider| provider.health()).unwrap_or_else(|| Err(self.0.panicked()))
    }

    /// Its spans that are open now, the oldest first; empty unless the
    /// configuration says `debug_open_spans = true`.
    #[must_use]
    pub fn open_spans(self) -> Vec<OpenSpan> {
        self.0.open_spans.as_ref().map(OpenSpans::list).unwrap_or_default()
    }

    /// Delivers all spans that have ended.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] after `deadline`, or what the backend says.
    pub fn flush(self, deadline: Duration) -> Result<(), Error> {
        self.0.flush(deadline)
    }

    /// Delivers what is left and stops. A second call is harmless.
    ///
    /// # Errors
    ///
    /// As [`flush`](Self::flush).
    pub fn shutdown(self, deadline: Duration) -> Result<(), Error> {
        self.0.shutdown(deadline)
    }
}

impl Core {
    pub(crate) fn new(name: String, backend: Backend) -> Self {
        let mut core = Self {
            name,
            backend,
            sampler: Sampler::default(),
            id_sampler: Sampler::default().by_ids(),
            redaction: Redaction::off(),
            propagators: Vec::new(),
            trust: Trust::default(),
            forced_traces: None,
            only_forwards: false,
            keeps_context: false,
            may_propagate: true,
            samples: false,
            open_spans: None,
            sections: BTreeMap::new(),
            extensions: Mutex::new(Vec::new()),
            is_special: false,
            panics: AtomicU32::new(0),
            lost: AtomicU64::new(0),
        };
        core.only_forwards = core.call(|provider| provider.records()) == Some(false);
        core.keeps_context = core.call(|provider| provider.keeps_context()).unwrap_or(false);
        core.samples = core.call(|provider| provider.samples()).unwrap_or(false);
        let is_alone = match &core.backend {
            Backend::Recorder(accompanied) => accompanied.is_alone(),
            Backend::Provider(_) => false,
        };
        core.may_propagate = !is_alone;
        core.is_special = !is_alone || core.only_forwards || core.keeps_context || core.samples;
        core
    }

    pub(crate) fn list_open_spans(&mut self) {
        self.open_spans = Some(OpenSpans::new());
        self.is_special = true;
    }

    #[inline]
    pub(crate) const fn open_spans(&self) -> Option<&OpenSpans> {
        self.open_spans.as_ref()
    }

    pub(crate) fn set_sampler(&mut self, sampler: Sampler) {
        self.id_sampler = sampler.by_ids();
        self.sampler = sampler;
    }

    pub(crate) const fn sampler(&self) -> &Sampler {
        &self.sampler
    }

    /// The recorder, if spans go to nothing else.
    #[inline]
    pub(crate) const fn recorder(&self) -> Option<&Recorder> {
        match &self.backend {
            Backend::Recorder(accompanied) => Some(accompanied.recorder()),
            Backend::Provider(_) => None,
        }
    }

    /// The sampler, if a start needs to ask and to tell nobody but it and the recorder.
    #[inline(always)]
    pub(crate) fn usual_sampler(&self) -> Option<IdSampler> {
        self.id_sampler.filter(|_| !self.is_special)
    }

    /// Begins a span that is kept in `span`; false if the backend is no recorder.
    #[inline]
    pub(crate) fn start_here(&self, span: &mut RunningSpan, start: &SpanStart<'_>) -> bool {
        let Backend::Recorder(accompanied) = &self.backend else { return false };
        if !accompanied.is_alone() {
            self.call(|_| accompanied.on_start(start));
        }
        accompanied.recorder().start(span, start);
        true
    }

    const fn provider(&self) -> &dyn TracingProvider {
        match &self.backend {
            Backend::Recorder(recorder) => recorder,
            Backend::Provider(provider) => &**provider,
        }
    }

    /// Calls the provider, with tracing suppressed on this thread. A panic ends
    /// here; `None` for it, and always after three.
    #[inline]
    pub(crate) fn call<R>(&self, call: impl FnOnce(&dyn TracingProvider) -> R) -> Option<R> {
        if self.panics.load(Ordering::Relaxed) >= MAX_PANICS {
            return None;
        }
        let _suppressed = suppression::enter();
        let result = panics::contained(|| call(self.provider()));
        if result.is_none() {
            self.count_panic();
        }
        result
    }

    /// Starts a span of a provider; `None` is a counted loss.
    pub(crate) fn start(&self, start: impl FnOnce(&dyn TracingProvider) -> SpanState) -> Option<SpanState> {
        let state = self.call(start);
        if state.is_none() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        state
    }

    /// Ends a span that a provider has.
    pub(crate) fn end(&self, state: SpanState, end: Timestamp) {
        // Outside of the closure: a provider that is not called any more must not
        // keep a destructor of its own from being watched.
        let mut state = Some(state);
        let ended = self.call(|provider| provider.end_span(state.take().unwrap_or_default(), end));
        if ended.is_none() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            if panics::contained(|| drop(state)).is_none() {
                self.count_panic();
            }
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.call(|provider| provider.stats()).unwrap_or_default();
        let lost = self.lost.load(Ordering::Relaxed);
        stats.recorded += lost;
        stats.panics += u64::from(self.panics.load(Ordering::Relaxed));
        if stats.branches.is_empty() && lost > 0 {
            let mut branch = BranchStats::default();
            branch.name.clone_from(&self.name);
            stats.branches.push(branch);
        }
        for branch in &mut stats.branches {
            branch.dropped.panicked += lost;
        }
        stats
    }

    pub(crate) fn flush(&self, deadline: Duration) -> Result<(), Error> {
        self.call(|provider| provider.force_flush(deadline)).unwrap_or_else(|| Err(self.panicked()))
    }

    pub(crate) fn retire(&self) {
        self.call(|provider| provider.retire());
    }

    pub(crate) fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        self.call(|provider| provider.shutdown(deadline)).unwrap_or_else(|| Err(self.panicked()))
    }

    fn count_panic(&self) {
        let panics = self.panics.fetch_add(1, Ordering::Relaxed) + 1;
        if panics == MAX_PANICS {
            let name = &self.name;
            report(Level::Warning, &format!("provider {name} panicked {panics} times and is out of service now"));
        }
    }

    fn panicked(&self) -> Error {
        Error::new(ErrorKind::Panicked, "the provider panicked").with_context("provider", &self.name)
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer")
            .field("provider", &self.0.name)
            .field("sampler", &self.0.sampler)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Core({})", self.name)
    }
}
