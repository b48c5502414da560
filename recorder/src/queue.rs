use std::collections::VecDeque;
use std::time::{Duration, Instant};

use spandrel_plugin_api::{BranchStats, Deadline, Error};

use crate::config::BatchConfig;
use crate::live::Chunk;
use crate::losses::{LossPeriod, LossReason};
use crate::spool::SpoolLosses;

/// Finished spans that wait for the worker of a branch, and what was asked of it.
#[derive(Default)]
pub(crate) struct Queue {
    chunks: VecDeque<Chunk>,
    /// Memory of the chunks.
    pub(crate) bytes: usize,
    /// Chunks that were ever pushed.
    pub(crate) pushed: u64,
    pub(crate) stats: BranchStats,
    pub(crate) losses: LossPeriod,
    /// Spans lost since the last flush was answered, and why the first were.
    pub(crate) lost_since_flush: u64,
    pub(crate) why_lost: String,
    /// Of these, those that nobody was told of: the error of a shutdown tells them.
    untold: u64,
    pub(crate) has_worker: bool,
    pub(crate) flush_wanted: u64,
    pub(crate) flush_done: u64,
    pub(crate) flush_until: Option<Deadline>,
    pub(crate) flush_error: Option<Error>,
    pub(crate) shutdown_until: Option<Deadline>,
    /// How many wait for the shutdown now.
    pub(crate) awaiting_shutdown: u32,
    /// Flushes and shutdowns so far.
    pub(crate) calls: u64,
    pub(crate) finished: bool,
    pub(crate) panics: u32,
    /// The backend is unavailable.
    pub(crate) is_out: bool,
    /// The exporter is at work.
    pub(crate) exporting_since: Option<Instant>,
}

impl Queue {
    /// A single span larger than the queue is let in when the queue is empty.
    pub(crate) fn has_room(&self, bytes: usize, config: &BatchConfig) -> bool {
        self.bytes == 0 || self.bytes + bytes <= config.queue_bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Whether somebody waits for the worker.
    pub(crate) fn is_ending(&self) -> bool {
        self.flush_wanted > self.flush_done || self.shutdown_until.is_some()
    }

    pub(crate) fn push(&mut self, chunk: Chunk) {
        self.bytes += chunk.cost();
        self.pushed += 1;
        self.stats.pending += chunk.spans;
        self.chunks.push_back(chunk);
    }

    /// Makes room; returns how many spans that cost.
    pub(crate) fn drop_oldest(&mut self, bytes: usize, config: &BatchConfig) -> u64 {
        let mut spans = 0;
        while !self.has_room(bytes, config) {
            let Some(chunk) = self.chunks.pop_front() else { break };
            self.bytes -= chunk.cost();
            spans += chunk.spans;
        }
        self.stats.pending -= spans;
        spans
    }

    /// Chunks that were pushed and are no longer here.
    pub(crate) fn passed(&self) -> u64 {
        self.pushed - self.chunks.len() as u64
    }

    /// The oldest chunks, about so large; they are still pending.
    pub(crate) fn take_batch(&mut self, max_bytes: usize) -> Vec<Chunk> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(chunk) = self.chunks.front() {
            if bytes > 0 && bytes + chunk.range.len() > max_bytes {
                break;
            }
            bytes += chunk.range.len();
            self.bytes -= chunk.cost();
            batch.extend(self.chunks.pop_front());
        }
        batch
    }

    /// Chunks that were taken and could not be handed on.
    pub(crate) fn put_back(&mut self, batch: Vec<Chunk>) {
        for chunk in batch.into_iter().rev() {
            self.bytes += chunk.cost();
            self.chunks.push_front(chunk);
        }
    }

    /// Gives up all that is here; returns how many spans that are.
    pub(crate) fn clear(&mut self) -> u64 {
        let spans = std::mem::take(&mut self.chunks).iter().map(|chunk| chunk.spans).sum();
        self.bytes = 0;
        self.stats.pending -= spans;
        spans
    }

