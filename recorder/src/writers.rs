use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::block::BlockWriter;
use crate::core::Core;

/// How many spans one thread has recorded; only that thread writes it.
#[derive(Default)]
pub(crate) struct Ledger {
    recorded: AtomicU64,
}

impl Ledger {
    pub(crate) fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    /// A load and a store: with one writer nothing can come between.
    #[inline]
    fn count(&self) {
        self.recorded.store(self.recorded.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

thread_local! {
    /// This thread's block in each recorder it records to, the latest first.
    static WRITERS: RefCell<Vec<ThreadWriter>> = const { RefCell::new(Vec::new()) };
}

/// Records one span on this thread's block.
#[inline]
pub(crate) fn record(core: &Arc<Core>, scope: u32, bytes: &[u8]) {
    let done = WRITERS.try_with(|writers| {
        let Ok(mut writers) = writers.try_borrow_mut() else { return false };
        let writer = match writers.first_mut() {
            Some(first) if Arc::ptr_eq(&first.core, core) => first,
            _ => ThreadWriter::find(&mut writers, core),
        };
        writer.record(scope, bytes);
        true
    });
    if !matches!(done, Ok(true)) {
        // The thread is ending and its thread-locals are gone.
        core.record_alone(scope, bytes);
    }
}

struct ThreadWriter {
    core: Arc<Core>,
    ledger: Arc<Ledger>,
    block: Option<BlockWriter>,
}

impl ThreadWriter {
    #[cold]
    fn find<'a>(writers: &'a mut Vec<Self>, core: &Arc<Core>) -> &'a mut Self {
        let known = writers.iter().position(|w| Arc::ptr_eq(&w.core, core));
        let index = known.unwrap_or_else(|| {
            writers.retain(|w| !w.core.is_closed());
            let ledger = core.register_thread();
            writers.push(Self { core: Arc::clone(core), ledger, block: None });
            writers.len() - 1
        });
        writers.swap(0, index);
        &mut writers[0]
    }

    #[inline]
    fn record(&mut self, scope: u32, bytes: &[u8]) {
        if let Some(block) = &mut self.block
            && block.has_room(bytes.len())
        {
            self.ledger.count();
            return block.append(scope, bytes);
        }
        self.record_in_new_block(scope, bytes);
    }

    #[cold]
    fn record_in_new_block(&mut self, scope: u32, bytes: &[u8]) {
        if let Some(full) = self.block.take() {
            self.core.seal(&full);
        }
        let block = self.block.insert(self.core.new_block(bytes.len()));
        self.ledger.count();
        block.append(scope, bytes);
    }
}

impl Drop for ThreadWriter {
    fn drop(&mut self) {
        if self.core.is_foreign() {
            // A forked child: these spans are the parent's, and so are the locks.
            std::mem::forget(self.block.take());
            return;
        }
        if let Some(block) = self.block.take() {
            self.core.seal(&block);
        }
        self.core.unregister_thread(&self.ledger);
    }
}
