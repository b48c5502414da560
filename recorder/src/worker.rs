//! The thread of a branch: it exports what is queued, tries again while the backend is
//! unavailable, and answers flushes and shutdowns in time.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use spandrel_plugin_api::diagnostics::Level;
use spandrel_plugin_api::{Deadline, Error, ErrorKind, SpanBatch, SpanExporter, panics, suppression};

use crate::batch::with_parts;
use crate::block::lock;
use crate::branch::{Branch, tell, wait};
use crate::core::Core;
use crate::losses::LossReason;
use crate::outage::Outage;
use crate::queue::Queue;
use crate::spool::Spool;
use crate::spooler;

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread empties a queue, so that it must not wait for room in one.
pub(crate) fn is_worker() -> bool {
    IS_WORKER.get()
}

/// Marks this thread as one of ours.
pub(crate) fn enter() -> impl Sized {
    IS_WORKER.set(true);
    suppression::enter()
}

/// Works until shutdown, or until a retired recorder is idle.
pub(crate) fn run(branch: &Branch, core: &Arc<Core>) {
    let _suppressed = enter();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        if spooler::open(branch, core) {
            let thread = std::thread::Builder::new().name(format!("spandrel-{}-spool", branch.name));
            let spawned = thread.spawn_scoped(scope, || panics::contained(|| spooler::run(branch, core, &over)));
            if let Err(error) = spawned {
                let text = format!("provider {} has no thread for its spool: {error}", branch.name);
                tell(Level::Warning, &text);
            }
        }
        Worker::new(branch, core).run();
        let queue = lock(&branch.queue);
        over.store(true, Ordering::Relaxed);
        branch.spooling.notify_all();
        drop(queue);
    });
}

struct Worker<'a> {
    branch: &'a Branch,
    core: &'a Arc<Core>,
    outage: Option<Outage>,
    /// When blocks are collected next.
    due: Deadline,
    /// There is more in the spool, and nothing known that keeps it there.
    has_more: bool,
    /// All blocks could be collected the last time.
    is_collected: bool,
    asked: Asked,
}

/// What was asked when a round began; what comes later is for the next round.
#[derive(Default)]
struct Asked {
    calls: u64,
    flush: u64,
    shutdown: bool,
    /// What was queued before it.
    queued: u64,
}

enum Outcome {
    Delivered,
    /// As many were lost.
    Lost(LossReason, u64),
    Unavailable,
}

/// After this many panics an exporter is not called again.
const MAX_PANICS: u32 = 3;
/// Before a deadline passes, there must be time left to say how it ended.
const MARGIN: Duration = Duration::from_millis(50);
/// A flush that cannot be answered yet, though the backend works, looks again after this time.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

impl<'a> Worker<'a> {
    fn new(branch: &'a Branch, core: &'a Arc<Core>) -> Self {
        let due = Deadline::after(core.config.batch.delay);
        let has_more = lock(&branch.spool).as_ref().is_some_and(|spool| !spool.is_empty());
        Self { branch, core, outage: None, due, has_more, is_collected: true, asked: Asked::default() }
    }

    fn run(mut self) {
        loop {
            self.wait();
            let is_due = self.due.has_passed();
            self.begin_round(is_due);
            let exported = self.export_waiting();
            self.branch.end_losses(false);
            let answered = self.answer_flush();
            if self.answer_shutdown() {
                return;
            }
            if !exported && !answered {
                if is_due || self.core.is_retired() {
                    self.with_exporter(|exporter| exporter.on_idle());
                }
                if self.core.is_retired() && self.leave() {
                    // A span that ended before `leave` relied on this worker; if
                    // there is one, this starts the next.
                    self.core.collect();
                    return;
                }
            }
        }
    }

    /// Waits for something to do.
    fn wait(&self) {
        let mut queue = lock(&self.branch.queue);
        loop {
            let is_asked = queue.is_ending() && queue.calls > self.asked.calls;
            let is_full = queue.bytes >= self.core.config.batch.max_bytes || self.has_more;
            if is_asked || (self.outage.is_none() && is_full) {
                return;
            }
            let left = self.time_to_wait(&queue);
            if left.is_zero() {
                return;
            }
            queue = wait(&self.branch.work, queue, left);
            if self.core.is_retired() {
                return;
            }
        }
    }

    fn time_to_wait(&self, queue: &Queue) -> Duration {
        let mut left = self.due.left();
        match &self.outage {
            Some(outage) => left = left.min(outage.time_to_retry()),
            None if queue.is_ending() => left = left.min(LOOK_AGAIN),
            None => {}
        }
        for until in [queue.flush_until.filter(|_| queue.flush_wanted > queue.flush_done), queue.shutdown_until] {
            left = left.min(until.map_or(Duration::MAX, |until| until.left().saturating_sub(MARGIN)));
        }
        left
    }

