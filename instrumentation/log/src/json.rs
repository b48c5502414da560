use std::fmt::{self, Write as _};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use log::Record;
use log::kv::{Error, Key, Value, VisitSource};

use crate::ids::{SPAN_ID, TRACE_FLAGS, TRACE_ID, ids};

/// Writes a record as one line of JSON, with the ids of the current span.
///
/// For the format closures of loggers, such as `env_logger` and `fern`. The members:
/// `timestamp`, `level`, `target`, `message`, the ids where there is a span, and the
/// key-values of the record. A key-value that has the key of a member is left out.
///
/// ```
/// # struct Builder;
/// # impl Builder {
/// #     fn format(&self, _: impl Fn(&mut Vec<u8>, &log::Record<'_>) -> std::io::Result<()>) {}
/// # }
/// # let env_logger = Builder;
/// env_logger.format(|out, record| spandrel_log::write_json(out, record));
/// ```
///
/// # Errors
///
/// Those of `out`, which gets the whole line at once.
pub fn write_json(out: &mut (impl io::Write + ?Sized), record: &Record<'_>) -> io::Result<()> {
    let mut line = Line(String::with_capacity(256));
    line.put_all(record).map_err(io::Error::other)?;
    out.write_all(line.0.as_bytes())
}

/// The members that a record always has.
const MEMBERS: [&str; 7] = ["timestamp", "level", "target", "message", TRACE_ID, SPAN_ID, TRACE_FLAGS];

struct Line(String);

impl Line {
    fn put_all(&mut self, record: &Record<'_>) -> fmt::Result {
        self.0.push_str("{\"timestamp\":\"");
        self.put_time(SystemTime::now())?;
        self.0.push('"');
        self.put_text("level", format_args!("{}", record.level()))?;
        self.put_text("target", format_args!("{}", record.target()))?;
        self.put_text("message", *record.args())?;
        for (key, value) in ids().pairs() {
            self.put_text(key, format_args!("{value}"))?;
        }
        record.key_values().visit(self).map_err(|_| fmt::Error)?;
        self.0.push_str("}\n");
        Ok(())
    }

    fn put_text(&mut self, key: &str, text: fmt::Arguments<'_>) -> fmt::Result {
        self.put_key(key)?;
        self.0.push('"');
        Escaped(&mut self.0).write_fmt(text)?;
        self.0.push('"');
        Ok(())
    }

    fn put_key(&mut self, key: &str) -> fmt::Result {
        self.0.push_str(",\"");
        Escaped(&mut self.0).write_str(key)?;
        self.0.push_str("\":");
        Ok(())
    }

    /// As RFC 3339 has it, in UTC.
    fn put_time(&mut self, time: SystemTime) -> fmt::Result {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = since.as_secs();
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        let micros = since.subsec_micros();
        write!(self.0, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

impl<'kvs> VisitSource<'kvs> for Line {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let key = key.as_str();
        if MEMBERS.contains(&key) {
            return Ok(());
        }
        let is_number = value.to_borrowed_str().is_none()
            && (value.to_i64().is_some() || value.to_u64().is_some() || value.to_f64().is_some_and(f64::is_finite));
        let written = if is_number || value.to_bool().is_some() {
            self.put_key(key).and_then(|()| write!(self.0, "{value}"))
        } else {
            self.put_text(key, format_args!("{value}"))
        };
        Ok(written?)
    }
}

/// Text within quotes.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate() {
            let escape = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\r' => "\\r",
                b'\t' => "\\t",
                0x00..=0x1f => "",
                _ => continue,
            };
            self.0.push_str(&text[plain..at]);
            self.0.push_str(escape);
            if escape.is_empty() {
                write!(self.0, "\\u{byte:04x}")?;
            }
            plain = at + 1;
        }
        self.0.push_str(&text[plain..]);
        Ok(())
    }
}

/// The date of a day since 1970: Howard Hinnant's `civil_from_days`.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use log::kv::{ToValue, Value};
    use log::{Level, Record};

    use super::{Line, write_json};

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_735_689_600, "2025-01-01T00:00:00.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            let mut line = Line(String::new());
            line.put_time(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
            assert_eq!(line.0, text);
        }
    }

    #[test]
    fn any_record_is_json() {
        let pairs: [(&str, Value<'_>); 7] = [
            ("n", 3.to_value()),
            ("half", 0.5.to_value()),
            ("nothing", f64::NAN.to_value()),
            ("yes", true.to_value()),
            ("text", "a \"quoted\" \\ \u{1} line\n".to_value()),
            ("number as text", "12".to_value()),
            ("level", "hidden".to_value()),
        ];
        let mut out = Vec::new();
        let record = Record::builder()
            .args(format_args!("tab\there"))
            .level(Level::Warn)
            .target("shop::cart")
            .key_values(&pairs)
            .build();
        write_json(&mut out, &record).unwrap();
        let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&line["level"], &line["target"]), (&"WARN".into(), &"shop::cart".into()));
        assert_eq!((&line["message"], &line["n"], &line["half"]), (&"tab\there".into(), &3.into(), &0.5.into()));
        assert_eq!((&line["nothing"], &line["yes"]), (&"NaN".into(), &true.into()));
        assert_eq!(line["text"], "a \"quoted\" \\ \u{1} line\n");
        assert_eq!(line["number as text"], "12");
        assert!(out.ends_with(b"}\n") && line["trace_id"].is_null());
    }
}
