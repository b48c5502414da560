use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use spandrel_plugin_api::diagnostics::{Level, RateLimit, report};
use spandrel_plugin_api::{BranchStats, Deadline, Error, ErrorKind, SpanExporter, panics};

use crate::block::lock;
use crate::config::{BatchConfig, OverflowPolicy};
use crate::core::Core;
use crate::live::Chunk;
use crate::losses::LossReason;
use crate::queue::Queue;
use crate::spool::Spool;
use crate::worker;

/// The way to one exporter: a bounded queue and the worker that empties it.
///
/// Locks are taken in this order: `exporter` alone; `spool`, `queue`.
pub(crate) struct Branch {
    pub(crate) name: String,
    /// Where spans go, if the exporter says so.
    destination: String,
    pub(crate) queue: Mutex<Queue>,
    /// Tells the worker that there is something to do.
    pub(crate) work: Condvar,
    /// Tells the spooler so.
    pub(crate) spooling: Condvar,
    /// Tells waiting threads that there is room, or that a flush is done.
    pub(crate) done: Condvar,
    /// `None` once it is shut down, or in a child whose parent was at work with it.
    pub(crate) exporter: Mutex<Option<Box<dyn SpanExporter>>>,
    /// Open while there is a worker, if one is configured.
    pub(crate) spool: Mutex<Option<Spool>>,
    pub(crate) troubles: RateLimit,
}

impl Branch {
    pub(crate) fn new(name: String, exporter: Option<Box<dyn SpanExporter>>) -> Self {
        let mut queue = Queue::default();
        queue.stats.name.clone_from(&name);
        let destination = exporter.as_ref().and_then(|exporter| panics::contained(|| exporter.destination()));
        Self {
            name,
            destination: destination.unwrap_or_default(),
            queue: Mutex::new(queue),
            work: Condvar::new(),
            spooling: Condvar::new(),
            done: Condvar::new(),
            exporter: Mutex::new(exporter),
            spool: Mutex::new(None),
            troubles: RateLimit::new(),
        }
    }

    /// The same branch for a forked child. Nobody else runs there yet, and a lock
    /// that is held now is held for ever.
    pub(crate) fn after_fork(&self) -> Self {
        let mut exporter = self.exporter.try_lock().ok().and_then(|mut exporter| exporter.take());
        if let Some(exporter) = &mut exporter {
            panics::contained(|| exporter.on_fork());
        }
        // Closes the child's copies of the files, which else would keep the parent's lock
        // after the parent has ended. The child gets a spool of its own.
        drop(self.spool.try_lock().ok().and_then(|mut spool| spool.take()));
        Self::new(self.name.clone(), exporter)
    }

    /// Queues a chunk, or loses it or others as the policy says. One that is `last` before
    /// shutdown is always queued.
    pub(crate) fn push(&self, chunk: Chunk, config: &BatchConfig, is_last: bool) {
        let mut queue = lock(&self.queue);
        let (cost, spans) = (chunk.cost(), chunk.spans);
        if queue.finished {
            return queue.lose(LossReason::AfterShutdown, spans, |_| String::new());
        }
        let waits = config.on_full == OverflowPolicy::Block && config.block_limit.is_none();
        if !is_last && !waits && !queue.has_room(cost, config) {
            let lost = match config.on_full {
                OverflowPolicy::DropOldest => queue.drop_oldest(cost, config),
                OverflowPolicy::Drop | OverflowPolicy::Block => spans,
            };
            let is_out = queue.is_out;
            queue.lose(LossReason::QueueFull, lost, |name| queue_full(name, is_out));
            if config.on_full != OverflowPolicy::DropOldest {
                return;
            }
        }
        queue.push(chunk);
        if queue.bytes >= config.max_bytes {
            self.work.notify_one();
        }
        if queue.bytes > config.queue_bytes / 2 {
            self.spooling.notify_one();
        }
    }

    pub(crate) fn has_room(&self, bytes: usize, config: &BatchConfig) -> bool {
        let queue = lock(&self.queue);
        queue.finished || queue.shutdown_until.is_some() || queue.has_room(bytes, config)
    }

    /// Waits until so many bytes fit, or the branch is about to end, or for too long.
    pub(crate) fn wait_for_room(&self, bytes: usize, until: Deadline, config: &BatchConfig) {
        let mut queue = lock(&self.queue);
        while !queue.finished && queue.shutdown_until.is_none() && !queue.has_room(bytes, config) {
            let left = until.left().min(Duration::from_millis(100));
            if left.is_zero() {
                return;
            }
            self.work.notify_one();
            queue = wait(&self.done, queue, left);
        }
    }

    pub(crate) fn lose(&self, reason: LossReason, spans: u64) {
        let text = |name: &str| format!("provider {name} lost a span that is larger than batch.queue_bytes");
        lock(&self.queue).lose(reason, spans, text);
    }

