//! Counts what this thread allocates.
#![expect(unsafe_code, reason = "a global allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What was allocated, whether or not it was given back since.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Allocated {
    pub(crate) blocks: usize,
    pub(crate) bytes: usize,
}

thread_local! {
    static TOTAL: Cell<Allocated> = const { Cell::new(Allocated { blocks: 0, bytes: 0 }) };
}

/// What `work` allocates, and its result.
pub(crate) fn during<R>(work: impl FnOnce() -> R) -> (Allocated, R) {
    let before = TOTAL.get();
    let result = work();
    let after = TOTAL.get();
    (Allocated { blocks: after.blocks - before.blocks, bytes: after.bytes - before.bytes }, result)
}

/// The allocator of the system. A block that grows counts as one more, of its whole new size.
struct Counting;

fn count(bytes: usize) {
    // A thread that ends may allocate when its counters are gone.
    let _ = TOTAL.try_with(|total| {
        let Allocated { blocks, bytes: before } = total.get();
        total.set(Allocated { blocks: blocks + 1, bytes: before + bytes });
    });
}

// SAFETY: all is passed on to `System`, which keeps the promises of the trait; counting
// touches a cell that neither allocates nor is dropped.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}
