//! How long a server wants to be left alone.

use std::time::{Duration, SystemTime};

/// The longest that a server may ask for. Longer, and its word would cost more spans
/// than asking too early does.
pub const LONGEST: Duration = Duration::from_secs(5 * 60);

/// The wait that a header `Retry-After` asks for, in seconds or until a date; `None` if
/// it asks for none, or says nothing that can be understood.
///
/// Source: RFC 9110, section 10.2.3.
#[must_use]
pub fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too long for the type asks for too long a time all the same.
        value.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        httpdate::parse_http_date(value).ok()?.duration_since(now).ok()?
    };
    capped(wait)
}

/// At most [`LONGEST`]; no wait is no request for one.
#[must_use]
pub fn capped(wait: Duration) -> Option<Duration> {
    (!wait.is_zero()).then(|| wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    //! How long a server wants to be left alone.

    use std::time::{Duration, SystemTime};

    use super::{LONGEST, parse};

    #[test]
    fn seconds_and_dates_are_understood_and_absurd_ones_capped() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (value, seconds) in [
            ("3", Some(3)),
            (" 120 ", Some(120)),
            ("Sun, 06 Nov 1994 08:49:42 GMT", Some(5)),
            ("Sunday, 06-Nov-94 08:49:42 GMT", Some(5)),
            ("Sun Nov  6 08:49:42 1994", Some(5)),
            ("301", Some(LONGEST.as_secs())),
            ("99999999999999999999999999", Some(LONGEST.as_secs())),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(LONGEST.as_secs())),
            ("0", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:36 GMT", None),
            ("-3", None),
            ("+3", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("Sun, 99 Nov 1994 08:49:42 GMT", None),
        ] {
            assert_eq!(parse(value, now), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
