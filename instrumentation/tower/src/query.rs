//! Queries of URLs, without their secrets.

use std::borrow::Cow;

use crate::attributes::{REDACTED, SECRET_PARAMETERS};

/// The query with the values of signatures replaced.
pub(crate) fn sanitized(query: &str) -> Cow<'_, str> {
    if !query.split('&').any(has_secret) {
        return Cow::Borrowed(query);
    }
    let clean = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if has_secret(pair) => Cow::Owned(format!("{key}={REDACTED}")),
        _ => Cow::Borrowed(pair),
    });
    Cow::Owned(clean.collect::<Vec<_>>().join("&"))
}

fn has_secret(pair: &str) -> bool {
    pair.split_once('=').is_some_and(|(key, _)| {
        let key = decoded(key);
        SECRET_PARAMETERS.iter().any(|secret| secret.as_bytes() == &*key)
    })
}

/// The bytes that a key stands for: `%73ig` is `sig`.
fn decoded(key: &str) -> Cow<'_, [u8]> {
    if !key.contains('%') {
        return Cow::Borrowed(key.as_bytes());
    }
    let mut out = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let [first, behind @ ..] = rest {
        let escaped = behind.first_chunk().filter(|_| *first == b'%').and_then(hex);
        out.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    Cow::Owned(out)
}

fn hex(digits: &[u8; 2]) -> Option<u8> {
    let [high, low] = digits.map(|digit| char::from(digit).to_digit(16));
    u8::try_from(high? * 16 + low?).ok()
}

#[cfg(test)]
mod tests {
    use super::sanitized;

    #[test]
    fn signatures_are_replaced_and_all_else_is_left_alone() {
        for (query, expected) in [
            ("", ""),
            ("x=1&&y=%2F", "x=1&&y=%2F"),
            ("sig=secret&a=1&X-Amz-Signature=b%3D", "sig=REDACTED&a=1&X-Amz-Signature=REDACTED"),
            ("a=1&&%73ig=secret=2&Sig=2&sig", "a=1&&%73ig=REDACTED&Sig=2&sig"),
            ("%73%69%67=secret&%=1&%7=2&%zz=3&%c3%bc=4", "%73%69%67=REDACTED&%=1&%7=2&%zz=3&%c3%bc=4"),
        ] {
            assert_eq!(sanitized(query), expected);
        }
    }
}
