//! Texts from outside.

/// What `%41` stands for; what is no such escape stays.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(high).is_some() && hex(low).is_some() => {
                bytes.push(hex(high).unwrap_or(0) << 4 | hex(low).unwrap_or(0));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a server said, fit for one line of a log: the first 200 characters, without
/// control characters and without the words that are secret.
pub(crate) fn quoted<'a>(said: &[u8], secrets: impl Iterator<Item = &'a str>) -> String {
    const CHARS: usize = 200;
    // A character has at most 4 bytes; the whole may be megabytes.
    let head = String::from_utf8_lossy(&said[..said.len().min(CHARS * 64)]);
    // Before it is cut, so that no half of a secret remains.
    let hidden = secrets.fold(head.into_owned(), |text, secret| text.replace(secret, "***"));
    let mut words = String::new();
    for word in hidden.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    match words.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}...", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::percent_decoded;

    #[test]
    fn escapes_are_decoded() {
        for (text, decoded) in [("a%20b", "a b"), ("%c3%BC", "ü"), ("100%", "100%"), ("%4", "%4"), ("%zz%+1", "%zz%+1")]
        {
            assert_eq!(percent_decoded(text), decoded);
        }
    }

    #[test]
    fn what_a_server_said_fits_one_line() {
        let quoted = |said: &[u8]| super::quoted(said, ["hush", "key"].into_iter());
        assert_eq!(quoted(b"  no\r\nsuch\x1b[31m\tpath\0 "), "no such [31m path");
        assert_eq!(quoted("ü".repeat(201).as_bytes()), format!("{}...", "ü".repeat(200)));
        assert_eq!(quoted(b"\xff"), "\u{fffd}");
        assert_eq!(quoted(b""), "");
        assert_eq!(quoted(b"no keys like hush"), "no ***s like ***");
        assert_eq!(quoted(format!("{}hush", "x".repeat(198)).as_bytes()), format!("{}**...", "x".repeat(198)));
    }
}
