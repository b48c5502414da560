use std::time::{Duration, Instant};

/// The moment by which something must be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A year is as good as for ever, and an `Instant` can hold it.
    const FAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    /// This much time from now; `Duration::MAX` will do.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        let now = Instant::now();
        Self(now.checked_add(time.min(Self::FAR)).unwrap_or(now))
    }

    /// The time that is left; zero once it has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn has_passed(self) -> bool {
        self.left().is_zero()
    }
}
