use std::ops::Range;

use crate::block::{BLOCK_BYTES, Block, BlockWriter, Pool};
use crate::sync::Arc;

/// A block that a thread writes to, and what of it was taken already.
pub(crate) struct LiveBlock {
    pub(crate) block: Arc<Block>,
    bytes: usize,
    spans: u32,
}

/// Finished spans of one thread: a committed range of a block.
#[derive(Clone)]
pub(crate) struct Chunk {
    pub(crate) block: Arc<Block>,
    pub(crate) range: Range<usize>,
    pub(crate) spans: u64,
}

impl LiveBlock {
    pub(crate) fn new(block: &Arc<Block>) -> Self {
        Self { block: Arc::clone(block), bytes: 0, spans: 0 }
    }

    /// What was committed since the last time.
    pub(crate) fn take(&mut self) -> Option<Chunk> {
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

    /// What the next chunk would cost.
    pub(crate) fn waiting_cost(&self) -> usize {
        self.block.committed().0 - self.bytes + Chunk::OVERHEAD
    }

    /// Finished spans that were not taken yet.
    pub(crate) fn waiting(&self) -> u64 {
        u64::from(self.block.committed().1 - self.spans)
    }
}

impl Chunk {
    /// The same spans in no more memory than twice what they need.
    ///
    /// A chunk keeps its whole block alive. Of a thread that recorded one span in it and
    /// ended, that is two hundred times the span; and in an outage, chunks stay.
    pub(crate) fn lean(self, pool: &Arc<Pool>) -> Self {
        if self.range.len() * 2 >= BLOCK_BYTES {
            return self;
        }
        let mut copy = BlockWriter::exact(pool, self.range.len());
        let mut spans = u32::try_from(self.spans).unwrap_or(u32::MAX);
        for (scope, range) in self.block.runs(self.range.clone()) {
            // The number is that of the whole chunk; who counts in a run reads.
            copy.append_all(scope, self.block.read(range), std::mem::take(&mut spans));
        }
        Self { block: Arc::clone(copy.block()), range: 0..self.range.len(), spans: self.spans }
    }

    /// The memory that it takes up while it waits.
    pub(crate) fn cost(&self) -> usize {
        self.range.len() + Self::OVERHEAD
    }

    /// A block, its runs and a place in the queue.
    pub(crate) const OVERHEAD: usize = 256;
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;

    use super::{Chunk, LiveBlock};
    use crate::block::{BLOCK_BYTES, BlockWriter, Pool};

    fn chunk(spans: usize, bytes: usize, pool: &Arc<Pool>) -> Chunk {
        let mut writer = BlockWriter::new(pool, BLOCK_BYTES);
        (0..spans).for_each(|n| writer.append(n as u32 % 3, &vec![n as u8; bytes]));
        LiveBlock::new(writer.block()).take().unwrap()
    }

    fn content(chunk: &Chunk) -> Vec<(u32, Vec<u8>)> {
        let runs = chunk.block.runs(chunk.range.clone()).into_iter();
        runs.map(|(scope, range)| (scope, chunk.block.read(range).to_vec())).collect()
    }

    #[test]
    fn a_small_chunk_does_not_keep_its_block_and_a_large_one_is_not_copied() {
        let pool = Arc::new(Pool::new(0));
        let small = chunk(7, 10, &pool);
        let (block, before) = (Arc::downgrade(&small.block), content(&small));
        let lean = small.lean(&pool);
        assert!(block.upgrade().is_none());
        assert_eq!((content(&lean), lean.spans, lean.range.len()), (before, 7, 70));
        let large = chunk(4, BLOCK_BYTES / 8, &pool);
        let block = Arc::downgrade(&large.block);
        assert!(Arc::ptr_eq(&large.lean(&pool).block, &block.upgrade().unwrap()));
    }
}
