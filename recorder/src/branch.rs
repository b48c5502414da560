use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use spandrel_plugin_api::diagnostics::{Level, RateLimit, report};
use spandrel_plugin_api::{BranchStats, Deadline, Error, ErrorKind, SpanBatch, SpanExporter, panics, suppression};

use crate::batch::with_parts;
use crate::block::lock;
use crate::config::{BatchConfig, OverflowPolicy};
use crate::core::Core;
use crate::live::Chunk;

/// The way to one exporter: a bounded queue and the worker that empties it.
pub(crate) struct Branch {
    name: String,
    queue: Mutex<Queue>,
    /// Tells the worker that there is something to do.
    work: Condvar,
    /// Tells waiting threads that there is room, or that a flush is done.
    done: Condvar,
    /// `None` once it is shut down, or in a child whose parent was at work with it.
    exporter: Mutex<Option<Box<dyn SpanExporter>>>,
    losses: RateLimit,
}

#[derive(Default)]
struct Queue {
    chunks: VecDeque<Chunk>,
    bytes: usize,
    stats: BranchStats,
    has_worker: bool,
    flush_wanted: u64,
    flush_done: u64,
    flush_until: Option<Deadline>,
    flush_error: Option<Error>,
    /// Spans lost by exports since the last flush.
    lost_since_flush: u64,
    shutdown_until: Option<Deadline>,
    finished: bool,
    panics: u32,
}

/// Why a span never reached an exporter.
#[derive(Clone, Copy)]
pub(crate) enum LossReason {
    QueueFull,
    TooLarge,
    ExportFailed,
    Panicked,
    AfterShutdown,
    Forked,
}

/// After this many panics an exporter is not called again.
const MAX_PANICS: u32 = 3;

impl Branch {
    pub(crate) fn new(name: String, exporter: Option<Box<dyn SpanExporter>>) -> Self {
        let stats = {
            let mut stats = BranchStats::default();
            stats.name.clone_from(&name);
            stats
        };
        Self {
            name,
            queue: Mutex::new(Queue { stats, ..Queue::default() }),
            work: Condvar::new(),
            done: Condvar::new(),
            exporter: Mutex::new(exporter),
            losses: RateLimit::new(),
        }
    }

    /// The same branch for a forked child. Nobody else runs there yet, and a lock
    /// that is held now is held for ever.
    pub(crate) fn after_fork(&self) -> Self {
        let mut exporter = self.exporter.try_lock().ok().and_then(|mut exporter| exporter.take());
        if let Some(exporter) = &mut exporter {
            panics::contained(|| exporter.on_fork());
        }
        Self::new(self.name.clone(), exporter)
    }

    pub(crate) fn push(&self, chunk: Chunk, config: &BatchConfig) {
        let mut queue = lock(&self.queue);
        if queue.finished {
            queue.lose(LossReason::AfterShutdown, chunk.spans);
        } else if config.on_full == OverflowPolicy::Drop && !queue.has_room(chunk.range.len(), config) {
            queue.lose(LossReason::QueueFull, chunk.spans);
            drop(queue);
            self.losses.warn(|| {
                let name = &self.name;
                format!("provider {name} is slower than the service: spans are dropped; raise batch.queue_bytes or set batch.on_full = \"block\"")
            });
        } else {
            queue.bytes += chunk.range.len();
            queue.stats.pending += chunk.spans;
            queue.chunks.push_back(chunk);
            if queue.bytes >= config.max_bytes {
                self.work.notify_one();
            }
        }
    }

    /// Waits until `len` bytes fit, or the branch is about to end.
    pub(crate) fn wait_for_room(&self, len: usize, config: &BatchConfig) {
        let mut queue = lock(&self.queue);
        while !queue.finished && queue.shutdown_until.is_none() && !queue.has_room(len, config) {
            self.work.notify_one();
            queue = wait(&self.done, queue, Duration::from_millis(100));
        }
    }

