//! A block of finished spans: one thread appends, others read what is committed.
#![expect(unsafe_code, reason = "one writer and many readers share the memory without a lock")]

use std::ops::Range;
use std::ptr::NonNull;

use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering, PoisonError, Watch};

/// Bytes of a block. About 350 spans with four attributes and an event.
pub(crate) const BLOCK_BYTES: usize = 64 << 10;

/// Finished spans, each as a field of OTLP `ScopeSpans`, one behind the other.
///
/// Invariant, kept by [`BlockWriter`], of which there is one for each block:
/// bytes below the committed length are initialised and never written again;
/// only the writer touches bytes above it.
pub(crate) struct Block {
    memory: Memory,
    /// Length and number of spans in one word, so that they change together.
    committed: AtomicU64,
    /// Where which scope begins; nearly always one entry.
    runs: Mutex<Vec<Run>>,
    pool: Arc<Pool>,
}

/// From `start` on, spans belong to `scope`.
#[derive(Clone, Copy)]
pub(crate) struct Run {
    pub(crate) start: usize,
    pub(crate) scope: u32,
}

/// The one who may append to a block.
pub(crate) struct BlockWriter {
    block: Arc<Block>,
    len: usize,
    spans: u32,
    scope: u32,
}

/// Memory of blocks that were exported, for the next ones.
pub(crate) struct Pool {
    free: Mutex<Vec<Memory>>,
    limit: usize,
}

struct Memory {
    start: NonNull<u8>,
    capacity: usize,
    watch: Watch,
}

// SAFETY: the memory is plain bytes; who may touch which is the invariant of `Block`.
unsafe impl Send for Memory {}
// SAFETY: as above; shared access reads committed bytes only.
unsafe impl Sync for Memory {}

impl Block {
    /// What is committed: bytes and spans.
    pub(crate) fn committed(&self) -> (usize, u32) {
        // Acquire pairs with the Release in `append`: the bytes below are visible.
        unpack(self.committed.load(Ordering::Acquire))
    }

    /// Committed bytes.
    ///
    /// # Panics
    ///
    /// If the range is not committed.
    pub(crate) fn read(&self, range: Range<usize>) -> &[u8] {
        let (committed, _) = self.committed();
        assert!(range.start <= range.end && range.end <= committed, "range was never committed");
        self.memory.watch.on_read(&range);
        // SAFETY: committed bytes are initialised, lie within the memory and are
        // never written again; the memory lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr().add(range.start), range.len()) }
    }

    /// The runs that overlap `range`, cut to it.
    pub(crate) fn runs(&self, range: Range<usize>) -> Vec<(u32, Range<usize>)> {
        let runs = lock(&self.runs);
        let mut cut = Vec::with_capacity(1);
        for (i, run) in runs.iter().enumerate() {
            let end = runs.get(i + 1).map_or(usize::MAX, |next| next.start);
            let part = run.start.max(range.start)..end.min(range.end);
            if part.start < part.end {
                cut.push((run.scope, part));
            }
        }
        cut
    }
}

impl BlockWriter {
    /// A writer of a new block with at least `capacity` bytes.
    pub(crate) fn new(pool: &Arc<Pool>, capacity: usize) -> Self {
        Self::over(pool.take(capacity), pool)
    }

    /// A writer of a block with just these bytes, for spans that may wait for long.
    pub(crate) fn exact(pool: &Arc<Pool>, capacity: usize) -> Self {
        Self::over(Memory::new(capacity), pool)
    }

    fn over(memory: Memory, pool: &Arc<Pool>) -> Self {
        let block =
            Block { memory, committed: AtomicU64::new(0), runs: Mutex::new(Vec::new()), pool: Arc::clone(pool) };
        Self { block: Arc::new(block), len: 0, spans: 0, scope: 0 }
    }

    pub(crate) fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// Whether `len` bytes still fit.
    #[inline]
    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.block.memory.capacity - self.len >= len
    }

    /// Appends one span.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    #[inline]
    pub(crate) fn append(&mut self, scope: u32, span: &[u8]) {
        self.append_all(scope, span, 1);
    }

    /// Appends so many spans, which lie one behind the other.
    ///
    /// # Panics
    ///
    /// If there is no room for them.
    #[inline(always)]
    pub(crate) fn append_all(&mut self, scope: u32, span: &[u8], spans: u32) {
        assert!(self.has_room(span.len()), "the caller asked for room before");
        if self.spans == 0 || self.scope != scope {
            self.begin_run(scope);
        }
        self.block.memory.watch.on_write(&(self.len..self.len + span.len()));
        // SAFETY: `has_room` keeps the bytes within the memory. They lie above
        // the committed length, so that no reader looks at them, and there is
        // no second writer. The source is a live slice of somebody else.
        unsafe {
            let end = self.block.memory.start.as_ptr().add(self.len);
            std::ptr::copy_nonoverlapping(span.as_ptr(), end, span.len());
        }
        self.len += span.len();
        self.spans += spans;
        // Release pairs with the Acquire in `committed`.
        self.block.committed.store(pack(self.len, self.spans), Ordering::Release);
    }

    #[cold]
    fn begin_run(&mut self, scope: u32) {
        self.scope = scope;
        lock(&self.block.runs).push(Run { start: self.len, scope });
    }
}

