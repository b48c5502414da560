use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};

use spandrel_plugin_api::{Attribute, Value};

mod separators;
mod verdict;

use separators::may_name_secrets;
use verdict::{VERDICTS, Verdict, known};

/// What stands in place of a secret.
pub const REDACTED: &str = "[REDACTED]";

/// Keys whose values never leave the facade unless the user says otherwise.
const DEFAULT_KEYS: &[&str] = &[
    "authorization",
    "x-api-key",
    "api-key",
    "password",
    "passwd",
    "email",
    "phone",
    "ssn",
    "credit_card",
    "cookie",
    "set-cookie",
    "secret",
    "access_token",
    "refresh_token",
    "session_token",
    "auth_token",
    "id_token",
    "api_token",
    "private_key",
    "passphrase",
    "pwd",
    "credentials",
    "jwt",
    "cvv",
    "card_number",
];

/// Removes secrets from all that a span is told.
///
/// A key is sensitive if a run of its segments spells a listed key; segments end
/// at `.`, `_`, `-` and changes from lower to upper case. So `user.email` and
/// `dbPassword` are, `code.classname` (ssn) is not. In free text, the value
/// behind `key=` or `key:` goes, and so does `user:password@` of a URL.
#[derive(Debug)]
pub(crate) struct Redaction {
    /// Lower case, without separators.
    keys: Vec<String>,
    id: u32,
}

impl Redaction {
    pub(crate) fn new<'a>(extra: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of(DEFAULT_KEYS.iter().copied().chain(extra))
    }

    /// Redacts nothing.
    pub(crate) fn off() -> Self {
        Self::of([])
    }

    fn of<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        static IDS: AtomicU32 = AtomicU32::new(1);
        let mut keys: Vec<String> = keys.into_iter().map(squash).filter(|key| !key.is_empty()).collect();
        keys.sort_unstable();
        keys.dedup();
        Self { keys, id: IDS.fetch_add(1, Ordering::Relaxed) }
    }

    pub(crate) fn is_off(&self) -> bool {
        self.keys.is_empty()
    }

    /// Calls `f` with the attributes, secrets replaced.
    #[inline]
    pub(crate) fn attributes<R>(&self, attributes: &[Attribute<'_>], f: impl FnOnce(&[Attribute<'_>]) -> R) -> R {
        if attributes.iter().all(|a| self.keeps_attribute(a)) {
            return f(attributes);
        }
        self.clean(attributes, f)
    }

    #[cold]
    fn clean<R>(&self, attributes: &[Attribute<'_>], f: impl FnOnce(&[Attribute<'_>]) -> R) -> R {
        let keys: Vec<Cow<'_, str>> = attributes.iter().map(|a| self.text(a.key)).collect();
        let values: Vec<Clean<'_>> = attributes.iter().map(|a| self.value(a)).collect();
        let arrays: Vec<Vec<&str>> = values.iter().map(Clean::texts).collect();
        let clean = keys.iter().zip(values.iter().zip(&arrays)).map(|(key, (value, array))| Attribute {
            key: key.as_ref(),
            value: match value {
                Clean::Same(value) => *value,
                Clean::Text(text) => Value::Str(text),
                Clean::Texts(_) => Value::StrArray(array.as_slice().into()),
            },
        });
        f(&clean.collect::<Vec<_>>())
    }

    /// The text without the secrets that it names.
    #[inline]
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.keeps(text) { Cow::Borrowed(text) } else { self.clean_text(text) }
    }

    /// Whether a text stays as it is; may say no where it does.
    #[inline]
    pub(crate) fn keeps(&self, text: &str) -> bool {
        self.is_off() || !may_name_secrets(text.as_bytes())
    }

    #[cold]
    fn clean_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.secrets_in(text).as_slice() {
            [] => Cow::Borrowed(text),
            secrets => {
                let mut clean = String::with_capacity(text.len());
                let mut end = 0;
                for secret in secrets {
                    clean.push_str(&text[end..secret.start]);
                    clean.push_str(REDACTED);
                    end = secret.end;
                }
                clean.push_str(&text[end..]);
                Cow::Owned(clean)
            }
        }
    }

    /// Whether the value of this key is a secret.
    fn is_sensitive(&self, key: &str) -> bool {
        !key.is_empty() && self.judge(key)
    }

    /// Whether an attribute with this key needs no more than a look at its value.
    #[inline(always)]
    fn is_plain(&self, key: &str) -> bool {
        let slot = Verdict::slot_of(key);
        known(slot, self.id, key).unwrap_or_else(|| self.find_or_judge(key, slot))
    }

    /// What lies behind the slot of a key may be its verdict, too; what is not used is
    /// the place for a new one.
    #[inline(never)]
    fn find_or_judge(&self, key: &str, slot: usize) -> bool {
        VERDICTS.with(|verdicts| {
            let mut place = slot;
            for at in (slot..slot + 8).map(|at| at % verdicts.len()) {
                if let Some(is_plain) = verdicts[at].of(self.id, key) {
                    return is_plain;
                }
                if verdicts[at].redaction.get() != self.id {
                    place = at;
                    break;
                }
            }
            let is_plain = !self.is_sensitive(key) && matches!(self.text(key), Cow::Borrowed(_));
            verdicts[place].set(self.id, key, is_plain);
            is_plain
        })
    }

    fn judge(&self, key: &str) -> bool {
        let segments = segments(key);
        (0..segments.len()).any(|first| {
            let mut run = String::new();
            segments[first..].iter().any(|segment| {
                run.push_str(segment);
                self.keys.binary_search(&run).is_ok()
            })
        })
    }

    /// Whether an attribute stays as it is.
    #[inline(always)]
    pub(crate) fn keeps_attribute(&self, attribute: &Attribute<'_>) -> bool {
        self.is_off()
            || self.is_plain(attribute.key)
                && match attribute.value {
                    Value::Str(text) => !may_name_secrets(text.as_bytes()) || self.keeps_text(text),
                    Value::StrArray(texts) => texts.iter().all(|text| self.keeps_text(text)),
                    _ => true,
                }
    }

    #[cold]
    fn keeps_text(&self, text: &str) -> bool {
        matches!(self.text(text), Cow::Borrowed(_))
    }

    fn value<'a>(&self, attribute: &Attribute<'a>) -> Clean<'a> {
        if self.is_sensitive(attribute.key) {
            return Clean::Text(Cow::Borrowed(REDACTED));
        }
        match attribute.value {
            Value::Str(text) => Clean::Text(self.text(text)),
            Value::StrArray(texts) => Clean::Texts(texts.iter().map(|text| self.text(text)).collect()),
            value => Clean::Same(value),
        }
    }

    /// Where in a text there are secrets, in order and apart.
    fn secrets_in(&self, text: &str) -> Vec<std::ops::Range<usize>> {
        let bytes = text.as_bytes();
        let mut secrets: Vec<std::ops::Range<usize>> = Vec::new();
        for (at, byte) in bytes.iter().enumerate() {
            let after_last = secrets.last().is_none_or(|last| at >= last.end);
            if !matches!(byte, b'=' | b':') || !after_last {
                continue;
            }
            let secret = if text[at..].starts_with("://") {
                user_info(text, at + 3)
            } else {
                let key = word_before(text, at);
                if !self.is_sensitive(key) {
                    continue;
                }
                let is_header = *byte == b':' && HEADERS.iter().any(|header| key.eq_ignore_ascii_case(header));
                value_after(text, at + 1, is_header)
            };
            // What others have redacted already stays as they put it.
            if !secret.is_empty() && !text[secret.clone()].trim_start_matches('[').starts_with("REDACTED") {
                secrets.push(secret);
            }
        }
        secrets
    }
}

