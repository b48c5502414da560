//! Looks at the letters around a place in a text.

pub(crate) fn is_alnum(c: Option<char>) -> bool {
    c.is_some_and(char::is_alphanumeric)
}

/// Whether an escape ends here, as `\n` or `%3D`: its letters do not belong to the word that follows.
pub(crate) fn ends_escape(text: &str, at: usize) -> bool {
    let bytes = &text.as_bytes()[..at];
    match bytes {
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., b'%', high, low] => high.is_ascii_hexdigit() && low.is_ascii_hexdigit(),
        _ => false,
    }
}

/// Some letters and some digits.
pub(crate) fn is_mixed(text: &str) -> bool {
    text.contains(|c: char| c.is_numeric()) && text.contains(char::is_alphabetic)
}

pub(crate) fn digit_count(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}