    pub(crate) fn lose(&self, reason: LossReason, spans: u64) {
        lock(&self.queue).lose(reason, spans);
    }

    pub(crate) fn wake(&self) {
        self.work.notify_one();
    }

    /// Starts the worker unless there is one.
    pub(crate) fn ensure_worker(self: &Arc<Self>, core: &Arc<Core>) {
        let mut queue = lock(&self.queue);
        if queue.has_worker || queue.finished {
            return;
        }
        let (branch, shared) = (Arc::clone(self), Arc::clone(core));
        // A plain thread: providers must also work in programs without an async
        // runtime, and after the runtime of `main` has shut down.
        let thread = std::thread::Builder::new().name(format!("spandrel-{}", self.name));
        match thread.spawn(move || branch.run(&shared)) {
            Ok(_) => queue.has_worker = true,
            Err(error) => self.losses.warn(|| format!("cannot start the worker of provider {}: {error}", self.name)),
        }
    }

    pub(crate) fn request_flush(self: &Arc<Self>, core: &Arc<Core>, until: Deadline) -> u64 {
        self.ensure_worker(core);
        let mut queue = lock(&self.queue);
        queue.flush_wanted += 1;
        queue.flush_until = Some(until);
        self.work.notify_one();
        queue.flush_wanted
    }

    pub(crate) fn wait_flushed(&self, ticket: u64, until: Deadline) -> Result<(), Error> {
        let queue = self.wait_until(until, |queue| queue.flush_done >= ticket || queue.finished);
        let mut queue = queue.map_err(|()| self.timeout("flush"))?;
        queue.flush_error.take().map_or(Ok(()), Err)
    }

    pub(crate) fn request_shutdown(self: &Arc<Self>, core: &Arc<Core>, until: Deadline) {
        self.ensure_worker(core);
        let mut queue = lock(&self.queue);
        // A later call may give more time.
        queue.shutdown_until = queue.shutdown_until.max(Some(until));
        self.work.notify_one();
    }

    pub(crate) fn wait_finished(&self, until: Deadline) -> Result<(), Error> {
        let queue = self.wait_until(until, |queue| queue.finished);
        let mut queue = queue.map_err(|()| self.timeout("shutdown"))?;
        queue.flush_error.take().map_or(Ok(()), Err)
    }

    pub(crate) fn stats(&self, in_blocks: u64) -> BranchStats {
        let mut stats = lock(&self.queue).stats.clone();
        stats.pending += in_blocks;
        stats
    }

