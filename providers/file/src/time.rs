use std::fmt;

/// A moment in UTC, to the millisecond, for texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Utc {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    millis: u64,
}

impl Utc {
    /// From milliseconds since 1970-01-01.
    ///
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
    pub(crate) const fn from_unix_ms(ms: u64) -> Self {
        let seconds = ms / 1000;
        // Eras of 400 years that begin on the first of March, so that a leap
        // day is the last of its year.
        let days = seconds / 86_400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let months_since_march = (5 * day_of_year + 2) / 153;
        let month = if months_since_march < 10 { months_since_march + 3 } else { months_since_march - 9 };
        Self {
            year: era * 400 + year_of_era + (month <= 2) as u64,
            month,
            day: day_of_year - (153 * months_since_march + 2) / 5 + 1,
            hour: seconds / 3600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            millis: ms % 1000,
        }
    }

    /// `20250816T152707.073`: sorts by time and suits file names.
    pub(crate) fn to_stamp(self) -> String {
        let Self { year, month, day, hour, minute, second, millis } = self;
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{millis:03}")
    }
}

/// RFC 3339: `2025-08-16T15:27:07.073Z`.
impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, millis } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::Utc;

    #[test]
    fn knows_the_calendar() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_755_358_027_073, "2025-08-16T15:27:07.073Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(Utc::from_unix_ms(ms).to_string(), text);
        }
        assert_eq!(Utc::from_unix_ms(1_755_358_027_073).to_stamp(), "20250816T152707.073");
    }
}
