use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use spandrel_plugin_api::diagnostics::RateLimit;
use spandrel_plugin_api::wire::{self, field};
use spandrel_plugin_api::{Deadline, Error, InstrumentationScope, Resource, SpanExporter, Stats};

use crate::batch::Chunk;
use crate::block::{BLOCK_BYTES, Block, BlockWriter, Pool, lock};
use crate::branch::{Branch, LossReason};
use crate::config::{OverflowPolicy, RecorderConfig};
use crate::fork;
use crate::writers::Ledger;

/// What the threads of the service and the workers share.
///
/// Locks are taken in this order: `state`, a branch's queue.
pub(crate) struct Core {
    generation: u64,
    pub(crate) config: RecorderConfig,
    pub(crate) resource: Vec<u8>,
    branches: Vec<Arc<Branch>>,
    state: Mutex<State>,
    scopes: Mutex<Vec<Scope>>,
    /// Number 0, which nearly all spans have, can be told without the lock.
    first_scope: OnceLock<(String, String)>,
    pool: Arc<Pool>,
    closed: AtomicBool,
    retired: AtomicBool,
    panics: AtomicU64,
    late: RateLimit,
}

#[derive(Default)]
struct State {
    /// The blocks that threads write to.
    live: Vec<LiveBlock>,
    ledgers: Vec<Arc<Ledger>>,
    /// Spans recorded by threads that have ended, or without a thread's block.
    recorded: u64,
}

struct Scope {
    name: String,
    version: String,
    encoded: Arc<[u8]>,
}

/// A block that a thread writes to, and what of it was taken already.
struct LiveBlock {
    block: Arc<Block>,
    bytes: usize,
    spans: u32,
}

impl Core {
    pub(crate) fn new(
        config: RecorderConfig,
        resource: &Resource,
        exporters: Vec<(String, Box<dyn SpanExporter>)>,
    ) -> Self {
        let mut encoded = Vec::new();
        for attribute in resource.attributes() {
            wire::put_attribute(&mut encoded, field::RESOURCE_ATTRIBUTES, &attribute, usize::MAX);
        }
        let branches = exporters.into_iter().map(|(name, exporter)| Branch::new(name, Some(exporter)));
        Self::with_branches(config, encoded, branches.map(Arc::new).collect())
    }

    /// The core for a forked child, with the exporters that were not at work.
    pub(crate) fn after_fork(parent: &Self) -> Self {
        let branches = parent.branches.iter().map(|branch| Arc::new(branch.after_fork()));
        let core = Self::with_branches(parent.config.clone(), parent.resource.clone(), branches.collect());
        core.closed.store(parent.is_closed(), Ordering::Relaxed);
        core.retired.store(parent.is_retired(), Ordering::Relaxed);
        core
    }

    fn with_branches(config: RecorderConfig, resource: Vec<u8>, branches: Vec<Arc<Branch>>) -> Self {
        Self {
            generation: fork::generation(),
            pool: Arc::new(Pool::new(config.batch.queue_bytes)),
            config,
            resource,
            branches,
            state: Mutex::default(),
            scopes: Mutex::default(),
            first_scope: OnceLock::new(),
            closed: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            panics: AtomicU64::new(0),
            late: RateLimit::new(),
        }
    }

