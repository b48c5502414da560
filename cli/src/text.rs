//! Durations, moments and names as people write and read them.

use std::time::{SystemTime, UNIX_EPOCH};

/// A duration in few characters: `850ns`, `1.20µs`, `42.3ms`, `1.25s`, `2m05s`, `3h07m`.
pub(crate) fn duration(nanos: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")];
    let seconds = nanos / UNITS[0].0;
    match seconds {
        0..60 => {}
        60..3600 => return format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => return format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
    match UNITS.iter().find(|(unit, _)| nanos >= *unit) {
        None => format!("{nanos}ns"),
        Some((unit, name)) => {
            let value = nanos as f64 / *unit as f64;
            let places = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
            format!("{value:.places$}{name}")
        }
    }
}

/// Reads `250ms`, `1.5s`, `10m`; the nanoseconds.
pub(crate) fn parse_duration(text: &str) -> Result<u64, String> {
    let wrong = || format!("a duration is a number and ns, us, ms, s, m, h or d, such as 250ms, not `{text}`");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3600e9,
        "d" => 86_400e9,
        _ => return Err(wrong()),
    };
    // A float to an integer stops at its limits.
    number.parse::<f64>().map(|number| (number * unit) as u64).map_err(|_| wrong())
}

/// Reads `10m`, so long ago, or a moment as `2025-08-16` or `2025-08-16T15:27:07Z`; nanoseconds since 1970.
pub(crate) fn parse_since(text: &str) -> Result<u64, String> {
    if let Ok(ago) = parse_duration(text) {
        return Ok(now().saturating_sub(ago));
    }
    parse_moment(text).ok_or_else(|| {
        format!("write how long ago, such as 10m, or a moment in UTC, such as 2025-08-16T15:27:07Z, not `{text}`")
    })
}

/// The time of the system, in nanoseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// RFC 3339 in UTC to the second; the rest of its digits behind it on demand.
pub(crate) fn moment(nanos: u64, places: usize) -> String {
    let seconds = nanos / 1_000_000_000;
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let digits = format!("{:09}", nanos % 1_000_000_000);
    let fraction = if places == 0 { String::new() } else { format!(".{}", &digits[..places.min(9)]) };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
const fn date(days: u64) -> (u64, u64, u64) {
    // Eras of 400 years that begin on the first of March, so that a leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_since_march = (5 * day_of_year + 2) / 153;
    let month = if months_since_march < 10 { months_since_march + 3 } else { months_since_march - 9 };
    (era * 400 + year_of_era + (month <= 2) as u64, month, day_of_year - (153 * months_since_march + 2) / 5 + 1)
}

fn parse_moment(text: &str) -> Option<u64> {
    let (day, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00Z"));
    let (time, fraction) = match time.trim_end_matches('Z').split_once('.') {
        Some((time, fraction)) => (time, fraction),
        None => (time.trim_end_matches('Z'), ""),
    };
    let numbers = |text: &str, separator| -> Option<Vec<u64>> {
        text.split(separator).map(|part| part.parse().ok().filter(|_| part.len() <= 4)).collect()
    };
    let [year, month, day] = numbers(day, '-')?[..] else { return None };
    let [hour, minute, second] = numbers(time, ':')?[..] else { return None };
    if !(1970..=2500).contains(&year) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // The days up to the year, then on by search: there are at most 366.
    let first = (year - 1970) * 365 + (year - 1969) / 4 - (year - 1901) / 100 + (year - 1601) / 400;
    let days = (first..first + 366).find(|days| date(*days) == (year, month, day))?;
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanos: u64 = if fraction.bytes().all(|b| b.is_ascii_digit()) { digits.parse().ok()? } else { return None };
    Some((days * 86_400 + hour * 3600 + minute * 60 + second) * 1_000_000_000 + nanos)
}

/// A text in which nothing can move the cursor or set colours: whoever wrote a
/// trace must not decide what a terminal does.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    put_shown(&mut out, text);
    out
}

/// Appends what is [`shown`].
pub(crate) fn put_shown(out: &mut String, text: &str) {
    let is_harmful = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    // Most texts are plain, which is quickly seen.
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) || !text.contains(is_harmful) {
        return out.push_str(text);
    }
    for c in text.chars() {
        if is_harmful(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
}

/// Whether the text fits the pattern, in which `*` stands for anything.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{duration, fits, moment, parse_duration, parse_moment, shown};

    #[test]
    fn durations_have_few_characters() {
        for (nanos, text) in [
            (0, "0ns"),
            (850, "850ns"),
            (1_200, "1.20µs"),
            (42_340_000, "42.3ms"),
            (428_300_000, "428ms"),
            (1_250_000_000, "1.25s"),
            (125_000_000_000, "2m05s"),
            (11_220_000_000_000, "3h07m"),
        ] {
            assert_eq!(duration(nanos), text);
        }
        assert!(duration(u64::MAX).ends_with('m'));
    }

    #[test]
    fn durations_are_read() {
        for (text, nanos) in [("250ms", 250_000_000), ("1.5s", 1_500_000_000), ("2d", 172_800_000_000_000), ("7ns", 7)]
        {
            assert_eq!(parse_duration(text), Ok(nanos));
        }
        for text in ["", "5", "s", "-1s", "1 s", "1.2.3s", "1sec"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_there_and_back() {
        for text in ["1970-01-01T00:00:00Z", "2000-02-29T23:59:59Z", "2025-08-16T15:27:07Z", "2100-03-01T00:00:00Z"] {
            assert_eq!(moment(parse_moment(text).unwrap(), 0), text);
        }
        assert_eq!(parse_moment("2025-08-16"), parse_moment("2025-08-16T00:00:00Z"));
        assert_eq!(moment(parse_moment("2025-08-16 15:27:07.073").unwrap(), 3), "2025-08-16T15:27:07.073Z");
        for text in ["", "2025", "2025-02-30", "2025-13-01", "2025-08-16T25:00:00Z", "1969-12-31", "2025-08-16T1:2"] {
            assert_eq!(parse_moment(text), None, "{text}");
        }
    }

    #[test]
    fn patterns_fit() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("ab*ba", "aba", false),
            ("**x**", "axa", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(shown("käse 🧀"), "käse 🧀");
        assert_eq!(shown("a\u{1b}[31mb\n\u{202e}"), "a\\u{1b}[31mb\\n\\u{202e}");
    }
}
