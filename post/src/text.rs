//! Texts from outside, fit to be shown.

use http::HeaderMap;

/// What `%41` stands for; what is no such escape stays.
#[must_use]
pub fn percent_decoded(text: &str) -> String {
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

/// A URL without user, password, query and fragment, which may hold keys.
#[must_use]
pub fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    without_user(url).0
}

/// A URL without user and password, and these two.
pub(crate) fn without_user(url: &str) -> (String, Option<(String, String)>) {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    let user = user.map(|user| {
        let (name, password) = user.split_once(':').unwrap_or((user, ""));
        (percent_decoded(name), percent_decoded(password))
    });
    let separator = if scheme.is_empty() { "" } else { "://" };
    (format!("{scheme}{separator}{host}{path}"), user)
}

/// What a server said, fit for one line of a log: the first 200 characters, without
/// control characters, and without what it repeats of the sensitive headers sent to it.
#[must_use]
pub fn quoted(said: &[u8], sent: &HeaderMap) -> String {
    let values = sent.values().filter(|value| value.is_sensitive()).filter_map(|value| value.to_str().ok());
    // `Bearer x` may be repeated as `x`; shorter words are no secrets, but parts of any text.
    one_line(said, values.flat_map(str::split_whitespace).filter(|word| word.len() >= 6))
}

fn one_line<'a>(said: &[u8], secrets: impl Iterator<Item = &'a str>) -> String {
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
    use http::{HeaderMap, HeaderValue};

    use super::{percent_decoded, without_secrets};

    #[test]
    fn escapes_are_decoded() {
        for (text, decoded) in [("a%20b", "a b"), ("%c3%BC", "ü"), ("100%", "100%"), ("%4", "%4"), ("%zz%+1", "%zz%+1")]
        {
            assert_eq!(percent_decoded(text), decoded);
        }
    }

    #[test]
    fn secrets_of_urls_are_not_shown() {
        for (url, shown) in [
            ("https://u:p@h:1/x/y?key=z#f", "https://h:1/x/y"),
            ("http://h", "http://h"),
            ("u:p@h:1", "h:1"),
            ("http://a@b@c/d@e", "http://c/d@e"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn what_a_server_said_fits_one_line() {
        let quoted = |said: &[u8]| super::one_line(said, ["hush", "key"].into_iter());
        assert_eq!(quoted(b"  no\r\nsuch\x1b[31m\tpath\0 "), "no such [31m path");
        assert_eq!(quoted("ü".repeat(201).as_bytes()), format!("{}...", "ü".repeat(200)));
        assert_eq!(quoted(b"\xff"), "\u{fffd}");
        assert_eq!(quoted(b""), "");
        assert_eq!(quoted(b"no keys like hush"), "no ***s like ***");
        assert_eq!(quoted(format!("{}hush", "x".repeat(198)).as_bytes()), format!("{}**...", "x".repeat(198)));
    }

    #[test]
    fn words_of_sensitive_headers_are_not_repeated() {
        let mut secret = HeaderValue::from_static("Basic hush-hush and so");
        secret.set_sensitive(true);
        let sent = HeaderMap::from_iter([
            (http::header::AUTHORIZATION, secret),
            (http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain")),
        ]);
        assert_eq!(
            super::quoted(b"Basic hush-hush is no text/plain and so on", &sent),
            "Basic *** is no text/plain and so on"
        );
    }
}