    fn wait_until(&self, until: Deadline, ready: impl Fn(&Queue) -> bool) -> Result<MutexGuard<'_, Queue>, ()> {
        let mut queue = lock(&self.queue);
        while !ready(&queue) {
            let left = until.left();
            if left.is_zero() {
                return Err(());
            }
            queue = wait(&self.done, queue, left);
        }
        Ok(queue)
    }

    fn lost(&self, spans: u64) -> Error {
        Error::new(ErrorKind::SpansLost, format!("{spans} spans could not be exported"))
            .with_context("provider", &self.name)
    }

    fn timeout(&self, what: &str) -> Error {
        Error::new(ErrorKind::Timeout, format!("{what} did not finish before its deadline"))
            .with_context("provider", &self.name)
    }

    /// The worker: waits for work, exports it, and ends at shutdown.
    fn run(&self, core: &Arc<Core>) {
        let _suppressed = suppression::enter();
        IS_WORKER.set(true);
        let mut due = Deadline::after(core.config.batch.delay);
        loop {
            let mut queue = lock(&self.queue);
            while !queue.has_work(&core.config.batch) {
                let left = due.left();
                if left.is_zero() {
                    break;
                }
                queue = wait(&self.work, queue, left);
                if core.is_retired() {
                    break;
                }
            }
            drop(queue);
            // Full blocks are in the queue; now for the started ones.
            if due.has_passed() || core.is_retired() || lock(&self.queue).is_ending() {
                core.collect();
                due = Deadline::after(core.config.batch.delay);
            }
            let exported = self.export_queued(core);
            if self.answer_flush(core) {
                continue;
            }
            if self.answer_shutdown(core) {
                return;
            }
            if !exported {
                self.with_exporter(core, |exporter| exporter.on_idle());
                if core.is_retired() && self.leave() {
                    // A span that ended before `leave` relied on this worker; if
                    // there is one, this starts the next.
                    core.collect();
                    return;
                }
            }
        }
    }

    /// Exports all that is queued now; false if nothing was.
    fn export_queued(&self, core: &Core) -> bool {
        let mut any = false;
        loop {
            let chunks = lock(&self.queue).take_batch(core.config.batch.max_bytes);
            if chunks.is_empty() {
                return any;
            }
            any = true;
            let spans: u64 = chunks.iter().map(|chunk| chunk.spans).sum();
            let result = self.export(core, &chunks, spans);
            drop(chunks);
            let mut queue = lock(&self.queue);
            queue.stats.pending -= spans;
            match result {
                Ok(()) => queue.stats.exported += spans,
                Err(reason) => {
                    queue.lose(reason, spans);
                    queue.lost_since_flush += spans;
                }
            }
            drop(queue);
            self.done.notify_all();
        }
    }

    fn export(&self, core: &Core, chunks: &[Chunk], spans: u64) -> Result<(), LossReason> {
        let called = self.with_exporter(core, |exporter| {
            with_parts(chunks, &core.resource, &core.scopes, |parts| {
                exporter.export(&SpanBatch::new(parts, usize::try_from(spans).unwrap_or(usize::MAX)))
            })
        });
        match called {
            Called::Returned(Ok(())) => Ok(()),
            Called::Returned(Err(error)) => {
                self.losses.warn(|| format!("provider {} lost {spans} span(s): {error}", self.name));
                // So says a plugin that panicked too often in calls of others.
                let panicked = error.kind() == ErrorKind::Panicked;
                Err(if panicked { LossReason::Panicked } else { LossReason::ExportFailed })
            }
            Called::Panicked => {
                self.losses.warn(|| format!("provider {} panicked and lost {spans} span(s)", self.name));
                Err(LossReason::Panicked)
            }
            Called::Absent => Err(LossReason::Forked),
        }
    }

    /// Calls the exporter unless it panicked too often; a panic ends here.
    fn with_exporter<R>(&self, core: &Core, call: impl FnOnce(&mut dyn SpanExporter) -> R) -> Called<R> {
        if lock(&self.queue).panics >= MAX_PANICS {
            return Called::Panicked;
        }
        let mut exporter = lock(&self.exporter);
        let Some(exporter) = exporter.as_deref_mut() else { return Called::Absent };
        let called = panics::contained(|| {
            let panics = exporter.panics();
            let result = call(exporter);
            (result, exporter.panics().wrapping_sub(panics))
        });
        match called {
            Some((result, 0)) => Called::Returned(result),
            // A plugin's panics end within it.
            Some((_, panics)) => {
                (0..panics).for_each(|_| self.count_panic(core));
                Called::Panicked
            }
            None => {
                self.count_panic(core);
                Called::Panicked
            }
        }
    }

    fn count_panic(&self, core: &Core) {
        core.count_panic();
        let mut queue = lock(&self.queue);
        queue.panics += 1;
        if queue.panics == MAX_PANICS {
            let text = format!("provider {} panicked {MAX_PANICS} times and is out of service now", self.name);
            report(Level::Warning, &text);
        }
    }

    /// Answers a flush if one is wanted and everything before it was exported.
    fn answer_flush(&self, core: &Core) -> bool {
        let queue = lock(&self.queue);
        let (wanted, until) = (queue.flush_wanted, queue.flush_until);
        if wanted == queue.flush_done {
            return false;
        }
        drop(queue);
        let left = until.map_or(Duration::ZERO, Deadline::left);
        let error = self.finish_with(core, |exporter| exporter.flush(left));
        let mut queue = lock(&self.queue);
        queue.flush_done = wanted;
        let lost = std::mem::take(&mut queue.lost_since_flush);
        queue.flush_error = error.or_else(|| (lost > 0).then(|| self.lost(lost)));
        drop(queue);
        self.done.notify_all();
        true
    }

    /// Shuts the exporter down if that is wanted.
    fn answer_shutdown(&self, core: &Core) -> bool {
        let Some(until) = lock(&self.queue).shutdown_until else { return false };
        let left = until.left();
        let mut error = self.finish_with(core, |exporter| exporter.shutdown(left));
        let exporter = lock(&self.exporter).take();
        // A destructor may panic like any other code of a provider.
        if panics::contained(|| drop(exporter)).is_none() {
            core.count_panic();
            error.get_or_insert_with(|| panicked(&self.name));
        }
        let mut queue = lock(&self.queue);
        queue.finished = true;
        queue.has_worker = false;
        queue.flush_error = error;
        // What was queued in the meantime comes too late.
        let late = std::mem::take(&mut queue.chunks).iter().map(|chunk| chunk.spans).sum();
        queue.stats.pending -= late;
        queue.lose(LossReason::AfterShutdown, late);
        drop(queue);
        self.done.notify_all();
        true
    }

    fn finish_with(&self, core: &Core, call: impl FnOnce(&mut dyn SpanExporter) -> Result<(), Error>) -> Option<Error> {
        match self.with_exporter(core, call) {
            Called::Returned(result) => result.err().map(|error| error.with_context("provider", &self.name)),
            Called::Panicked => Some(panicked(&self.name)),
            Called::Absent => None,
        }
    }

    /// Ends the worker of a retired recorder if nothing came in meanwhile.
    fn leave(&self) -> bool {
        let mut queue = lock(&self.queue);
        let idle = queue.chunks.is_empty() && !queue.is_ending();
        if idle {
            queue.has_worker = false;
        }
        idle
    }
}

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread empties a queue, so that it must not wait for room in one.
pub(crate) fn is_worker() -> bool {
    IS_WORKER.get()
}

