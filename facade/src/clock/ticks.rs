//! The time stamp counter of the processor, calibrated against the system's clocks.
#![expect(unsafe_code, reason = "the counter is read by an instruction")]

use std::arch::x86_64::{__cpuid, _rdtsc};
use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use spandrel_plugin_api::Timestamp;

/// The time now; `None` while the counter is not calibrated, and for good where
/// it cannot be relied on.
#[inline]
pub(crate) fn now() -> Option<Timestamp> {
    let ticks = read();
    let anchor = ANCHOR.get();
    anchor.time_at(ticks).or_else(|| anchor_again(ticks))
}

thread_local! {
    /// This thread's copy, so that nobody waits for anybody.
    static ANCHOR: Cell<Anchor> = const { Cell::new(Anchor::NONE) };
}

static CALIBRATION: Mutex<Calibration> = Mutex::new(Calibration { base: None, anchor: Anchor::NONE, disturbances: 0 });

static IS_UNUSABLE: AtomicBool = AtomicBool::new(false);

/// What a count of the counter means, for a while.
#[derive(Clone, Copy)]
struct Anchor {
    ticks: u64,
    unix_nanos: u64,
    /// Nanoseconds of a tick, in units of 2^-32.
    scale: u64,
    /// For so many ticks it holds.
    lifetime: u64,
}

impl Anchor {
    const NONE: Self = Self { ticks: 0, unix_nanos: 0, scale: 0, lifetime: 0 };

    #[inline]
    fn time_at(&self, ticks: u64) -> Option<Timestamp> {
        // A count from before the anchor is a huge one here.
        let elapsed = ticks.wrapping_sub(self.ticks);
        if elapsed >= self.lifetime {
            return None;
        }
        // Both factors are below 2^32; see `Calibration::update`.
        Some(Timestamp::from_unix_nanos(self.unix_nanos + ((elapsed * self.scale) >> 32)))
    }

    /// What the time would be if it held for ever; 0 without an anchor.
    fn expected_at(&self, ticks: u64) -> u64 {
        let elapsed = (u128::from(ticks.wrapping_sub(self.ticks)) * u128::from(self.scale)) >> 32;
        self.unix_nanos.saturating_add(u64::try_from(elapsed).unwrap_or(u64::MAX))
    }
}

#[cold]
fn anchor_again(ticks: u64) -> Option<Timestamp> {
    if IS_UNUSABLE.load(Ordering::Relaxed) {
        return None;
    }
    // Somebody else is at it, or was when this process was forked.
    let mut calibration = CALIBRATION.try_lock().ok()?;
    let time = calibration.anchor.time_at(ticks).or_else(|| {
        calibration.update();
        calibration.anchor.time_at(read())
    });
    ANCHOR.set(calibration.anchor);
    time
}

/// What the clocks said at one moment.
#[derive(Clone, Copy)]
struct Reading {
    ticks: u64,
    monotonic: Instant,
    unix_nanos: u64,
}

struct Calibration {
    /// The speed of the counter is measured from here.
    base: Option<Reading>,
    anchor: Anchor,
    disturbances: u32,
}

/// Shorter measurements of the speed would be off by more than a few millionths.
const SHORTEST_BASE: Duration = Duration::from_millis(20);

/// An anchor is renewed about so often, and so the wall clock followed, which may
/// be slewed by half a thousandth.
const LIFETIME_NANOS: u64 = 1_000_000_000;

/// Two measurements of the speed differ by less than this part, or something has
/// come between: the machine was suspended, or moved to another host.
const TOLERANCE: u64 = 1_000;

/// After so many of them, the counter is not one to rely on.
const MAX_DISTURBANCES: u32 = 10;

impl Calibration {
    fn update(&mut self) {
        let now = Reading::take();
        let Some(base) = self.base else {
            if is_steady() {
                self.base = Some(now);
            } else {
                IS_UNUSABLE.store(true, Ordering::Relaxed);
            }
            return;
        };
        let elapsed = now.monotonic.duration_since(base.monotonic);
        if elapsed < SHORTEST_BASE {
            return;
        }
        let before = self.anchor.scale;
        self.base = Some(now);
        self.anchor = match scale(elapsed, now.ticks.wrapping_sub(base.ticks)) {
            Some(scale) if before == 0 || scale.abs_diff(before) < before / TOLERANCE => {
                let lifetime = (u128::from(LIFETIME_NANOS) << 32) / u128::from(scale);
                // Within 32 bits, as `time_at` needs it.
                let lifetime = u64::from(u32::try_from(lifetime).unwrap_or(u32::MAX));
                let unix_nanos = super::not_before(self.anchor.expected_at(now.ticks), now.unix_nanos);
                Anchor { ticks: now.ticks, unix_nanos, scale, lifetime }
            }
            _ => {
                self.disturbances += 1;
                IS_UNUSABLE.store(self.disturbances >= MAX_DISTURBANCES, Ordering::Relaxed);
                Anchor::NONE
            }
        };
    }
}

