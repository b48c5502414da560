use std::borrow::Cow;
use std::cell::RefCell;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicU32, Ordering};

use spandrel_plugin_api::{Attribute, Value};

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
    pub(crate) fn attributes<R>(&self, attributes: &[Attribute<'_>], f: impl FnOnce(&[Attribute<'_>]) -> R) -> R {
        if self.is_off() || !attributes.iter().any(|a| self.touches(a)) {
            return f(attributes);
        }
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
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.is_off() || !text.bytes().any(|b| matches!(b, b'=' | b':')) {
            return Cow::Borrowed(text);
        }
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
    pub(crate) fn is_sensitive(&self, key: &str) -> bool {
        if self.is_off() || key.is_empty() {
            return false;
        }
        // The verdict depends on the text of the key alone, and services have few
        // keys: a small cache for each thread, checked against the text.
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        let slot = usize::try_from(hash).unwrap_or(0) % CACHE_SLOTS;
        let cached = CACHE.try_with(|cache| {
            let mut cache = cache.try_borrow_mut().ok()?;
            if cache.is_empty() {
                cache.resize_with(CACHE_SLOTS, Verdict::default);
            }
            let verdict = &mut cache[slot];
            if verdict.redaction != self.id || *verdict.key != *key {
                *verdict = Verdict { redaction: self.id, key: key.into(), is_sensitive: self.judge(key) };
            }
            Some(verdict.is_sensitive)
        });
        cached.ok().flatten().unwrap_or_else(|| self.judge(key))
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

    fn touches(&self, attribute: &Attribute<'_>) -> bool {
        let changed = |text: &str| matches!(self.text(text), Cow::Owned(_));
        self.is_sensitive(attribute.key)
            || changed(attribute.key)
            || match attribute.value {
                Value::Str(text) => changed(text),
                Value::StrArray(texts) => texts.iter().any(changed),
                _ => false,
            }
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

const CACHE_SLOTS: usize = 128;

#[derive(Default)]
struct Verdict {
    redaction: u32,
    key: Box<str>,
    is_sensitive: bool,
}

thread_local! {
    static CACHE: RefCell<Vec<Verdict>> = const { RefCell::new(Vec::new()) };
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

/// The value that begins behind `start`: quoted text, the line of a header, or up
/// to a separator. The scheme of a credential (`Bearer x`) belongs to it.
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
    use super::{REDACTED, Redaction};
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
            assert!(redaction.is_sensitive(key), "{key}, from the cache");
        }
        for key in ["code.classname", "gen_ai.usage.input_tokens", "emails_sent", "telephones", "", "passwords_checked"]
        {
            assert!(!redaction.is_sensitive(key), "{key}");
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
