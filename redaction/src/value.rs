//! Whether what a key names is a secret, or a word, code, or hidden already.

use crate::keys::Class;
use crate::lists::{CODE, CODE_WORDS, STOP};
use crate::text::{digit_count, is_mixed};

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// As an attribute or in JSON: all of it is the value.
    Alone,
    /// In text, in quotes.
    Quoted,
    /// In text, up to a separator: it may be code or a sentence.
    Bare,
}

pub(crate) fn is_secret(class: Class, value: &str, place: Place) -> bool {
    let value = value.trim();
    if value.is_empty() || is_redacted(value) {
        return false;
    }
    if class == Class::Own {
        return true;
    }
    if is_masked(value) || is_constant(value) {
        return false;
    }
    let is_bare = place == Place::Bare;
    if is_bare && is_code(value) {
        return false;
    }
    let is_word = !value.contains(char::is_whitespace);
    let cased = value.chars().skip(1).any(char::is_uppercase) && value.contains(char::is_lowercase);
    let chars = value.chars().count();
    match class {
        Class::Own => true,
        Class::Strong => !is_bare || !(is_stop_word(value) || is_call(value)),
        _ if is_bare && is_reference(value) => false,
        Class::Pin => (4..=8).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit()),
        Class::Otp => {
            let is_code = value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            let digits = digit_count(value);
            is_code && (4..=12).contains(&value.len()) && digits > 0 && !(digits == value.len() && digits < 4)
        }
        Class::Pass => {
            let has_symbol = value.contains(|c: char| !(c.is_alphanumeric() || "_.,;".contains(c)));
            chars >= 6 && is_word && (is_mixed(value) || has_symbol) && !is_algorithm(value)
        }
        Class::Token => {
            chars >= 8
                && is_word
                && (is_mixed(value) || (chars >= 16 && cased))
                && !value.contains(['(', '[', '{', '<'])
        }
        Class::Signature | Class::UrlSignature => chars >= 16 && is_word && is_mixed(value),
        Class::SessionCookie => chars >= 16 && is_mixed(value),
    }
}

/// Whether somebody has replaced it before.
fn is_redacted(value: &str) -> bool {
    let mut words = value.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).peekable();
    let is_hash = |hash: &str| hash.len() == 8 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    words.peek().is_some() && words.all(|word| word.eq_ignore_ascii_case("redacted"))
        || value.strip_prefix("[sha256:").and_then(|hash| hash.strip_suffix(']')).is_some_and(is_hash)
}

/// `true`, `null`, `{}`: nothing that is worth hiding.
fn is_constant(value: &str) -> bool {
    matches!(
        value,
        "null" | "None" | "nil" | "undefined" | "true" | "false" | "True" | "False" | "{}" | "[]" | "\"\"" | "''"
    )
}

/// What stands for a secret: stars, a placeholder of SQL or of a template, `sk-...`.
pub(crate) fn is_masked(value: &str) -> bool {
    let value = value.trim_end_matches([',', ';', ')']);
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if is_redacted(value) || matches!(value, "?" | "%s") {
        return true;
    }
    if let Some(name) = value.strip_prefix('$') {
        let is_variable = is_name(name) && !name.contains(|c: char| c.is_ascii_lowercase());
        let opens =
            name.starts_with('(') || name.strip_prefix('{').is_some_and(|inner| inner.contains('}') || is_name(inner));
        return is_variable || opens;
    }
    if value.strip_prefix("@p").is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit())) {
        return true;
    }
    for (open, close) in [("{{", "}"), ("{", "}"), ("<", ">"), ("%(", "s")] {
        if let Some(inner) = value.strip_prefix(open).and_then(|inner| inner.strip_suffix(close)) {
            let inner = inner.trim_matches(['}', ' ', ')']);
            return !inner.contains(['{', '<', '>', '"', '\'', ':']) && digit_count(inner) < 3;
        }
    }
    // Three of a kind, and at most a few letters behind them that are shown.
    let stars = value.trim_start_matches(['*', '\u{2022}', '\u{2026}', '.']);
    if value.len() - stars.len() >= 3 && stars.chars().count() <= 4 {
        return true;
    }
    if value.len() >= 4 && value.bytes().all(|b| b.eq_ignore_ascii_case(&b'x')) {
        return true;
    }
    let shown = value.trim_start_matches(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-'));
    let hidden = shown.trim_start_matches(['.', '\u{2026}']);
    if value.len() - shown.len() <= 12 && shown.len() - hidden.len() >= 3 && hidden.chars().count() <= 6 {
        return true;
    }
    let lower = value.trim_start_matches('<').to_ascii_lowercase();
    ["your-", "your_", "your ", "placeholder"].iter().any(|word| lower.starts_with(word))
}

/// A word that stands behind `password:` where no password does.
pub(crate) fn is_stop_word(value: &str) -> bool {
    let word = value.trim_end_matches(['.', ',', ';', ':', '!', '?']).to_lowercase();
    STOP.contains(&word.as_str())
}

