//! Texts, values and durations for people, safe for their terminal.

use std::borrow::Cow;

use spandrel_plugin_api::OwnedValue;

/// A text that stands alone: as it is, or quoted if it has characters that
/// would reach for the terminal.
pub(crate) fn label(text: &str) -> Cow<'_, str> {
    if text.is_empty() || text.contains(is_hostile) { quoted(text).into() } else { text.into() }
}

/// A text among others: quoted as well if one could not see where it ends.
pub(crate) fn word(text: &str) -> Cow<'_, str> {
    let is_unclear = |c: char| c.is_whitespace() || matches!(c, '"' | '=');
    if text.contains(is_unclear) { quoted(text).into() } else { label(text) }
}

/// A text in quotation marks.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_hostile(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// An attribute.
pub(crate) fn pair(key: &str, value: &OwnedValue) -> String {
    let value = match value {
        OwnedValue::Bool(v) => v.to_string().into(),
        OwnedValue::I64(v) => v.to_string().into(),
        OwnedValue::F64(v) => format!("{v:?}").into(),
        OwnedValue::Str(v) => word(v),
        OwnedValue::BoolArray(v) => list(v, bool::to_string).into(),
        OwnedValue::I64Array(v) => list(v, i64::to_string).into(),
        OwnedValue::F64Array(v) => list(v, |v| format!("{v:?}")).into(),
        OwnedValue::StrArray(v) => list(v, |v| quoted(v)).into(),
    };
    format!("{}={value}", word(key))
}

/// A JSON text, with what JSON allows and a terminal would obey escaped.
pub(crate) fn json_for_terminals(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hostile(c) {
            // All of them have at most four digits.
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// A duration with three digits and the unit that fits: `4.28 ms`.
pub(crate) fn duration(nanos: u64) -> String {
    // Rounded first, so that 999.7 µs becomes 1.00 ms and not 1000 µs.
    let mut step = 1;
    while nanos / step >= 1000 {
        step *= 10;
    }
    let rounded = nanos.saturating_add(step / 2) / step * step;
    let (unit, name) = match rounded {
        0..1_000 => return format!("{rounded} ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        1_000_000_000..60_000_000_000 => (1_000_000_000, "s"),
        _ => return minutes(nanos / 1_000_000_000 + u64::from(nanos % 1_000_000_000 >= 500_000_000)),
    };
    let decimals = match rounded / unit {
        0..10 => 2,
        10..100 => 1,
        _ => 0,
    };
    format!("{:.decimals$} {name}", rounded as f64 / unit as f64)
}

fn minutes(seconds: u64) -> String {
    match seconds / 60 {
        minutes @ 0..60 => format!("{minutes} min {} s", seconds % 60),
        minutes => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// How far `time` is from `start`: `+1.20 ms`.
pub(crate) fn offset(start: u64, time: u64) -> String {
    let sign = if time < start { '-' } else { '+' };
    format!("{sign}{}", duration(time.abs_diff(start)))
}

fn list<T>(values: &[T], show: impl Fn(&T) -> String) -> String {
    let values: Vec<String> = values.iter().map(show).collect();
    format!("[{}]", values.join(","))
}

/// Control characters, which terminals obey, line separators, and the marks
/// that turn the direction of the text around them.
fn is_hostile(c: char) -> bool {
    let is_mark = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_mark
}

#[cfg(test)]
mod tests {
    use spandrel_plugin_api::{OwnedAttribute, ToValue};

    use super::{duration, json_for_terminals, label, offset, word};

    #[test]
    fn durations_have_three_digits_and_the_right_unit() {
        let cases = [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_530, "1.53 µs"),
            (153_000, "153 µs"),
            (999_700, "1.00 ms"),
            (4_280_000, "4.28 ms"),
            (99_960_000, "100 ms"),
            (1_204_000_000, "1.20 s"),
            (59_990_000_000, "1 min 0 s"),
            (125_000_000_000, "2 min 5 s"),
            (3_900_000_000_000, "1 h 5 min"),
            (u64::MAX, "5124095 h 34 min"),
        ];
        for (nanos, text) in cases {
            assert_eq!(duration(nanos), text);
        }
        assert_eq!(offset(5_000, 3_000), "-2.00 µs");
    }

    #[test]
    fn only_texts_that_need_it_are_quoted() {
        assert_eq!(label("GET /cart's \"x\""), "GET /cart's \"x\"");
        assert_eq!(word("C:\\Zürich"), "C:\\Zürich");
        assert_eq!(word("a b"), "\"a b\"");
        assert_eq!(word("a=\"b\\c\""), r#""a=\"b\\c\"""#);
        assert_eq!(word(""), "\"\"");
    }

    #[test]
    fn terminals_get_nothing_to_obey() {
        assert_eq!(label("\u{1b}[2J\r\n"), r#""\u{1b}[2J\r\n""#);
        assert_eq!(label("a\u{9b}1m\u{202e}\u{7f}"), r#""a\u{9b}1m\u{202e}\u{7f}""#);
        assert_eq!(json_for_terminals("\"a\u{9b}\u{2028}é\""), r#""a\u009b\u2028é""#);
    }

    #[test]
    fn values_of_every_type() {
        fn pair(value: impl ToValue) -> String {
            super::pair("k", &OwnedAttribute::new("", value).value)
        }
        assert_eq!(pair(true), "k=true");
        assert_eq!(pair(-3), "k=-3");
        assert_eq!(pair(1.0), "k=1.0");
        assert_eq!(pair(["a", "b c"]), r#"k=["a","b c"]"#);
        assert_eq!(pair([1_i64, 2]), "k=[1,2]");
        assert_eq!(pair([0.5]), "k=[0.5]");
        assert_eq!(pair([true]), "k=[true]");
    }
}
