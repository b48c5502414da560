//! Dates and times of day in UTC, as far as prices need them.

use std::time::{SystemTime, UNIX_EPOCH};

const SECONDS_OF_A_DAY: i64 = 24 * 60 * 60;

/// A moment as prices see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Since 1970.
    pub(crate) day: i64,
    pub(crate) second_of_day: i64,
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let seconds = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            // A part of a second before a full one belongs to the second before.
            Err(before) => {
                let before = before.duration();
                let seconds = before.as_secs() + u64::from(before.subsec_nanos() > 0);
                i64::try_from(seconds).map_or(i64::MIN, |seconds| -seconds)
            }
        };
        Self { day: seconds.div_euclid(SECONDS_OF_A_DAY), second_of_day: seconds.rem_euclid(SECONDS_OF_A_DAY) }
    }
}

/// The number of the day since 1970 of `2026-11-21`. `None` if that is no date.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    let [year, month, day] = parts::<3>(text, '-', [4, 2, 2])?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let most = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=most).contains(&day) {
        return None;
    }
    // Days from civil, by Howard Hinnant: years begin in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// The second of the day of `16:30:00`. `None` if that is no time.
pub(crate) fn parse_time(text: &str) -> Option<i64> {
    let [hour, minute, second] = parts::<3>(text, ':', [2, 2, 2])?;
    (hour < 24 && minute < 60 && second < 60).then_some((hour * 60 + minute) * 60 + second)
}

/// A time of day as it is written in rules: `16:30`.
pub(crate) fn time_text(second_of_day: i64) -> String {
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    if second == 0 { format!("{hour:02}:{minute:02}") } else { format!("{hour:02}:{minute:02}:{second:02}") }
}

fn parts<const N: usize>(text: &str, separator: char, lengths: [usize; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut rest = text.split(separator);
    for (number, length) in numbers.iter_mut().zip(lengths) {
        let part = rest.next().filter(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    rest.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn days_are_counted_from_1970() {
        for (text, day) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2000-02-29", 11_016),
            ("2026-11-21", 20_778),
            ("2024-10-02", 19_998),
        ] {
            assert_eq!(parse_date(text), Some(day), "{text}");
        }
        for text in [
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-04-31",
            "2024-1-01",
            "20240101",
            "2024-01-01T00",
            "",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn moments_have_a_day_and_a_second() {
        let noon = UNIX_EPOCH + Duration::from_secs(20_778 * 86_400 + 12 * 3600);
        assert_eq!(Moment::from(noon), Moment { day: 20_778, second_of_day: 43_200 });
        assert_eq!(Moment::from(UNIX_EPOCH - Duration::from_millis(1)), Moment { day: -1, second_of_day: 86_399 });
        assert_eq!(parse_time("16:30:05").map(time_text).as_deref(), Some("16:30:05"));
        assert_eq!(parse_time("00:30:00").map(time_text).as_deref(), Some("00:30"));
        assert_eq!(parse_time("24:00:00"), None);
    }
}
