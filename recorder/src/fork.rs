//! Notices that this process is a forked child.
//!
//! A child has a copy of everything but the threads: no worker drains its
//! queues, locks that another thread held stay locked for ever, and the spans in
//! its blocks are the parent's. So whatever belongs to an older generation is
//! left alone there.
#![cfg_attr(all(unix, not(miri)), expect(unsafe_code, reason = "the fork hook is a C function"))]

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// How many forks lie between this process and the one that called
/// [`install`] first.
#[must_use]
#[inline]
pub fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Begins to count forks. Further calls do nothing.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(all(unix, not(miri)))]
        // SAFETY: the handler is a plain function that lives as long as the
        // process; it only touches an atomic, which is async-signal-safe.
        unsafe {
            // Out of memory is the one failure; then a child shares ids with
            // its parent, as it would without the hook.
            libc::pthread_atfork(None, None, Some(on_fork));
        }
    });
}

#[cfg(all(unix, not(miri)))]
extern "C" fn on_fork() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}
