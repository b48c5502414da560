//! In the place of the module of this name in the recorder.

pub(crate) use std::sync::PoisonError;

pub(crate) use loom::sync::atomic::{AtomicU64, Ordering};
pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};

use std::ops::Range;

use loom::cell::UnsafeCell;

/// A cell for each of the first bytes, of which loom knows who reads and writes it.
pub(crate) struct Watch(Vec<UnsafeCell<()>>);

const WATCHED_BYTES: usize = 16;

impl Watch {
    pub(crate) fn new(bytes: usize) -> Self {
        Self((0..bytes.min(WATCHED_BYTES)).map(|_| UnsafeCell::new(())).collect())
    }

    pub(crate) fn on_read(&self, bytes: &Range<usize>) {
        self.0[bytes.clone()].iter().for_each(|byte| byte.with(|_| ()));
    }

    pub(crate) fn on_write(&self, bytes: &Range<usize>) {
        self.0[bytes.clone()].iter().for_each(|byte| byte.with_mut(|_| ()));
    }
}