enum Clean<'a> {
    Same(Value<'a>),
    Text(Cow<'a, str>),
    Texts(Vec<Cow<'a, str>>),
}

impl Clean<'_> {
    fn texts(&self) -> Vec<&str> {
        match self {
            Clean::Texts(texts) => texts.iter().map(AsRef::as_ref).collect(),
            _ => Vec::new(),
        }
    }
}

/// The parts of a key in lower case.
fn segments(key: &str) -> Vec<String> {
    let mut segments = vec![String::new()];
    let mut before = '.';
    for c in key.chars() {
        let starts = !c.is_alphanumeric() || (before.is_lowercase() && c.is_uppercase());
        if starts && segments.last().is_some_and(|s| !s.is_empty()) {
            segments.push(String::new());
        }
        if let (true, Some(segment)) = (c.is_alphanumeric(), segments.last_mut()) {
            segment.extend(c.to_lowercase());
        }
        before = c;
    }
    segments.retain(|segment| !segment.is_empty());
    segments
}

fn squash(key: &str) -> String {
    segments(key).concat()
}

/// The word that ends at `end`, quotes and blanks between aside.
fn word_before(text: &str, end: usize) -> &str {
    let text = text[..end].trim_end_matches([' ', '"', '\'', '\\']);
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start = text.char_indices().rev().take_while(|(_, c)| is_word(*c)).last();
    start.map_or("", |(start, _)| &text[start..])
}

/// Headers whose whole line is the secret.
const HEADERS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

/// The value that begins behind `start`: quoted text, the line of a header, all that
/// is in brackets, as in `Some("x")`, or up to a separator. The scheme of a credential (`Bearer x`) belongs to it.
fn value_after(text: &str, start: usize, is_header: bool) -> std::ops::Range<usize> {
    let rest = &text[start..];
    let quoted = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\\');
    let begin = start + rest.len() - quoted.len();
    let is_escaped = text[..begin].ends_with('\\');
    if let Some(quote @ ('"' | '\'')) = quoted.chars().next() {
        let inner = &quoted[1..];
        return begin + 1..begin + 1 + quoted_len(inner, quote, is_escaped);
    }
    if is_header {
        return begin..begin + quoted.find(['\r', '\n']).unwrap_or(quoted.len());
    }
    if let Some(len) = bracketed_len(quoted) {
        return begin..begin + len;
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '&' | ',' | ';' | '"' | '\'' | ')' | ']' | '}' | '\\');
    let word = |from: &str| from.find(ends).unwrap_or(from.len());
    let mut len = word(quoted);
    let schemes = ["bearer", "basic", "digest", "token", "apikey"];
    if schemes.iter().any(|scheme| quoted[..len].eq_ignore_ascii_case(scheme)) {
        let credential = quoted[len..].trim_start_matches(' ');
        len = quoted.len() - credential.len() + word(credential);
    }
    begin..begin + len
}

/// How long a text is that is in brackets, perhaps behind a name, as `Debug` writes
/// values: `Some("x")`, `["x"]`, `Key { id: 1 }`. All the rest if they are not closed.
fn bracketed_len(text: &str) -> Option<usize> {
    let rest = text.trim_start_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':'));
    let rest = if rest.len() < text.len() && rest.starts_with(" {") { &rest[1..] } else { rest };
    if !rest.starts_with(['(', '[', '{']) {
        return None;
    }
    let (mut depth, mut quote, mut guarded) = (0_usize, None, false);
    for (at, c) in rest.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open && !guarded => quote = None,
            (Some(_), _) => {}
            (None, '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, _) => {}
        }
        guarded = c == '\\' && !guarded;
        if depth == 0 {
            return Some(text.len() - rest.len() + at + 1);
        }
    }
    Some(text.len())
}

