//! The time of spans: that of the wall clock, read in a few nanoseconds.

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
mod ticks;
mod wall;

/// The time now: monotonic, so that durations are true, and anchored to the wall
/// clock again and again.
#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
#[inline]
pub(crate) fn now() -> spandrel_plugin_api::Timestamp {
    ticks::now().unwrap_or_else(wall::now)
}

/// As above, where there is no time stamp counter that we know how to read.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux", not(miri))))]
pub(crate) use wall::now;

/// The time of the wall clock, unless it is a little before what the time was
/// expected to be: spans that follow each other shall not change places because two
/// readings of a clock differ by some nanoseconds.
fn not_before(expected: u64, wall: u64) -> u64 {
    const LITTLE: u64 = 10_000;
    if expected > wall && expected - wall < LITTLE { expected } else { wall }
}

#[cfg(test)]
mod tests {
    use super::not_before;

    #[test]
    fn a_clock_that_was_set_back_is_believed() {
        assert_eq!(not_before(1_000_000, 1_000_500), 1_000_500);
        assert_eq!(not_before(1_000_000, 999_000), 1_000_000);
        assert_eq!(not_before(1_000_000, 500_000), 500_000);
    }
}