    /// Collects what the threads have finished, on a timer or for those who wait.
    fn begin_round(&mut self, is_due: bool) {
        let queue = lock(&self.branch.queue);
        let is_ending = queue.is_ending();
        let asked = Asked {
            calls: queue.calls,
            flush: queue.flush_wanted,
            shutdown: queue.shutdown_until.is_some(),
            queued: 0,
        };
        drop(queue);
        // Full blocks are in the queue; now for the started ones.
        if is_due || is_ending || self.core.is_retired() {
            self.is_collected = self.core.collect();
            self.due = Deadline::after(self.core.config.batch.delay);
        }
        self.asked = Asked { queued: lock(&self.branch.queue).pushed, ..asked };
    }

    /// Exports what was queued when the round began, and a batch of the spool; false if nothing was.
    fn export_waiting(&mut self) -> bool {
        let mut any = false;
        if let Some(outage) = &self.outage {
            if outage.calls >= self.asked.calls && !outage.time_to_retry().is_zero() {
                return false;
            }
            // One batch tells. Of the spool's, a kill in the meantime takes nothing.
            match self.export_spooled().or_else(|| self.export_queued()) {
                Some(()) => any = true,
                // Whatever waited was given up.
                None => self.end_outage(false),
            }
        }
        while self.outage.is_none() && !self.is_too_late() && self.export_queued().is_some() {
            any = true;
        }
        self.has_more = false;
        if self.outage.is_none() && !self.is_too_late() {
            let exported = self.export_spooled().is_some();
            self.has_more = exported && self.outage.is_none();
            any |= exported;
        }
        any
    }

    /// Exports a batch of the queue if there is one.
    fn export_queued(&mut self) -> Option<()> {
        let mut queue = lock(&self.branch.queue);
        if queue.passed() >= self.asked.queued {
            return None;
        }
        let chunks = queue.take_batch(self.core.config.batch.max_bytes);
        drop(queue);
        let spans: u64 = chunks.iter().map(|chunk| chunk.spans).sum();
        let (resource, scopes) = (&self.core.resource, &self.core.scopes);
        let outcome = with_parts(&chunks, resource, scopes, |parts| self.export(parts, spans));
        let mut queue = lock(&self.branch.queue);
        if matches!(outcome, Outcome::Unavailable) {
            queue.put_back(chunks);
        } else {
            self.settle(&mut queue, &outcome, spans);
        }
        drop(queue);
        self.branch.done.notify_all();
        Some(())
    }

    /// Exports a batch of the spool if there is one.
    fn export_spooled(&mut self) -> Option<()> {
        if lock(&self.branch.queue).panics >= MAX_PANICS {
            // It stays for a process whose exporter works.
            return None;
        }
        let batch = spooler::read(self.branch, self.core)?;
        let outcome = self.export(&batch.parts(), batch.spans);
        let is_done = !matches!(outcome, Outcome::Unavailable);
        spooler::done(self.branch, is_done, |queue| {
            if is_done {
                queue.stats.spooled -= batch.spans;
                self.settle(queue, &outcome, batch.spans);
            }
        });
        Some(())
    }

    fn settle(&self, queue: &mut Queue, outcome: &Outcome, spans: u64) {
        queue.stats.pending -= spans;
        let (reason, lost) = match *outcome {
            Outcome::Lost(reason, lost) => (reason, lost.min(spans)),
            _ => (LossReason::ExportFailed, 0),
        };
        queue.stats.exported += spans - lost;
        match reason {
            LossReason::Panicked => queue.fail(reason, lost, "it panicked"),
            LossReason::Forked => queue.fail(reason, lost, "its exporter was at work in the parent process"),
            _ => {
                let error = queue.stats.last_error.clone();
                queue.fail(reason, lost, &error);
            }
        }
    }