/// How long a quoted text is. A backslash guards the quote behind it, except in
/// JSON within JSON, where it stands before the closing quote as well.
fn quoted_len(inner: &str, quote: char, is_escaped: bool) -> usize {
    let mut guarded = false;
    for (at, c) in inner.char_indices() {
        if c == quote && (is_escaped || !guarded) {
            return inner[..at].trim_end_matches(|c| is_escaped && c == '\\').len();
        }
        guarded = c == '\\' && !guarded;
    }
    inner.len()
}

/// `user:password` of a URL whose authority begins at `start`; a user alone may be a token.
fn user_info(text: &str, start: usize) -> std::ops::Range<usize> {
    let authority = &text[start..];
    let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'');
    let authority = &authority[..authority.find(ends).unwrap_or(authority.len())];
    match authority.rfind('@') {
        Some(end) => start..start + end,
        None => start..start,
    }
}

#[cfg(test)]
mod tests {
    use super::{REDACTED, Redaction, VERDICTS, Verdict, may_name_secrets};
    use crate::attrs;
    use spandrel_plugin_api::Value;

    #[test]
    fn keys_match_whole_segments() {
        let redaction = Redaction::new(["internal.account-number"]);
        let sensitive = [
            "password",
            "db.password",
            "dbPassword",
            "user.email",
            "http.request.header.x-api-key",
            "apiKey",
            "API_KEY",
            "creditCard",
            "customer.credit_card.number",
            "internalAccountNumber",
            "x.internal_account_number.y",
            "http.request.header.authorization",
        ];
        for key in sensitive {
            assert!(redaction.is_sensitive(key), "{key}");
            assert!(!redaction.is_plain(key) && !redaction.is_plain(key), "{key}, from the cache");
        }
        for key in ["code.classname", "gen_ai.usage.input_tokens", "emails_sent", "telephones", "", "passwords_checked"]
        {
            assert!(!redaction.is_sensitive(key), "{key}");
            assert!(redaction.is_plain(key) && redaction.is_plain(key), "{key}, from the cache");
        }
    }

    #[test]
    fn a_verdict_belongs_to_the_text_and_not_to_its_place() {
        let redaction = Redaction::new([]);
        let mut key = String::from("harmless");
        for _ in 0..3 {
            assert!(redaction.is_plain(&key));
            key.replace_range(.., "password");
            assert!(!redaction.is_plain(&key));
            assert!(Redaction::off().is_plain(&key), "another one has other keys");
            key.replace_range(.., "harmless");
        }
    }