    /// Whether this is a forked child and the core the parent's.
    pub(crate) fn is_foreign(&self) -> bool {
        self.generation != fork::generation()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The number of a scope; equal scopes have the same.
    #[inline]
    pub(crate) fn scope(&self, scope: &InstrumentationScope<'_>) -> u32 {
        match self.first_scope.get() {
            Some((name, version)) if name == scope.name && version == scope.version => 0,
            _ => self.find_scope(scope),
        }
    }

    fn find_scope(&self, scope: &InstrumentationScope<'_>) -> u32 {
        let mut scopes = lock(&self.scopes);
        let known = scopes.iter().position(|s| s.name == scope.name && s.version == scope.version);
        let index = known.unwrap_or_else(|| {
            let (name, version) = (scope.name.to_owned(), scope.version.to_owned());
            let mut encoded = Vec::with_capacity(64);
            wire::put_bytes(&mut encoded, field::SCOPE_NAME, name.as_bytes());
            if !version.is_empty() {
                wire::put_bytes(&mut encoded, field::SCOPE_VERSION, version.as_bytes());
            }
            self.first_scope.get_or_init(|| (name.clone(), version.clone()));
            scopes.push(Scope { name, version, encoded: encoded.into() });
            scopes.len() - 1
        });
        u32::try_from(index).unwrap_or(0)
    }

    /// All scopes as encoded messages, by their number.
    pub(crate) fn scopes(&self) -> Vec<Arc<[u8]>> {
        lock(&self.scopes).iter().map(|scope| Arc::clone(&scope.encoded)).collect()
    }

    pub(crate) fn register_thread(&self) -> Arc<Ledger> {
        let ledger = Arc::<Ledger>::default();
        lock(&self.state).ledgers.push(Arc::clone(&ledger));
        ledger
    }

    pub(crate) fn unregister_thread(&self, ledger: &Arc<Ledger>) {
        let mut state = lock(&self.state);
        state.recorded += ledger.recorded();
        state.ledgers.retain(|l| !Arc::ptr_eq(l, ledger));
    }

    /// A block for this thread with room for `len` bytes, reachable by the workers.
    pub(crate) fn new_block(self: &Arc<Self>, len: usize) -> BlockWriter {
        let writer = BlockWriter::new(&self.pool, len.max(BLOCK_BYTES));
        let block = Arc::clone(writer.block());
        lock(&self.state).live.push(LiveBlock { block, bytes: 0, spans: 0 });
        self.ensure_workers();
        writer
    }

    /// Queues what is left of a thread's block, which is not written to any more.
    pub(crate) fn seal(self: &Arc<Self>, writer: &BlockWriter) {
        self.wait_for_room(writer.block().committed().0);
        let mut state = lock(&self.state);
        let Some(index) = state.live.iter().position(|live| Arc::ptr_eq(&live.block, writer.block())) else { return };
        let mut live = state.live.swap_remove(index);
        self.queue(live.take());
    }

    /// Queues one span that is in no thread's block.
    pub(crate) fn record_alone(self: &Arc<Self>, scope: u32, parts: [&[u8]; 3]) {
        let len = parts.iter().map(|part| part.len()).sum();
        self.wait_for_room(len);
        let mut writer = BlockWriter::new(&self.pool, len);
        writer.append(scope, parts);
        let mut state = lock(&self.state);
        state.recorded += 1;
        let block = Arc::clone(writer.block());
        self.queue(LiveBlock { block, bytes: 0, spans: 0 }.take());
    }

    /// Counts a span as recorded and lost, in every branch.
    pub(crate) fn lose(&self, reason: LossReason) {
        if matches!(reason, LossReason::AfterShutdown) {
            self.late.warn(|| "a span ended after tracing was shut down and is lost; end it first".to_owned());
        }
        let mut state = lock(&self.state);
        state.recorded += 1;
        for branch in &self.branches {
            branch.lose(reason, 1);
        }
    }

    /// Queues the finished spans of all threads.
    pub(crate) fn collect(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        for i in 0..state.live.len() {
            let chunk = state.live[i].take();
            self.queue(chunk);
        }
    }

    /// Hands a chunk to every branch. The caller holds `state`, so that
    /// [`stats`](Self::stats) never sees a span twice or not at all.
    fn queue(self: &Arc<Self>, chunk: Option<Chunk>) {
        let Some(chunk) = chunk else { return };
        for branch in &self.branches {
            branch.push(chunk.clone(), &self.config.batch);
            branch.ensure_worker(self);
        }
    }

    fn wait_for_room(&self, len: usize) {
        if self.config.batch.on_full == OverflowPolicy::Block && !spandrel_plugin_api::suppression::is_active() {
            for branch in &self.branches {
                branch.wait_for_room(len, &self.config.batch);
            }
        }
    }

    pub(crate) fn ensure_workers(self: &Arc<Self>) {
        for branch in &self.branches {
            branch.ensure_worker(self);
        }
    }

    /// Delivers all that has ended; the first error of a branch, if any.
    pub(crate) fn flush(self: &Arc<Self>, until: Deadline) -> Result<(), Error> {
        self.collect();
        let tickets: Vec<u64> = self.branches.iter().map(|b| b.request_flush(self, until)).collect();
        let results = self.branches.iter().zip(tickets).map(|(b, ticket)| b.wait_flushed(ticket, until));
        results.collect::<Vec<_>>().into_iter().collect()
    }

    pub(crate) fn retire(self: &Arc<Self>) {
        self.retired.store(true, Ordering::Relaxed);
        self.pool.clear();
        for branch in &self.branches {
            branch.wake();
        }
    }

    pub(crate) fn shutdown(self: &Arc<Self>, until: Deadline) -> Result<(), Error> {
        self.closed.store(true, Ordering::Relaxed);
        self.collect();
        for branch in &self.branches {
            branch.request_shutdown(self, until);
        }
        let results = self.branches.iter().map(|branch| branch.wait_finished(until));
        let result = results.collect::<Vec<_>>().into_iter().collect();
        self.pool.clear();
        result
    }

    pub(crate) fn stats(&self) -> Stats {
        let state = lock(&self.state);
        let in_blocks = state.live.iter().map(|live| u64::from(live.block.committed().1 - live.spans)).sum();
        let mut stats = Stats::default();
        stats.branches = self.branches.iter().map(|branch| branch.stats(in_blocks)).collect();
        stats.recorded = state.recorded + state.ledgers.iter().map(|l| l.recorded()).sum::<u64>();
        stats.panics = self.panics.load(Ordering::Relaxed);
        stats
    }

    pub(crate) fn count_panic(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }
}

impl LiveBlock {
    /// What was committed since the last time.
    fn take(&mut self) -> Option<Chunk> {
        let (bytes, spans) = self.block.committed();
        if bytes == self.bytes {
            return None;
        }
        let chunk =
            Chunk { block: Arc::clone(&self.block), range: self.bytes..bytes, spans: u64::from(spans - self.spans) };
        self.bytes = bytes;
        self.spans = spans;
        Some(chunk)
    }
}