enum Called<R> {
    Returned(R),
    Panicked,
    Absent,
}

impl Queue {
    /// A single span larger than the queue is let in when the queue is empty.
    fn has_room(&self, len: usize, config: &BatchConfig) -> bool {
        self.bytes == 0 || self.bytes + len <= config.queue_bytes
    }

    fn has_work(&self, config: &BatchConfig) -> bool {
        self.bytes >= config.max_bytes || self.is_ending()
    }

    fn is_ending(&self) -> bool {
        self.flush_wanted > self.flush_done || self.shutdown_until.is_some()
    }

    fn take_batch(&mut self, max_bytes: usize) -> Vec<Chunk> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(chunk) = self.chunks.front() {
            if bytes > 0 && bytes + chunk.range.len() > max_bytes {
                break;
            }
            bytes += chunk.range.len();
            batch.extend(self.chunks.pop_front());
        }
        self.bytes -= bytes;
        batch
    }

    fn lose(&mut self, reason: LossReason, spans: u64) {
        let dropped = &mut self.stats.dropped;
        let counter = match reason {
            LossReason::QueueFull => &mut dropped.queue_full,
            LossReason::TooLarge => &mut dropped.too_large,
            LossReason::ExportFailed => &mut dropped.export_failed,
            LossReason::Panicked => &mut dropped.panicked,
            LossReason::AfterShutdown => &mut dropped.after_shutdown,
            LossReason::Forked => &mut dropped.forked,
        };
        *counter += spans;
    }
}

fn panicked(name: &str) -> Error {
    Error::new(ErrorKind::Panicked, "the provider panicked").with_context("provider", name)
}

fn wait<'a>(condition: &Condvar, queue: MutexGuard<'a, Queue>, time: Duration) -> MutexGuard<'a, Queue> {
    match condition.wait_timeout(queue, time) {
        Ok((queue, _)) => queue,
        Err(poisoned) => poisoned.into_inner().0,
    }
}
