//! Tokens, private keys and logins.
//!
//! Source: RFC 7519 and 7515 (JWT), RFC 7468 (PEM), RFC 6750 and 7617 (Bearer, Basic).

use std::ops::Range;

use super::vendors::{is_apart, looks_mixed};
use super::{each, expression, run};

expression!(
    PEM,
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)"
);
expression!(PEM_TAIL, r"[A-Za-z0-9+/=\\\s]{20,}-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----");
expression!(BEARER, r#"(?i)\bbearer(?:[ :=]|%20|\+)+['"]?([A-Za-z0-9._~+/-]{8,}={0,2})"#);
expression!(BASIC, r"(?i)\bbasic(?: |%20)+([A-Za-z0-9+/_-]{6,}={0,2})");
expression!(CURL_USER, r#"\s(?:-u|--user|--proxy-user)[ =]['"]?([^\s:'"]+:[^\s'"]+)"#);
expression!(DSN, r#"([A-Za-z0-9_.-]+:[^\s:@/'"]+)@(?:tcp|unix|udp)\("#);

pub(super) fn pem(text: &str) -> Vec<Range<usize>> {
    [&*PEM, &*PEM_TAIL].into_iter().flat_map(|pem| pem.find_iter(text).map(|found| found.range())).collect()
}

/// The end of the token that begins here.
pub(super) fn end_of_jwt(text: &str, at: usize) -> Option<usize> {
    let is_url = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    let bytes = text.as_bytes();
    if !text.get(at..)?.starts_with("eyJ") {
        return None;
    }
    let head = run(bytes, at, is_url);
    let dot = at + head;
    let second = run(bytes, dot + 1, is_url);
    if head < 11 || bytes.get(dot) != Some(&b'.') || second < 2 {
        return None;
    }
    let mut end = dot + 1 + second;
    for _ in 0..3 {
        if bytes.get(end) != Some(&b'.') {
            break;
        }
        end += 1 + run(bytes, end + 1, is_url);
    }
    let is_token = match decode(&text[at..dot]).and_then(|head| String::from_utf8(head).ok()) {
        Some(head) if head.starts_with('{') && head.trim_end().ends_with('}') => {
            ["\"alg\"", "\"typ\"", "\"enc\"", "\"kid\""].iter().any(|field| head.contains(field))
        }
        // Damaged: rather too much than too little.
        _ => text[dot + 1..].starts_with("eyJ"),
    };
    (is_token && is_apart(text, at..end)).then_some(end)
}

/// What is behind `Bearer` and `Basic`, `-u`, and before `@tcp(`.
pub(super) fn logins(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if text.contains("-u") || text.contains("-user") {
        found.extend(group(&CURL_USER, text));
    }
    if ["@tcp(", "@unix(", "@udp("].iter().any(|host| text.contains(host)) {
        found.extend(group(&DSN, text));
    }
    found
}

pub(super) fn schemes(text: &str) -> Vec<Range<usize>> {
    let bearer = each(&BEARER, text, |range| {
        let credential = BEARER.captures_at(text, range.start)?.get(1)?.range();
        looks_mixed(&text[credential.clone()]).then_some(credential)
    });
    let basic = each(&BASIC, text, |range| {
        let credential = BASIC.captures_at(text, range.start)?.get(1)?.range();
        let login = decode(&text[credential.clone()])?;
        (login.contains(&b':') && login.iter().all(|b| (b' '..0x7f).contains(b))).then_some(credential)
    });
    bearer.into_iter().chain(basic).collect()
}

fn group(regex: &regex::Regex, text: &str) -> Vec<Range<usize>> {
    regex.captures_iter(text).filter_map(|found| Some(found.get(1)?.range())).collect()
}

/// Base64 of either alphabet; what is left at the end is not looked at.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{decode, end_of_jwt, schemes};

    #[test]
    fn base64_of_both_alphabets() {
        assert_eq!(decode("QWxhZGRpbjpvcGVuIHNlc2FtZQ==").as_deref(), Some(&b"Aladdin:open sesame"[..]));
        assert_eq!(decode("-_8"), decode("+/8="));
        assert_eq!(decode("a b"), None);
    }

    #[test]
    fn a_token_has_a_header() {
        // RFC 7519, 3.1
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(end_of_jwt(token, 0), Some(token.len()));
        assert_eq!(end_of_jwt("eyJwYWdlIjoxfQ.eyJwYWdlIjoyfQ.abc", 0), None, "a cursor of pages");
        assert_eq!(end_of_jwt("eyJ", 0), None);
    }

    #[test]
    fn schemes_want_a_credential() {
        assert_eq!(schemes("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== and bearer tok3nabc"), vec![46..54, 6..34]);
        assert!(schemes("basic knowledge, bearer of bad news").is_empty());
    }
}