    /// Tells what was noted about losses. The caller holds no lock: a handler may do anything.
    pub(crate) fn tell_losses(&self) {
        let notices = lock(&self.queue).losses.take_notices();
        notices.iter().for_each(|text| tell(Level::Warning, text));
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
        match thread.spawn(move || worker::run(&branch, &shared)) {
            Ok(_) => queue.has_worker = true,
            Err(error) => self.troubles.warn(|| format!("cannot start the worker of provider {}: {error}", self.name)),
        }
    }

    pub(crate) fn request_flush(self: &Arc<Self>, core: &Arc<Core>, until: Deadline) -> u64 {
        self.ensure_worker(core);
        let mut queue = lock(&self.queue);
        // One that others wait for as well may take as long as the most patient allows.
        let others = queue.flush_until.filter(|_| queue.flush_wanted > queue.flush_done);
        queue.flush_until = others.max(Some(until));
        queue.flush_wanted += 1;
        queue.calls += 1;
        self.work.notify_one();
        queue.flush_wanted
    }

    pub(crate) fn wait_flushed(&self, ticket: u64, until: Deadline) -> Result<(), Error> {
        let queue = self.wait_until(until, |queue| queue.flush_done >= ticket || queue.finished);
        let mut queue = queue.map_err(|queue| timeout("flush", &self.destination, &queue))?;
        queue.flush_error.take().map_or(Ok(()), Err)
    }

    pub(crate) fn request_shutdown(self: &Arc<Self>, core: &Arc<Core>, until: Deadline) {
        self.ensure_worker(core);
        let mut queue = lock(&self.queue);
        // A later call may give more time.
        queue.shutdown_until = queue.shutdown_until.max(Some(until));
        queue.awaiting_shutdown += 1;
        queue.calls += 1;
        self.work.notify_one();
        self.spooling.notify_one();
    }

    /// Whoever has called [`request_shutdown`](Self::request_shutdown) calls it, once.
    pub(crate) fn wait_finished(&self, until: Deadline) -> Result<(), Error> {
        let queue = self.wait_until(until, |queue| queue.finished);
        let mut queue = queue.map_err(|mut queue| {
            queue.awaiting_shutdown -= 1;
            timeout("shutdown", &self.destination, &queue)
        })?;
        queue.flush_error.take().map_or(Ok(()), Err)
    }

    pub(crate) fn stats(&self, in_blocks: u64) -> BranchStats {
        let queue = lock(&self.queue);
        let mut stats = queue.stats.clone();
        stats.pending += in_blocks;
        stats.queue_bytes = queue.bytes as u64;
        stats
    }

    /// `Err` if the time is over first.
    fn wait_until(
        &self,
        until: Deadline,
        ready: impl Fn(&Queue) -> bool,
    ) -> Result<MutexGuard<'_, Queue>, MutexGuard<'_, Queue>> {
        let mut queue = lock(&self.queue);
        while !ready(&queue) {
            let left = until.left();
            if left.is_zero() {
                return Err(queue);
            }
            queue = wait(&self.done, queue, left);
        }
        Ok(queue)
    }
}

/// Says what is known of a backend that has not answered: after its deadline nobody waits for more.
fn timeout(what: &str, destination: &str, queue: &Queue) -> Error {
    let BranchStats { name, pending, last_error, .. } = &queue.stats;
    let mut error = Error::new(ErrorKind::Timeout, format!("{what} did not finish before its deadline"))
        .with_context("provider", name)
        .with_context("not exported yet", format!("{pending} span(s)"));
    if !destination.is_empty() {
        error = error.with_context("endpoint", destination);
    }
    if let Some(since) = queue.exporting_since {
        error =
            error.with_context("waiting for", format!("an export that began {} ms ago", since.elapsed().as_millis()));
    }
    if !last_error.is_empty() {
        error = error.with_context("last error", last_error);
    }
    error
        .with_context("remedy", format!("raise the deadline, or check that the backend of {name} is there and answers"))
}

fn queue_full(name: &str, is_out: bool) -> String {
    let why = if is_out { "cannot deliver" } else { "is slower than the service" };
    format!(
        "provider {name} {why} and its queue is full: spans are dropped; raise batch.queue_bytes, \
         set spool.dir, or set batch.on_full = \"block\""
    )
}

/// Reports on a thread that must survive whatever the handler does.
pub(crate) fn tell(level: Level, text: &str) {
    panics::contained(|| report(level, text));
}

pub(crate) fn wait<'a>(condition: &Condvar, queue: MutexGuard<'a, Queue>, time: Duration) -> MutexGuard<'a, Queue> {
    match condition.wait_timeout(queue, time) {
        Ok((queue, _)) => queue,
        Err(poisoned) => poisoned.into_inner().0,
    }
}

impl Branch {
    /// Ends a period of losses that is over, and tells what was noted.
    pub(crate) fn end_losses(&self, is_last: bool) {
        lock(&self.queue).losses.end(&self.name, Instant::now(), is_last);
        self.tell_losses();
    }
}