    /// Counts spans as lost that are pending no more, so that the next flush or shutdown is not
    /// Ok. Who waits for a shutdown hears it from its error, and nobody hears it twice.
    pub(crate) fn fail(&mut self, reason: LossReason, spans: u64, why: &str) {
        if spans == 0 {
            return;
        }
        if self.lost_since_flush == 0 {
            why.clone_into(&mut self.why_lost);
        }
        self.lost_since_flush += spans;
        self.count_lost(reason, spans);
        if self.awaiting_shutdown > 0 {
            self.untold += spans;
            return;
        }
        self.note_failed(reason, spans, why);
    }

    /// The shutdown ends. What was lost in it is told now, unless its error does, which `is_heard` then.
    pub(crate) fn end_untold(&mut self, is_heard: bool) {
        let spans = std::mem::take(&mut self.untold);
        if spans > 0 && !(is_heard && spans <= self.lost_since_flush) {
            let why = self.why_lost.clone();
            self.note_failed(LossReason::ExportFailed, spans, &why);
        }
    }

    fn note_failed(&mut self, reason: LossReason, spans: u64, why: &str) {
        let which = if self.shutdown_until.is_some() { ", which could not be exported before shutdown" } else { "" };
        self.note(reason, spans, |name| match reason {
            LossReason::Panicked => format!("provider {name} panicked and lost {spans} span(s)"),
            _ => format!("provider {name} lost {spans} span(s){which}: {why}"),
        });
    }

    /// Counts spans as lost that are pending no more.
    pub(crate) fn lose(&mut self, reason: LossReason, spans: u64, text: impl FnOnce(&str) -> String) {
        if spans == 0 {
            return;
        }
        self.count_lost(reason, spans);
        self.note(reason, spans, text);
    }

    fn note(&mut self, reason: LossReason, spans: u64, text: impl FnOnce(&str) -> String) {
        // These two are the service's, and told elsewhere or by nobody.
        if !matches!(reason, LossReason::AfterShutdown | LossReason::Forked) {
            let name = &self.stats.name;
            self.losses.note(reason, spans, Instant::now(), || text(name));
        }
    }

    fn count_lost(&mut self, reason: LossReason, spans: u64) {
        let dropped = &mut self.stats.dropped;
        let counter = match reason {
            LossReason::QueueFull => &mut dropped.queue_full,
            LossReason::TooLarge => &mut dropped.too_large,
            LossReason::ExportFailed => &mut dropped.export_failed,
            LossReason::Panicked => &mut dropped.panicked,
            LossReason::AfterShutdown => &mut dropped.after_shutdown,
            LossReason::Forked => &mut dropped.forked,
            LossReason::SpoolFull => &mut dropped.spool_full,
            LossReason::Expired => &mut dropped.expired,
            LossReason::Damaged => &mut dropped.damaged,
        };
        *counter += spans;
    }

    /// Counts what the spool gave up.
    pub(crate) fn lose_spooled(&mut self, losses: &SpoolLosses) {
        let SpoolLosses { full, expired, damaged } = *losses;
        self.stats.pending -= full + expired + damaged;
        self.stats.spooled -= full + expired + damaged;
        for (reason, spans, why) in [
            (LossReason::SpoolFull, full, "the spool is full; raise spool.max_bytes"),
            (LossReason::Expired, expired, "they lay in the spool for too long; raise spool.max_age_s"),
            (LossReason::Damaged, damaged, "they cannot be read from the spool any more"),
        ] {
            self.fail(reason, spans, why);
        }
    }

    /// Whether what waits here should rather be on disk: the exporter cannot take it now,
    /// or not as quickly as it comes.
    pub(crate) fn should_spool(&self, config: &BatchConfig) -> bool {
        let patience = Duration::from_millis(if self.shutdown_until.is_some() { 100 } else { 1000 });
        self.is_out
            || self.bytes > config.queue_bytes / 2
            || self.exporting_since.is_some_and(|since| since.elapsed() >= patience)
    }
}
