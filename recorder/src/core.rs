use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use spandrel_plugin_api::diagnostics::{Level, RateLimit};
use spandrel_plugin_api::wire::{self, field};
use spandrel_plugin_api::{Deadline, Error, Resource, SpanExporter, Stats};

use crate::block::{BLOCK_BYTES, BlockWriter, Pool, lock};
use crate::branch::{Branch, tell};
use crate::config::{OverflowPolicy, RecorderConfig};
use crate::live::{Chunk, LiveBlock};
use crate::losses::LossReason;
use crate::scopes::Scopes;
use crate::writers::Ledger;
use crate::{fork, worker};

/// What the threads of the service and the workers share.
///
/// Locks are taken in this order: `state`, a branch's queue. What handlers of diagnostics
/// are told, they are told without any.
pub(crate) struct Core {
    generation: u64,
    pub(crate) config: RecorderConfig,
    pub(crate) resource: Vec<u8>,
    branches: Vec<Arc<Branch>>,
    state: Mutex<State>,
    pub(crate) scopes: Scopes,
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
            scopes: Scopes::new(config.scope),
            config,
            resource,
            branches,
            state: Mutex::default(),
            closed: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            panics: AtomicU64::new(0),
            late: RateLimit::new(),
        }
    }

    /// Whether this is a forked child and the core the parent's.
    #[inline]
    pub(crate) fn is_foreign(&self) -> bool {
        self.generation != fork::generation()
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation
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
        lock(&self.state).live.push(LiveBlock::new(writer.block()));
        self.ensure_workers();
        writer
    }

    /// Queues what is left of a thread's block, which is not written to any more.
    pub(crate) fn seal(self: &Arc<Self>, writer: &BlockWriter) {
        let mut state = self.state_with_room(writer.block().committed().0 + Chunk::OVERHEAD);
        let Some(index) = state.live.iter().position(|live| Arc::ptr_eq(&live.block, writer.block())) else { return };
        let mut live = state.live.swap_remove(index);
        self.queue(live.take());
        drop(state);
        self.tell_losses();
    }

    /// Queues one span that is in no thread's block.
    #[cold]
    pub(crate) fn record_alone(self: &Arc<Self>, scope: u32, bytes: &[u8]) {
        let mut writer = BlockWriter::exact(&self.pool, bytes.len());
        writer.append(scope, bytes);
        let mut state = self.state_with_room(bytes.len() + Chunk::OVERHEAD);
        state.recorded += 1;
        self.queue(LiveBlock::new(writer.block()).take());
        drop(state);
        self.tell_losses();
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
        drop(state);
        self.tell_losses();
    }

    /// Queues the finished spans of all threads; false if some must stay in their blocks, as
    /// the policy is to wait and a queue is full.
    pub(crate) fn collect(self: &Arc<Self>) -> bool {
        let waits = self.config.batch.on_full == OverflowPolicy::Block && !self.is_closed();
        let mut is_complete = true;
        let mut state = lock(&self.state);
        for live in &mut state.live {
            if waits && live.waiting() > 0 && !self.has_room(live.waiting_cost()) {
                is_complete = false;
            } else {
                self.queue(live.take());
            }
        }
        drop(state);
        self.tell_losses();
        is_complete
    }

    /// Hands a chunk to every branch. The caller holds `state`, so that
    /// [`stats`](Self::stats) never sees a span twice or not at all.
    fn queue(self: &Arc<Self>, chunk: Option<Chunk>) {
        let Some(chunk) = chunk.map(|chunk| chunk.lean(&self.pool)) else { return };
        for branch in &self.branches {
            branch.push(chunk.clone(), &self.config.batch, self.is_closed());
            branch.ensure_worker(self);
        }
    }

    /// Locks `state`, with the policy to wait once every branch has room or the time is over.
    fn state_with_room(&self, bytes: usize) -> MutexGuard<'_, State> {
        let batch = &self.config.batch;
        if batch.on_full != OverflowPolicy::Block || worker::is_worker() {
            return lock(&self.state);
        }
        let until = Deadline::after(batch.block_limit.unwrap_or(Duration::MAX));
        loop {
            let state = lock(&self.state);
            if self.has_room(bytes) || until.has_passed() {
                return state;
            }
            drop(state);
            for branch in &self.branches {
                branch.wait_for_room(bytes, until, batch);
            }
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.branches.iter().all(|branch| branch.has_room(bytes, &self.config.batch))
    }

    fn tell_losses(&self) {
        self.branches.iter().for_each(|branch| branch.tell_losses());
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
        let results: Vec<_> = self.branches.iter().map(|branch| branch.wait_finished(until)).collect();
        self.pool.clear();
        let mut errors = results.into_iter().filter_map(Result::err);
        let first = errors.next();
        // Only one can be handed back, and what it says of losses is told nowhere else.
        errors.for_each(|error| tell(Level::Warning, &error.to_string()));
        first.map_or(Ok(()), Err)
    }

    pub(crate) fn stats(&self) -> Stats {
        let state = lock(&self.state);
        let in_blocks = state.live.iter().map(LiveBlock::waiting).sum();
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
