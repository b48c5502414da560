use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use spandrel_plugin_api::{Resource, SpanData, TracingProvider};

/// A provider under test: how it is started and what may be expected of it.
#[derive(Clone)]
pub struct Subject {
    name: Arc<str>,
    start: Arc<dyn Fn(&Resource) -> Started + Send + Sync>,
    is_recording: bool,
    is_counting: bool,
    patience: Duration,
}

/// One running instance of a provider.
pub struct Started {
    pub(crate) provider: Box<dyn TracingProvider>,
    /// One for each branch, in their order.
    pub(crate) delivered: Vec<Delivered>,
    /// Dropped last.
    pub(crate) kept: Option<Box<dyn Any + Send>>,
}

/// Reads all that was delivered so far.
pub(crate) type Delivered = Box<dyn Fn() -> Vec<SpanData> + Send>;

impl Subject {
    /// A provider that records and counts; `start` makes an instance of its own
    /// at each call, for a service with this resource.
    #[must_use]
    pub fn new(name: &str, start: impl Fn(&Resource) -> Started + Send + Sync + 'static) -> Self {
        Self {
            name: name.into(),
            start: Arc::new(start),
            is_recording: true,
            is_counting: true,
            patience: Duration::from_secs(120),
        }
    }

    /// The provider records nothing, so that spans are neither delivered nor counted.
    #[must_use]
    pub fn without_recording(mut self) -> Self {
        self.is_recording = false;
        self.without_statistics()
    }

    /// The provider leaves [`stats`](TracingProvider::stats) at their default.
    #[must_use]
    pub fn without_statistics(mut self) -> Self {
        self.is_counting = false;
        self
    }

    /// A check that takes longer than this has failed; default two minutes.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// What the provider is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn start(&self, resource: &Resource) -> Started {
        (self.start)(resource)
    }

    pub(crate) const fn is_recording(&self) -> bool {
        self.is_recording
    }

    pub(crate) const fn is_counting(&self) -> bool {
        self.is_counting
    }

    pub(crate) const fn patience(&self) -> Duration {
        self.patience
    }
}

impl Started {
    /// An instance whose output cannot be read as spans.
    #[must_use]
    pub fn new(provider: Box<dyn TracingProvider>) -> Self {
        Self { provider, delivered: Vec::new(), kept: None }
    }

    /// The same instance; `delivered` reads all that it has delivered so far.
    ///
    /// It must work after the provider was dropped, too. A provider with several
    /// branches has one for each, in the order of its statistics.
    #[must_use]
    pub fn read_by(mut self, delivered: impl Fn() -> Vec<SpanData> + Send + 'static) -> Self {
        self.delivered.push(Box::new(delivered));
        self
    }

    /// The same instance; `kept` is dropped once it is over: a directory, a process.
    #[must_use]
    pub fn keeping(mut self, kept: impl Send + 'static) -> Self {
        self.kept = Some(Box::new(kept));
        self
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({})", self.name)
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Started({} readable)", self.delivered.len())
    }
}
