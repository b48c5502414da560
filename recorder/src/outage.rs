use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use spandrel_plugin_api::Deadline;

use crate::config::BatchConfig;

/// The backend is unavailable: since when, and when to try again.
pub(crate) struct Outage {
    pub(crate) began: Instant,
    /// Whether its begin was told, so that its end is.
    pub(crate) is_told: bool,
    /// The flushes and shutdowns that an attempt was made for.
    pub(crate) calls: u64,
    retry_at: Deadline,
    failures: u32,
}

/// A backend is not obeyed that wants to be left alone for longer.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);
/// While somebody waits, attempts follow each other within this time.
const LONGEST_URGENT: Duration = Duration::from_secs(1);

impl Outage {
    pub(crate) fn begin() -> Self {
        let now = Deadline::after(Duration::ZERO);
        Self { began: Instant::now(), is_told: false, calls: 0, retry_at: now, failures: 0 }
    }

    /// Plans the next attempt after one that failed.
    pub(crate) fn failed(&mut self, retry_after: Option<Duration>, is_urgent: bool, config: &BatchConfig) {
        let random = RandomState::new().hash_one(()) as f64 / u64::MAX as f64;
        let wait = wait(retry_after, self.failures, is_urgent, random, config);
        self.retry_at = Deadline::after(wait);
        self.failures = self.failures.saturating_add(1);
    }

    pub(crate) fn time_to_retry(&self) -> Duration {
        self.retry_at.left()
    }
}

/// Exponential backoff with full jitter: services that fail together do not come back together.
///
/// Source: OpenTelemetry protocol, "OTLP/HTTP Throttling" and "All Other Responses", version 1.x.
fn wait(retry_after: Option<Duration>, failures: u32, is_urgent: bool, random: f64, config: &BatchConfig) -> Duration {
    if let Some(wait) = retry_after {
        return wait.min(LONGEST_RETRY_AFTER);
    }
    let grown = config.retry_first.saturating_mul(1_u32.checked_shl(failures).unwrap_or(u32::MAX));
    let most = grown.min(config.retry_max).min(if is_urgent { LONGEST_URGENT } else { Duration::MAX });
    most.mul_f64(random)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::wait;
    use crate::config::BatchConfig;

    #[test]
    fn waits_grow_to_a_limit_and_the_backend_may_choose_within_reason() {
        let config = BatchConfig::default();
        let most = |failures| wait(None, failures, false, 1.0, &config).as_secs();
        assert_eq!([0, 1, 2, 4, 5, 31, 32, u32::MAX].map(most), [1, 2, 4, 16, 30, 30, 30, 30]);
        assert_eq!(wait(None, 3, false, 0.25, &config), Duration::from_secs(2));
        assert_eq!(wait(None, 9, true, 1.0, &config), Duration::from_secs(1));
        let after = |seconds| wait(Some(Duration::from_secs(seconds)), 0, false, 0.0, &config).as_secs();
        assert_eq!([0, 3, 60, 61, u64::MAX].map(after), [0, 3, 60, 60, 60]);
    }
}