impl Reading {
    /// The tightest of some tries: in between, the thread may lose its processor.
    fn take() -> Self {
        let tries = (0..5).map(|_| {
            let before = read();
            let (monotonic, wall) = (Instant::now(), SystemTime::now());
            let took = read().wrapping_sub(before);
            (
                took,
                Self {
                    ticks: before.wrapping_add(took / 2),
                    monotonic,
                    unix_nanos: Timestamp::from(wall).unix_nanos(),
                },
            )
        });
        let best = tries.min_by_key(|(took, _)| *took);
        best.map_or_else(|| unreachable!("there are some tries"), |(_, reading)| reading)
    }
}

/// Nanoseconds of a tick in units of 2^-32; `None` for a counter of 1 GHz or less,
/// whose scale has more than 32 bits.
fn scale(elapsed: Duration, ticks: u64) -> Option<u64> {
    let scale = (elapsed.as_nanos() << 32).checked_div(ticks.into())?;
    u32::try_from(scale).ok().filter(|scale| *scale > 0).map(u64::from)
}

/// Whether the counter runs at one speed, on all processors, in all states of theirs.
fn is_steady() -> bool {
    const POWER_MANAGEMENT: u32 = 0x8000_0007;
    const INVARIANT: u32 = 1 << 8;
    // SAFETY: every x86-64 processor has the instruction.
    #[allow(unused_unsafe, reason = "the function is safe from Rust 1.94 on")]
    let is_invariant =
        unsafe { __cpuid(0x8000_0000).eax >= POWER_MANAGEMENT && __cpuid(POWER_MANAGEMENT).edx & INVARIANT != 0 };
    // The kernel knows more: it looks whether the processors agree.
    let source = std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    let is_trusted =
        source.map_or(true, |source| ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page"].contains(&source.trim()));
    is_invariant && is_trusted
}

#[inline]
fn read() -> u64 {
    // SAFETY: every x86-64 processor has the instruction, and Linux lets programs use it.
    unsafe { _rdtsc() }
}

#[cfg(test)]
mod tests {
    use super::{Anchor, Calibration, Reading, now, scale};
    use spandrel_plugin_api::Timestamp;
    use std::time::{Duration, Instant, SystemTime};

    /// `SPANDREL_CLOCK_SECONDS=60` for a longer look.
    #[test]
    fn it_is_the_time_of_the_wall_clock() {
        let seconds = std::env::var("SPANDREL_CLOCK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
        let began = Instant::now();
        let mut known = 0;
        while began.elapsed() < Duration::from_secs(seconds) {
            std::thread::sleep(Duration::from_millis(5));
            // The reading in the middle is compared if nothing came between.
            let before = Timestamp::from(SystemTime::now()).unix_nanos();
            let Some(time) = now() else { continue };
            let after = Timestamp::from(SystemTime::now()).unix_nanos();
            known += 1;
            let off = before.saturating_sub(time.unix_nanos()).max(time.unix_nanos().saturating_sub(after));
            assert!(off < 100_000, "{off} ns off after {:?}", began.elapsed());
        }
        assert!(known > 0 || super::IS_UNUSABLE.load(std::sync::atomic::Ordering::Relaxed));
    }

    #[test]
    fn a_count_before_the_anchor_or_long_after_it_has_no_time() {
        let anchor = Anchor { ticks: 1_000, unix_nanos: 5_000, scale: 1 << 31, lifetime: 100 };
        let nanos = |ticks| anchor.time_at(ticks).map(Timestamp::unix_nanos);
        assert_eq!([999, 1_000, 1_099, 1_100].map(nanos), [None, Some(5_000), Some(5_049), None]);
    }

    #[test]
    fn slow_and_standing_counters_have_no_scale() {
        assert_eq!(scale(Duration::from_secs(1), 2_000_000_000), Some(1 << 31));
        assert_eq!(scale(Duration::from_secs(1), 1_000_000_000), None);
        assert_eq!(scale(Duration::from_secs(1), 0), None);
        assert_eq!(scale(Duration::ZERO, 17), None);
    }

    #[test]
    fn what_changes_its_speed_is_measured_anew() {
        let ticks_of = |base: Reading, factor: u64| {
            let mut moved = base;
            moved.monotonic -= Duration::from_millis(50);
            moved.ticks = base.ticks.wrapping_sub(50_000_000 * factor);
            moved
        };
        let mut calibration = Calibration { base: None, anchor: Anchor::NONE, disturbances: 0 };
        calibration.base = Some(ticks_of(Reading::take(), 3));
        calibration.update();
        let first = calibration.anchor.scale;
        assert!(first.abs_diff((1_u64 << 32) / 3) < first / 1_000, "{first}");
        calibration.base = Some(ticks_of(Reading::take(), 2));
        calibration.update();
        assert_eq!((calibration.anchor.scale, calibration.disturbances), (0, 1));
        calibration.base = Some(ticks_of(Reading::take(), 2));
        calibration.update();
        assert!(calibration.anchor.scale > first);
    }
}