    /// One attempt to deliver a batch.
    fn export(&mut self, parts: &[&[u8]], spans: u64) -> Outcome {
        let batch = SpanBatch::new(parts, usize::try_from(spans).unwrap_or(usize::MAX));
        let began = Instant::now();
        lock(&self.branch.queue).exporting_since = Some(began);
        let called = self.with_exporter(|exporter| exporter.export(&batch));
        let mut queue = lock(&self.branch.queue);
        queue.exporting_since = None;
        if let Called::Returned(result) = &called {
            queue.stats.exports += 1;
            queue.stats.last_export_time = began.elapsed();
            queue.stats.export_time += began.elapsed();
            if let Err(error) = result {
                queue.stats.last_error = error.to_string();
            }
        }
        let is_ending = queue.is_ending();
        drop(queue);
        let error = match called {
            Called::Returned(Ok(())) => {
                self.end_outage(true);
                return Outcome::Delivered;
            }
            Called::Returned(Err(error)) => error,
            Called::Panicked => {
                self.end_outage(false);
                return Outcome::Lost(LossReason::Panicked, spans);
            }
            Called::Absent => return Outcome::Lost(LossReason::Forked, spans),
        };
        match error.kind() {
            ErrorKind::Unavailable => {
                self.put_off(&error, is_ending);
                return Outcome::Unavailable;
            }
            // So says a plugin that panicked too often in calls of others.
            ErrorKind::Panicked => return Outcome::Lost(LossReason::Panicked, spans),
            _ => {}
        }
        let lost = error.spans_lost().filter(|_| error.kind() == ErrorKind::SpansLost);
        // A backend that takes a part is there; of any other error nobody knows.
        self.end_outage(lost.is_some());
        Outcome::Lost(LossReason::ExportFailed, lost.unwrap_or(spans))
    }

    /// Plans another attempt.
    fn put_off(&mut self, error: &Error, is_ending: bool) {
        let outage = self.outage.get_or_insert_with(Outage::begin);
        outage.calls = self.asked.calls;
        outage.failed(error.retry_after(), is_ending, &self.core.config.batch);
        let mut queue = lock(&self.branch.queue);
        queue.is_out = true;
        queue.stats.retries += 1;
        let is_awaited = queue.awaiting_shutdown > 0;
        drop(queue);
        self.branch.spooling.notify_one();
        let branch = self.branch;
        let place = spooler::place(branch);
        // A shutdown without a spool ends with a delivery, or with an error that says the same.
        if outage.is_told || (is_awaited && place.is_none()) {
            return;
        }
        panics::contained(|| {
            branch.troubles.warn(|| {
                outage.is_told = true;
                let place = place.map_or_else(|| "in memory".to_owned(), |path| format!("in {path}"));
                format!("provider {} cannot deliver: {error}; spans are kept {place} and tried again", branch.name)
            });
        });
    }

    fn end_outage(&mut self, is_delivered: bool) {
        let Some(outage) = self.outage.take() else { return };
        let mut queue = lock(&self.branch.queue);
        queue.is_out = false;
        let pending = queue.stats.pending;
        drop(queue);
        if outage.is_told && is_delivered {
            let (name, seconds) = (&self.branch.name, outage.began.elapsed().as_secs());
            let text = format!("provider {name} delivers again after {seconds} s; {pending} span(s) were waiting");
            tell(Level::Info, &text);
        }
    }

