//! What a branch does with its spool. In an outage a second thread writes what is
//! queued to disk: the worker may be held up by an exporter that waits for its backend.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use spandrel_plugin_api::diagnostics::Level;
use spandrel_plugin_api::panics;

use crate::batch::with_parts;
use crate::block::lock;
use crate::branch::{Branch, tell, wait};
use crate::core::Core;
use crate::queue::Queue;
use crate::spool::{Spool, SpooledBatch};
use crate::worker;

/// In an outage a kill costs what was finished in this time.
const IN_OUTAGE: Duration = Duration::from_millis(100);
const OTHERWISE: Duration = Duration::from_millis(500);

/// Opens the spool, if one is configured; whether there is one now.
pub(crate) fn open(branch: &Branch, core: &Core) -> bool {
    let Some(config) = &core.config.spool else { return false };
    let mut spool = lock(&branch.spool);
    match Spool::open(config, &branch.name) {
        Ok((opened, recovered)) => {
            let mut queue = lock(&branch.queue);
            queue.stats.recovered += recovered;
            queue.stats.pending += recovered;
            queue.stats.spooled += recovered;
            drop(queue);
            account(branch, spool.insert(opened), |_| ());
            true
        }
        Err(error) => {
            let path = config.dir.display();
            trouble(branch, || format!("cannot open its spool: {error} (path: {path}); spans wait in memory alone"));
            false
        }
    }
}

/// Writes to disk what cannot be exported, until `over` is set.
pub(crate) fn run(branch: &Branch, core: &Arc<Core>, over: &AtomicBool) {
    let _suppressed = worker::enter();
    loop {
        let mut queue = lock(&branch.queue);
        if !over.load(Ordering::Relaxed) {
            let is_near = queue.is_out || queue.exporting_since.is_some() || queue.shutdown_until.is_some();
            queue = wait(&branch.spooling, queue, if is_near { IN_OUTAGE } else { OTHERWISE });
        }
        if over.load(Ordering::Relaxed) {
            return;
        }
        let should_spool = queue.should_spool(&core.config.batch);
        drop(queue);
        if should_spool {
            core.collect();
            write(branch, core);
        }
    }
}

/// Writes all that is queued.
pub(crate) fn write(branch: &Branch, core: &Core) {
    // Held from taking to writing, so that nobody finds both empty in between.
    let mut spool = lock(&branch.spool);
    let Some(spool) = spool.as_mut() else { return };
    spool.expire();
    loop {
        let chunks = lock(&branch.queue).take_batch(core.config.batch.max_bytes);
        if chunks.is_empty() {
            break;
        }
        let spans: u64 = chunks.iter().map(|chunk| chunk.spans).sum();
        let written = with_parts(&chunks, &core.resource, &core.scopes, |parts| spool.append(parts, spans));
        if let Err(error) = written {
            lock(&branch.queue).put_back(chunks);
            let path = spool.path().display();
            trouble(branch, || format!("cannot write to its spool: {error} (path: {path}); spans wait in memory"));
            break;
        }
        account(branch, spool, |queue| queue.stats.spooled += spans);
        branch.done.notify_all();
    }
    account(branch, spool, |_| ());
}

/// The oldest batch in the spool.
pub(crate) fn read(branch: &Branch, core: &Core) -> Option<SpooledBatch> {
    let mut spool = lock(&branch.spool);
    let spool = spool.as_mut()?;
    let batch = spool.read(core.config.batch.max_bytes);
    account(branch, spool, |_| ());
    batch.unwrap_or_else(|error| {
        let path = spool.path().display();
        trouble(branch, || format!("cannot read its spool: {error} (path: {path})"));
        None
    })
}

/// The batch that was read is done with, or stays; `settle` counts it at the same time.
pub(crate) fn done(branch: &Branch, is_done: bool, settle: impl FnOnce(&mut Queue)) {
    let mut spool = lock(&branch.spool);
    if let Some(spool) = spool.as_mut() {
        spool.done(is_done);
        account(branch, spool, settle);
    }
}

/// Gives the folder to whoever comes next, and says what is in it.
pub(crate) fn close(branch: &Branch) {
    let Some(spool) = lock(&branch.spool).take() else { return };
    let left = lock(&branch.queue).stats.spooled;
    if left > 0 {
        let (name, path) = (&branch.name, spool.path().display());
        let text = format!("provider {name} kept {left} span(s) for the next process with this spool (path: {path})");
        tell(Level::Warning, &text);
    }
}

/// Where spans are kept in an outage.
pub(crate) fn place(branch: &Branch) -> Option<String> {
    lock(&branch.spool).as_ref().map(|spool| spool.path().display().to_string())
}

/// Counts what the spool gave up, together with another change of the counts.
fn account(branch: &Branch, spool: &mut Spool, change: impl FnOnce(&mut Queue)) {
    let losses = spool.take_losses();
    let mut queue = lock(&branch.queue);
    change(&mut queue);
    queue.lose_spooled(&losses);
}

fn trouble(branch: &Branch, text: impl FnOnce() -> String) {
    panics::contained(|| branch.troubles.warn(|| format!("provider {} {}", branch.name, text())));
}