impl Pool {
    /// Keeps at most `limit` bytes for later use.
    pub(crate) fn new(limit: usize) -> Self {
        Self { free: Mutex::new(Vec::new()), limit: limit / BLOCK_BYTES }
    }

    /// Gives the memory back to the system.
    pub(crate) fn clear(&self) {
        if let Ok(mut free) = self.free.try_lock() {
            *free = Vec::new();
        }
    }

    // A forked child may inherit the lock held by a thread that it does not
    // have, so nobody ever waits for it: the allocator serves as well.
    fn take(&self, capacity: usize) -> Memory {
        if capacity > BLOCK_BYTES {
            return Memory::new(capacity);
        }
        let pooled = self.free.try_lock().ok().and_then(|mut free| free.pop());
        pooled.unwrap_or_else(|| Memory::new(BLOCK_BYTES))
    }

    fn give_back(&self, memory: Memory) {
        if memory.capacity != BLOCK_BYTES {
            return;
        }
        if let Ok(mut free) = self.free.try_lock()
            && free.len() < self.limit
        {
            free.push(memory);
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let memory = std::mem::replace(&mut self.memory, Memory::empty());
        self.pool.give_back(memory);
    }
}

impl Memory {
    fn new(capacity: usize) -> Self {
        // Zeroed, so that there is never an uninitialised byte to think of.
        let bytes = Box::into_raw(vec![0_u8; capacity].into_boxed_slice());
        let start = NonNull::new(bytes.cast::<u8>()).unwrap_or(NonNull::dangling());
        Self { start, capacity, watch: Watch::new(capacity) }
    }

    fn empty() -> Self {
        Self { start: NonNull::dangling(), capacity: 0, watch: Watch::new(0) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let bytes = std::ptr::slice_from_raw_parts_mut(self.start.as_ptr(), self.capacity);
        // SAFETY: `start` and `capacity` are those of the boxed slice of `new`, or
        // of an empty one, for which any aligned pointer will do.
        drop(unsafe { Box::from_raw(bytes) });
    }
}

fn pack(len: usize, spans: u32) -> u64 {
    (len as u64) << 32 | u64::from(spans)
}

fn unpack(word: u64) -> (usize, u32) {
    ((word >> 32) as usize, word as u32)
}

/// Nothing is left half-done under our locks, so a panic elsewhere does not spoil them.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{BLOCK_BYTES, BlockWriter, Pool};
    use std::sync::Arc;

    #[test]
    fn readers_see_whole_spans_while_the_writer_goes_on() {
        let pool = Arc::new(Pool::new(1 << 20));
        let mut writer = BlockWriter::new(&pool, BLOCK_BYTES);
        let block = Arc::clone(writer.block());
        let spans = if cfg!(miri) { 60 } else { 2_000 };
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for i in 0..spans {
                    writer.append(u32::from(i % 7 == 0), &[i as u8; 12]);
                }
            });
            let mut seen = 0;
            while seen < spans {
                let (len, count) = block.committed();
                let bytes = block.read(0..len);
                assert_eq!(bytes.len(), count as usize * 12);
                for (i, span) in bytes.chunks(12).enumerate() {
                    assert!(span.iter().all(|b| *b == i as u8));
                }
                seen = count as usize;
            }
        });
        let runs = block.runs(0..12 * spans);
        let covered: usize = runs.iter().map(|(_, range)| range.len()).sum();
        assert_eq!(covered, 12 * spans);
    }

    #[test]
    fn memory_goes_back_to_the_pool_with_the_last_reader() {
        let pool = Arc::new(Pool::new(BLOCK_BYTES));
        let writer = BlockWriter::new(&pool, 10);
        let reader = Arc::clone(writer.block());
        drop(writer);
        assert_eq!(pool.free.lock().unwrap().len(), 0);
        drop(reader);
        assert_eq!(pool.free.lock().unwrap().len(), 1);
        drop(BlockWriter::new(&pool, BLOCK_BYTES + 1));
        drop((BlockWriter::new(&pool, 1), BlockWriter::new(&pool, 1)));
        assert_eq!(pool.free.lock().unwrap().len(), 1, "no more than the limit");
    }
}