    #[test]
    fn keys_of_all_lengths_are_told_apart() {
        let redaction = Redaction::new([]);
        let mut key = String::new();
        for len in 0..60 {
            assert!(redaction.is_plain(&key) && redaction.is_plain(&key));
            for at in 0..len {
                // At the same place, but for one letter.
                let letter = key.as_bytes()[at] as char;
                key.replace_range(at..=at, "Z");
                let slot = Verdict::slot_of(&key);
                let known = VERDICTS.with(|verdicts| verdicts[slot].of(redaction.id, &key));
                assert_eq!(known, None, "{key}");
                key.replace_range(at..=at, letter.encode_utf8(&mut [0; 4]));
            }
            key.push(char::from(b'a' + len as u8 % 26));
        }
    }

    #[test]
    fn more_keys_than_are_remembered_are_judged_all_the_same() {
        let redaction = Redaction::new([]);
        let keys: Vec<String> =
            (0..1_000).map(|i| format!("{}.{i}", if i % 3 == 0 { "password" } else { "word" })).collect();
        for _ in 0..2 {
            for (i, key) in keys.iter().enumerate() {
                assert_eq!(redaction.is_plain(key), i % 3 != 0, "{key}");
            }
        }
    }

    #[test]
    fn a_text_with_a_separator_is_looked_at_wherever_that_is() {
        for len in 0..40 {
            let plain = "\u{e4}\u{bd}bc@9".repeat(7).chars().take(len).collect::<String>();
            assert!(!may_name_secrets(plain.as_bytes()), "{plain}");
            for separator in ["=", ":"] {
                for at in (0..=plain.len()).filter(|at| plain.is_char_boundary(*at)) {
                    let text = [&plain[..at], separator, &plain[at..]].concat();
                    assert!(may_name_secrets(text.as_bytes()), "{text}");
                }
            }
        }
    }

    #[test]
    fn texts_lose_the_values_of_sensitive_keys() {
        let redaction = Redaction::new([]);
        for (text, clean) in [
            ("GET /login?user=a&password=hunter2&x=1", "GET /login?user=a&password=[REDACTED]&x=1"),
            ("Authorization: Bearer abc.def\nnext", "Authorization: [REDACTED]\nnext"),
            ("Cookie: a=1; session=2", "Cookie: [REDACTED]"),
            ("authorization=Bearer abc.def next", "authorization=[REDACTED] next"),
            (r#"{"password":"hun\"ter2","a":1}"#, r#"{"password":"[REDACTED]","a":1}"#),
            ("password:\n  hunter", "password:\n  [REDACTED]"),
            (r#"{"api_key": "sk-1", "n": 2}"#, r#"{"api_key": "[REDACTED]", "n": 2}"#),
            (r#"{\"password\":\"x\"}"#, r#"{\"password\":\"[REDACTED]\"}"#),
            ("postgres://bob:s3cret@db/x?a=b", "postgres://[REDACTED]@db/x?a=b"),
            ("https://ghp_token@host/x", "https://[REDACTED]@host/x"),
            (
                "https://REDACTED:REDACTED@host/?access_token=REDACTED",
                "https://REDACTED:REDACTED@host/?access_token=REDACTED",
            ),
            ("email=a@b.c, phone: 123", "email=[REDACTED], phone: [REDACTED]"),
            ("time 12:30, ratio a=b, http://x/", "time 12:30, ratio a=b, http://x/"),
            (r#"L { password: Some("hun(\"ter2"), user: 1 }"#, "L { password: [REDACTED], user: 1 }"),
            (r#"password: ["a", ["b)"]], n: 1"#, "password: [REDACTED], n: 1"),
            ("secret: Key { id: 7, raw: (1, 2) } end", "secret: [REDACTED] end"),
            ("password=std::Some(x", "password=[REDACTED]"),
            ("password=[REDACTED] a", "password=[REDACTED] a"),
            ("password=", "password="),
            ("héllo: wörld=ü password=ü", "héllo: wörld=ü password=[REDACTED]"),
        ] {
            assert_eq!(redaction.text(text), clean);
        }
    }

    #[test]
    fn attributes_are_copied_only_to_replace_something() {
        let redaction = Redaction::new([]);
        let harmless = attrs! { "a" => 1, "b" => "x:y" };
        redaction.attributes(&harmless, |clean| assert!(std::ptr::eq(clean, &raw const harmless[..])));
        let mixed = attrs! { "password" => 17, "list" => ["a", "password=b"], "n" => 1, "ssn=1" => true };
        redaction.attributes(&mixed, |clean| {
            assert_eq!(clean[0].value, Value::Str(REDACTED));
            assert_eq!(clean[1].value, Value::StrArray(["a", "password=[REDACTED]"].as_slice().into()));
            assert_eq!(clean[2].value, Value::I64(1));
            assert_eq!((clean[3].key, clean[3].value), ("ssn=[REDACTED]", Value::Str(REDACTED)));
        });
        Redaction::off().attributes(&mixed, |clean| assert_eq!(clean, mixed));
    }
}
