use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use spandrel_plugin_api::Timestamp;

/// How long an anchor holds. Wall clocks are slewed by less than a thousandth,
/// so that a time is off by at most 10 ms while they are.
const ANCHOR_NANOS: u64 = 10_000_000_000;

static BASE: OnceLock<Instant> = OnceLock::new();
/// Wall time at `BASE`, and when that was looked up.
static OFFSET: AtomicU64 = AtomicU64::new(0);
static ANCHORED_AT: AtomicU64 = AtomicU64::new(0);

/// The time now: monotonic, so that durations are true, and anchored to the wall
/// clock again every ten seconds.
pub(crate) fn now() -> Timestamp {
    let elapsed = nanos(BASE.get_or_init(Instant::now).elapsed().as_nanos());
    let anchored_at = ANCHORED_AT.load(Ordering::Relaxed);
    if anchored_at == 0 || elapsed.wrapping_sub(anchored_at) > ANCHOR_NANOS {
        let wall = Timestamp::from(SystemTime::now()).unix_nanos();
        let before = OFFSET.load(Ordering::Relaxed);
        OFFSET.store(super::not_before(before, wall.saturating_sub(elapsed)), Ordering::Relaxed);
        // Never 0, which means that there is no anchor.
        ANCHORED_AT.store(elapsed.max(1), Ordering::Relaxed);
    }
    Timestamp::from_unix_nanos(OFFSET.load(Ordering::Relaxed) + elapsed)
}

fn nanos(nanos: u128) -> u64 {
    u64::try_from(nanos).unwrap_or(u64::MAX)
}
