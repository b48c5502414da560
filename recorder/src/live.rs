use std::ops::Range;

use crate::block::Block;
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

    /// Finished spans that were not taken yet.
    pub(crate) fn waiting(&self) -> u64 {
        u64::from(self.block.committed().1 - self.spans)
    }
}