    /// Calls the exporter unless it panicked too often; a panic ends here.
    fn with_exporter<R>(&self, call: impl FnOnce(&mut dyn SpanExporter) -> R) -> Called<R> {
        if lock(&self.branch.queue).panics >= MAX_PANICS {
            return Called::Panicked;
        }
        let mut exporter = lock(&self.branch.exporter);
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
                (0..panics).for_each(|_| self.count_panic());
                Called::Panicked
            }
            None => {
                self.count_panic();
                Called::Panicked
            }
        }
    }

    fn count_panic(&self) {
        self.core.count_panic();
        let mut queue = lock(&self.branch.queue);
        queue.panics += 1;
        let is_over = queue.panics == MAX_PANICS;
        drop(queue);
        if is_over {
            let name = &self.branch.name;
            tell(Level::Warning, &format!("provider {name} panicked {MAX_PANICS} times and is out of service now"));
        }
    }

    /// Answers a flush that was asked for before the round, if everything before it was
    /// exported, or cannot be in time.
    fn answer_flush(&mut self) -> bool {
        let queue = lock(&self.branch.queue);
        let left = queue.flush_until.map_or(Duration::ZERO, Deadline::left);
        if self.asked.flush == queue.flush_done {
            return false;
        }
        drop(queue);
        let is_delivered = self.is_delivered();
        if !is_delivered && self.may_deliver_within(left) {
            return false;
        }
        let error = self.finish_with(|exporter| exporter.flush(left));
        let mut queue = lock(&self.branch.queue);
        queue.flush_done = self.asked.flush;
        queue.flush_error = error.or_else(|| self.shortfall(&mut queue, is_delivered));
        drop(queue);
        self.branch.done.notify_all();
        true
    }

    /// Shuts the exporter down if that was asked for before the round.
    fn answer_shutdown(&mut self) -> bool {
        if !self.asked.shutdown {
            return false;
        }
        let Some(until) = lock(&self.branch.queue).shutdown_until else { return false };
        let has_spool = lock(&self.branch.spool).is_some();
        let is_kept = has_spool && self.outage.is_some();
        let is_delivered = self.is_delivered();
        if !is_delivered && !is_kept && self.may_deliver_within(until.left()) {
            return false;
        }
        if has_spool {
            self.core.collect();
            spooler::write(self.branch, self.core);
        }
        if !is_delivered {
            let mut queue = lock(&self.branch.queue);
            let lost = queue.clear();
            let why = match self.outage {
                Some(_) => queue.stats.last_error.clone(),
                None => "there was no time left for them: raise the deadline".to_owned(),
            };
            queue.fail(LossReason::ExportFailed, lost, &why);
        }
        let mut error = self.finish_with(|exporter| exporter.shutdown(until.left()));
        let exporter = lock(&self.branch.exporter).take();
        // A destructor may panic like any other code of a provider.
        if panics::contained(|| drop(exporter)).is_none() {
            self.core.count_panic();
            error.get_or_insert_with(|| panicked(&self.branch.name));
        }
        spooler::close(self.branch);
        let mut queue = lock(&self.branch.queue);
        queue.finished = true;
        queue.has_worker = false;
        queue.is_out = false;
        // What was queued in the meantime comes too late.
        let late = queue.clear();
        queue.lose(LossReason::AfterShutdown, late, |_| String::new());
        // Who has given up waiting hears nothing, and what the exporter says is not about losses.
        let is_heard = error.is_none() && queue.awaiting_shutdown > 0;
        queue.end_untold(is_heard);
        queue.flush_error = error.or_else(|| self.shortfall(&mut queue, true));
        drop(queue);
        self.branch.end_losses(true);
        self.branch.done.notify_all();
        true
    }

    /// Whether all that this round was asked for has left.
    fn is_delivered(&self) -> bool {
        let has_passed = lock(&self.branch.queue).passed() >= self.asked.queued;
        // The spooler holds this lock while it has something in hand.
        let is_drained = lock(&self.branch.spool).as_ref().is_none_or(Spool::is_empty);
        let is_out_of_service = lock(&self.branch.queue).panics >= MAX_PANICS;
        self.is_collected && self.outage.is_none() && has_passed && (is_drained || is_out_of_service)
    }

    /// Whether there is time, and something to be done in it.
    fn may_deliver_within(&self, left: Duration) -> bool {
        left > MARGIN && self.outage.as_ref().is_none_or(|outage| outage.time_to_retry() < left - MARGIN)
    }

    /// Whether a shutdown must end now.
    fn is_too_late(&self) -> bool {
        let queue = lock(&self.branch.queue);
        self.asked.shutdown && queue.shutdown_until.is_some_and(|until| until.left() < MARGIN)
    }

    /// Why a flush or shutdown is not Ok.
    fn shortfall(&self, queue: &mut Queue, is_delivered: bool) -> Option<Error> {
        let (kind, message, key, why) = match (std::mem::take(&mut queue.lost_since_flush), queue.stats.pending) {
            (0, _) if is_delivered => return None,
            (0, waiting) => (
                ErrorKind::Unavailable,
                format!("{waiting} spans could not be exported yet; they are kept and tried again"),
                "last error",
                &queue.stats.last_error,
            ),
            (lost, _) => {
                (ErrorKind::SpansLost, format!("{lost} spans could not be exported"), "reason", &queue.why_lost)
            }
        };
        Some(Error::new(kind, message).with_context("provider", &self.branch.name).with_context(key, why))
    }

    fn finish_with(&self, call: impl FnOnce(&mut dyn SpanExporter) -> Result<(), Error>) -> Option<Error> {
        match self.with_exporter(call) {
            Called::Returned(result) => result.err().map(|error| error.with_context("provider", &self.branch.name)),
            Called::Panicked => Some(panicked(&self.branch.name)),
            Called::Absent => None,
        }
    }

    /// Ends the worker of a retired recorder if nothing came in meanwhile.
    fn leave(&self) -> bool {
        let mut spool = lock(&self.branch.spool);
        let mut queue = lock(&self.branch.queue);
        let is_drained = spool.as_ref().is_none_or(Spool::is_empty);
        let idle = queue.is_empty() && !queue.is_ending() && is_drained && self.outage.is_none();
        if idle {
            queue.has_worker = false;
            *spool = None;
        }
        idle
    }
}

enum Called<R> {
    Returned(R),
    Panicked,
    Absent,
}

fn panicked(name: &str) -> Error {
    Error::new(ErrorKind::Panicked, "the provider panicked").with_context("provider", name)
}