/// An expression that reads a secret from somewhere.
pub(crate) fn is_code(value: &str) -> bool {
    let value = value.trim_end_matches([',', ';']);
    if CODE_WORDS.contains(&value.trim_end_matches([')', '>', '?'])) {
        return true;
    }
    let Some(begin) = CODE.iter().find(|begin| value.starts_with(**begin)) else { return false };
    let rest = &value[begin.len()..];
    // A function must be called, what has fields must have one: `hash9word` is no code.
    let is_word = begin.ends_with(|c: char| c.is_ascii_alphabetic());
    let opens = rest.starts_with(|c: char| "([.:!".contains(c) || c.is_ascii_alphabetic() || c == '_')
        && rest.contains(['(', '[', '.', ':']);
    let is_expression = rest.chars().all(|c| c.is_alphanumeric() || "_.:()[]{}<>'\"&*?!, =|-".contains(c));
    is_expression
        && digit_count(rest) <= 2
        && (!is_word
            || rest.is_empty() && !matches!(*begin, "hash" | "encode" | "decode" | "bcrypt" | "argon2")
            || opens)
}

/// A call without literals: `read_password(prompt)`.
fn is_call(value: &str) -> bool {
    let value = value.trim_end_matches(';');
    let Some((name, arguments)) = value.strip_suffix(')').and_then(|call| call.split_once('(')) else { return false };
    is_path(name) && (arguments.trim().is_empty() || is_path(arguments.trim()) && digit_count(arguments) == 0)
}

/// Names with `.` or `::` between.
fn is_path(text: &str) -> bool {
    text.split(['.', ':']).all(|name| {
        name.is_empty()
            || name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_alphanumeric() || c == '_')
    }) && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// `self.token`, `API_TOKEN`, `tokens[`, `label:`.
fn is_reference(value: &str) -> bool {
    let head = value.split(['(', '[']).next().unwrap_or_default();
    let head = head.trim_start_matches('$').replace("->", ".");
    let is_constant = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    let longest = value.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::len).max().unwrap_or_default();
    let has_fields = head.contains(['.', ':']) && is_path(&head) && longest <= 24 && digit_count(value) <= 2;
    let words: Vec<&str> = value.trim_end_matches(':').split('_').collect();
    let is_upper = words.len() > 1 && words.iter().all(|word| !word.is_empty() && word.chars().all(is_constant));
    let opens = head.len() < value.trim_start_matches('$').len() && is_path(&head);
    let is_label = value.ends_with(':') && is_path(value.trim_end_matches(':')) && digit_count(value) <= 3;
    has_fields || is_upper || opens || is_label
}

/// `sha256`, `oauth2`, `3.11`: no secret behind `pass` or `password`.
pub(crate) fn is_algorithm(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let names = [
        "sha-", "sha1", "sha2", "sha3", "sha5", "md5", "bcrypt", "argon2", "pbkdf2", "scrypt", "oauth", "base64",
        "utf-", "utf8", "http",
    ];
    if names.iter().any(|name| lower.starts_with(name)) {
        return true;
    }
    let number = lower.trim_start_matches('v').trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let has_number = number.len() < lower.trim_start_matches('v').len();
    has_number && matches!(number, "" | "st" | "nd" | "rd" | "th" | "b" | "kb" | "mb" | "gb" | "ms" | "s" | "x" | "fa")
}

#[cfg(test)]
mod tests {
    use super::{Place, is_code, is_masked, is_secret};
    use crate::keys::Class;

    #[test]
    fn what_hides_a_secret_is_none() {
        for masked in [
            "[REDACTED]",
            "***",
            "\u{2022}\u{2022}\u{2022}\u{2022}",
            "?",
            "$1",
            "$DB_PASSWORD",
            "${X}",
            "{{ x }}",
            "<token>",
            "sk-...",
            "...",
            "xxxx",
            "your-key-here",
            "@p0",
            "%s",
            "********1881",
        ] {
            assert!(is_masked(masked), "{masked}");
        }
        for secret in [
            "$1$abc$def",
            "$2b$10$abcdefgh",
            "***hunter2x",
            "REDACTED hunter2",
            "sha256:hunter2",
            "xx-9Y",
            "{hunter2000}",
            "hunter...2000abc",
            "$ecret",
        ] {
            assert!(!is_masked(secret), "{secret}");
        }
    }

    #[test]
    fn code_is_no_secret_and_what_only_looks_like_it_is() {
        for code in [
            "os.environ[",
            "self.password",
            "hash(x)",
            "getpass",
            "String,",
            "None",
            "config.get",
            "secrets.token_hex(16",
        ] {
            assert!(is_code(code), "{code}");
        }
        for secret in ["hash9word", "encode4me", "user.1984.x", "None-of-it9", "true-love9"] {
            assert!(!is_code(secret), "{secret}");
            assert!(is_secret(Class::Strong, secret, Place::Bare), "{secret}");
        }
    }

    #[test]
    fn weak_keys_want_a_value_of_the_shape() {
        for (class, value, is) in [
            (Class::Pin, "4821", true),
            (Class::Pin, "17", false),
            (Class::Otp, "731904", true),
            (Class::Otp, "none", false),
            (Class::Token, " world", false),
            (Class::Token, "tok3n-0KjlMbWA4S", true),
            (Class::Pass, "12", false),
            (Class::Pass, "mango-3775", true),
            (Class::Own, "false", true),
            (Class::Strong, "false", false),
        ] {
            assert_eq!(is_secret(class, value, Place::Alone), is, "{value}");
        }
    }
}
