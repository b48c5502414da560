use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use spandrel_plugin_api::SpanData;

use crate::MemoryConfig;

/// The latest finished spans. Clones share them.
#[derive(Debug, Clone)]
pub struct MemoryStore(Arc<Mutex<Spans>>);

#[derive(Debug)]
struct Spans {
    spans: VecDeque<SpanData>,
    max: NonZeroUsize,
    evicted: u64,
}

impl MemoryStore {
    /// An empty store that keeps `max` spans.
    #[must_use]
    pub fn new(max: NonZeroUsize) -> Self {
        Self(Arc::new(Mutex::new(Spans { spans: VecDeque::new(), max, evicted: 0 })))
    }

    /// The store of the provider that the configuration names.
    #[must_use]
    pub fn shared() -> Self {
        static SHARED: LazyLock<MemoryStore> = LazyLock::new(|| MemoryStore::new(MemoryConfig::MAX_SPANS));
        SHARED.clone()
    }

    /// The spans, in the order in which they were delivered.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanData> {
        self.lock().spans.iter().cloned().collect()
    }

    /// Takes the spans out.
    #[must_use]
    pub fn take(&self) -> Vec<SpanData> {
        self.lock().spans.drain(..).collect()
    }

    /// How many spans made room for newer ones.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.lock().evicted
    }

    pub(crate) fn set_max(&self, max: NonZeroUsize) {
        let mut spans = self.lock();
        spans.max = max;
        spans.evict();
    }

    pub(crate) fn push(&self, span: SpanData) {
        let mut spans = self.lock();
        spans.spans.push_back(span);
        spans.evict();
    }

    fn lock(&self) -> MutexGuard<'_, Spans> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spans {
    fn evict(&mut self) {
        while self.spans.len() > self.max.get() {
            self.spans.pop_front();
            self.evicted += 1;
        }
    }
}
