//! What a block shares between threads by. The tests under loom put types of loom
//! in the place of this module.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use std::ops::Range;

/// Told of each access to the bytes of a block, to look for races; here it is nothing.
pub(crate) struct Watch;

impl Watch {
    #[inline(always)]
    pub(crate) const fn new(_bytes: usize) -> Self {
        Self
    }

    #[inline(always)]
    pub(crate) const fn on_read(&self, _bytes: &Range<usize>) {}

    #[inline(always)]
    pub(crate) const fn on_write(&self, _bytes: &Range<usize>) {}
}
