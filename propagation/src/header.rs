//! What all formats owe: limits before anything is parsed, and no control character written.

use std::fmt;

use spandrel_plugin_api::diagnostics::{self, RateLimit};
use spandrel_plugin_api::{Carrier, CarrierMut};

/// A header that is there and cannot be used: malformed, too long, or there twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unusable;

/// Reads a header that may be there once and have `max` bytes; white space around it is dropped.
///
/// A proxy joins two lines with a comma, which no format takes; so two lines are as good as
/// malformed. A header without a value is as good as none.
pub(crate) fn read<T>(
    carrier: &dyn Carrier,
    name: &'static str,
    max: usize,
    mut parse: impl FnMut(&str) -> Option<T>,
) -> Result<Option<T>, Unusable> {
    let mut found = Ok(None);
    let mut lines = 0_usize;
    carrier.for_each_value(name, &mut |line| {
        lines += 1;
        found = if lines > 1 {
            Err(Unusable)
        } else if line.len() > max {
            over_limit(name, format_args!("{max} bytes"));
            Err(Unusable)
        } else {
            match trim(line) {
                "" => Ok(None),
                line => parse(line).map(Some).ok_or(Unusable),
            }
        };
    });
    found
}

/// Writes a header, unless the value has a character that may end it where it is read.
///
/// The formats make no such value. A carrier that is not HTTP checks nothing, so this does.
pub(crate) fn write(carrier: &mut dyn CarrierMut, name: &'static str, value: &str) {
    if is_printable(value) {
        carrier.set(name, value);
    }
}

/// Writes a header of digits and what is between them; nothing else gets there.
pub(crate) fn write_ascii(carrier: &mut dyn CarrierMut, name: &'static str, value: &[u8]) {
    if let Ok(value) = std::str::from_utf8(value) {
        debug_assert!(is_printable(value), "{value:?}");
        carrier.set(name, value);
    }
}

/// Says that a header, or a part of it, was left out, as it goes beyond what is taken.
#[cold]
pub(crate) fn over_limit(name: &'static str, limit: impl fmt::Display) {
    static WARNING: RateLimit = RateLimit::new();
    diagnostics::count("propagation.over_limit", 1);
    WARNING.warn(|| format!("a header `{name}` was left out, or a part of it: at most {limit} are taken"));
}

/// Without the white space that HTTP allows around a value.
#[inline]
pub(crate) fn trim(text: &str) -> &str {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    match text.as_bytes() {
        [first, .., last] if !is_blank(first) && !is_blank(last) => text,
        _ => text.trim_matches([' ', '\t']),
    }
}

/// How many commas there are; much cheaper than what is between them.
pub(crate) fn commas(line: &str) -> usize {
    // Short enough for a byte to count them, so that the compiler counts many at once.
    let counts = line.as_bytes().chunks(128).map(|chunk| chunk.iter().map(|byte| u8::from(*byte == b',')).sum::<u8>());
    counts.map(usize::from).sum()
}

/// Without an early end, so that the compiler looks at many bytes at once.
fn is_printable(value: &str) -> bool {
    value.bytes().fold(0, |bad, byte| bad | u8::from(byte.wrapping_sub(0x20) > 0x7e - 0x20)) == 0
}

#[cfg(test)]
mod tests {
    use super::{Unusable, commas, read, write};

    #[test]
    fn a_header_is_there_once_or_unusable() {
        let headers = |lines: &[&'static str]| lines.iter().map(|line| ("x", *line)).collect::<Vec<_>>();
        let number = |lines: &[&'static str]| read(&headers(lines), "x", 4, |line| line.parse::<u8>().ok());
        assert_eq!(number(&[]), Ok(None));
        assert_eq!(number(&[" "]), Ok(None));
        assert_eq!(number(&["\t7 "]), Ok(Some(7)));
        assert_eq!(number(&["seven"]), Err(Unusable));
        assert_eq!(number(&["00007"]), Err(Unusable));
        assert_eq!(number(&["7", "7"]), Err(Unusable));
        assert_eq!(number(&["7", "7", "7"]), Err(Unusable));
    }

    #[test]
    fn commas_are_counted() {
        for (line, expected) in [("", 0), ("a", 0), (",", 1), ("a,b,,c", 3)] {
            assert_eq!(commas(line), expected, "{line}");
            assert_eq!(commas(&line.repeat(1_000)), 1_000 * expected, "{line}");
        }
    }

    #[test]
    fn a_value_that_would_break_the_header_is_not_written() {
        let mut carrier: Vec<(String, String)> = Vec::new();
        for value in ["a\r\nb", "\0", "\u{7f}", "\u{85}", "é", "a\tb"] {
            write(&mut carrier, "x", value);
        }
        assert!(carrier.is_empty());
        write(&mut carrier, "x", "a ~");
        assert_eq!(carrier, [("x".to_owned(), "a ~".to_owned())]);
    }
}
