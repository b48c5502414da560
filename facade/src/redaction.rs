use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};

use spandrel_plugin_api::{Attribute, Value, panics};
use spandrel_redaction::{Category, Found, Keys, replace};

use crate::context::FromScope;

mod counts;
#[cfg(feature = "patterns")]
mod rules;
#[cfg(not(feature = "patterns"))]
#[path = "redaction/rules_unsupported.rs"]
mod rules;
mod separators;
mod verdict;

pub use counts::redactions;
pub(crate) use rules::{RuleSettings, Rules};
use separators::may_name_secrets;
use verdict::{VERDICTS, Verdict, known};

/// What stands in place of a secret.
pub const REDACTED: &str = "[REDACTED]";

/// Removes secrets from all that a span is told.
///
/// First those that a key tells, also in free text, as `spandrel-redaction` knows them, then those that a
/// rule finds.
#[derive(Debug)]
pub(crate) struct Redaction {
    is_off: bool,
    id: u32,
    keys: Keys,
    rules: Rules,
}

impl Redaction {
    /// The usual keys and these.
    pub(crate) fn new<'a>(extra: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of(Keys::new(extra), Rules::none(), false)
    }

    /// Redacts nothing.
    pub(crate) fn off() -> Self {
        Self::of(Keys::none(), Rules::none(), true)
    }

    fn of(keys: Keys, rules: Rules, is_off: bool) -> Self {
        static IDS: AtomicU32 = AtomicU32::new(1);
        Self { is_off, id: IDS.fetch_add(1, Ordering::Relaxed), keys, rules }
    }

    pub(crate) fn with_rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Calls `f` with the attributes, secrets replaced.
    #[inline]
    pub(crate) fn attributes<R>(&self, attributes: &[Attribute<'_>], f: impl FnOnce(&[Attribute<'_>]) -> R) -> R {
        if attributes.iter().all(|a| self.keeps_attribute(a)) {
            return f(attributes);
        }
        self.clean(attributes, f)
    }

    /// As [`attributes`](Self::attributes), for a span that starts in a scope.
    #[inline(always)]
    pub(crate) fn attributes_of_span<R>(
        &self,
        attributes: &[Attribute<'_>],
        from_scope: Option<FromScope<'_>>,
        f: impl FnOnce(&[Attribute<'_>]) -> R,
    ) -> R {
        let known = from_scope.map_or(0, |from_scope| self.kept_from_scope(from_scope));
        if attributes[known..].iter().all(|a| self.keeps_attribute(a)) {
            return f(attributes);
        }
        self.clean(attributes, f)
    }

    /// How many of the first attributes are kept; looked at once for all spans of the scope.
    #[cold]
    fn kept_from_scope(&self, FromScope { count, ambient }: FromScope<'_>) -> usize {
        if ambient.kept_by.load(Ordering::Relaxed) == self.id {
            return count;
        }
        if !ambient.attributes.iter().all(|a| self.keeps_attribute(&a.as_attribute())) {
            return 0;
        }
        ambient.kept_by.store(self.id, Ordering::Relaxed);
        count
    }

    #[cold]
    fn clean<R>(&self, attributes: &[Attribute<'_>], f: impl FnOnce(&[Attribute<'_>]) -> R) -> R {
        let clean: Vec<(Cow<'_, str>, Clean<'_>)> =
            attributes.iter().filter_map(|a| Some((self.key(a.key), self.value(a)?))).collect();
        let arrays: Vec<Vec<&str>> = clean.iter().map(|(_, value)| value.texts()).collect();
        let clean = clean.iter().zip(&arrays).map(|((key, value), array)| Attribute {
            key: key.as_ref(),
            value: match value {
                Clean::Same(value) => *value,
                Clean::Text(text) => Value::Str(text),
                Clean::Texts(_) => Value::StrArray(array.as_slice().into()),
            },
        });
        f(&clean.collect::<Vec<_>>())
    }

    /// The text without the secrets in it.
    #[inline]
    pub(crate) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.keeps(text) { Cow::Borrowed(text) } else { self.clean_text(text) }
    }

    /// Whether a text stays as it is; may say no where it does.
    #[inline(always)]
    pub(crate) fn keeps(&self, text: &str) -> bool {
        self.is_off || !(may_name_secrets(text.as_bytes()) || self.rules.may_change(self.id, text))
    }

    #[cold]
    fn clean_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.cleaned(None, text).0
    }

    /// The text without secrets, and whether there were any; all of it is one if that cannot be told.
    fn cleaned<'a>(&self, key: Option<&str>, text: &'a str) -> (Cow<'a, str>, bool) {
        let Some(found) = self.secrets_in(key, text) else {
            counts::count_failure("looking for secrets failed, and the text was redacted as a whole");
            return (Cow::Owned(REDACTED.to_owned()), true);
        };
        let clean = replace(text, &found, |category, secret| self.mark(category, secret));
        match self.rules.call(key, &clean) {
            Some(own) => (Cow::Owned(own), !found.is_empty()),
            None => (clean, !found.is_empty()),
        }
    }

    /// Where in a text there are secrets, in order and apart; none if there is a mistake of ours.
    fn secrets_in(&self, key: Option<&str>, text: &str) -> Option<Vec<Found>> {
        panics::contained(|| self.keys.find(text, key, &|text, key| self.rules.find(text, key)))
    }

    /// What takes the place of a secret.
    fn mark(&self, category: Category, secret: &str) -> Cow<'static, str> {
        counts::count(category);
        self.rules.mark(secret)
    }

    /// A key without secrets.
    fn key<'a>(&self, key: &'a str) -> Cow<'a, str> {
        match self.secrets_in(None, key) {
            Some(found) => replace(key, &found, |category, secret| self.mark(category, secret)),
            None => Cow::Borrowed(REDACTED),
        }
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
            let is_plain =
                !self.keys.is_sensitive(key) && self.secrets_in(None, key).is_some_and(|found| found.is_empty());
            verdicts[place].set(self.id, key, is_plain);
            is_plain
        })
    }

    /// Whether an attribute stays as it is.
    #[inline(always)]
    pub(crate) fn keeps_attribute(&self, attribute: &Attribute<'_>) -> bool {
        self.is_off
            || self.is_plain(attribute.key)
                && match attribute.value {
                    Value::Str(text) => {
                        !(may_name_secrets(text.as_bytes()) || self.rules.may_change(self.id, text))
                            || self.keeps_text(attribute.key, text)
                    }
                    Value::StrArray(texts) => {
                        texts.iter().all(|text| self.keeps(text) || self.keeps_text(attribute.key, text))
                    }
                    Value::I64(number) => self.rules.keeps_number(number),
                    _ => true,
                }
    }

    #[cold]
    fn keeps_text(&self, key: &str, text: &str) -> bool {
        !self.rules.calls() && self.secrets_in(Some(key), text).is_some_and(|found| found.is_empty())
    }

    /// The value without secrets; none if the attribute is left out.
    fn value<'a>(&self, attribute: &Attribute<'a>) -> Option<Clean<'a>> {
        let key = attribute.key;
        let text = match attribute.value {
            Value::Str(text) => return self.element(key, text).map(Clean::Text),
            Value::StrArray(texts) if !self.keys.is_secret(key, None) => {
                return Some(Clean::Texts(texts.iter().filter_map(|text| self.element(key, text)).collect()));
            }
            Value::Bool(value) => Some(value.to_string()),
            Value::I64(number) => Some(number.to_string()),
            Value::F64(number) => Some(number.to_string()),
            _ => None,
        };
        let is_secret = self.keys.is_secret(key, text.as_deref());
        let found = if is_secret {
            Some(Category::Key)
        } else {
            text.as_deref().and_then(|text| self.rules.find_number(text, key))
        };
        match found {
            None => Some(Clean::Same(attribute.value)),
            Some(category) => self.whole(category, text.as_deref().unwrap_or_default()).map(Clean::Text),
        }
    }

    fn element<'a>(&self, key: &str, text: &'a str) -> Option<Cow<'a, str>> {
        if self.keys.is_secret(key, Some(text)) {
            return self.whole(Category::Key, text);
        }
        let (clean, had_secrets) = self.cleaned(Some(key), text);
        Some(clean).filter(|_| !(had_secrets && self.rules.drops()))
    }

    /// What takes the place of a value that is a secret as a whole.
    fn whole<'a>(&self, category: Category, secret: &str) -> Option<Cow<'a, str>> {
        let mark = self.mark(category, secret);
        Some(mark).filter(|_| !self.rules.drops())
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

#[cfg(test)]
mod tests {
    use super::{REDACTED, Redaction, VERDICTS, Verdict, may_name_secrets};
    use crate::attrs;
    use crate::context::{Context, FromScope};
    use spandrel_plugin_api::{Attribute, Value};

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
            assert!(redaction.keys.is_sensitive(key), "{key}");
            assert!(!redaction.is_plain(key) && !redaction.is_plain(key), "{key}, from the cache");
        }
        for key in ["code.classname", "gen_ai.usage.input_tokens", "emails_sent", "telephones", "", "passwords_checked"]
        {
            assert!(!redaction.keys.is_sensitive(key), "{key}");
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
    fn what_is_plain_in_a_scope_is_so_for_one_redaction_only() {
        let context = Context::root().with_attribute("internal.note", "x");
        let from_scope = FromScope { count: 1, ambient: &context.scope().unwrap().ambient };
        let attributes = attrs! { "internal.note" => "x", "password" => "y" };
        let redacted = |redaction: &Redaction, attributes: &[Attribute<'_>]| {
            redaction.attributes_of_span(attributes, Some(from_scope), |clean| {
                clean.iter().filter(|attribute| attribute.value == Value::Str(REDACTED)).count()
            })
        };
        let (usual, strict) = (Redaction::new([]), Redaction::new(["internal.note"]));
        for _ in 0..2 {
            assert_eq!((redacted(&usual, &attributes[..1]), redacted(&strict, &attributes[..1])), (0, 1));
            assert_eq!((redacted(&usual, &attributes), redacted(&strict, &attributes)), (1, 2), "and those behind");
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
            ("password=std::Key(\"x", "password=[REDACTED]"),
            ("password := \"x\"", "password := \"[REDACTED]\""),
            ("['password' => 'x', 'a' => 'b']", "['password' => '[REDACTED]', 'a' => 'b']"),
            ("{\"name\":\"X-Api-Key\",\"value\":\"x\"}", "{\"name\":\"X-Api-Key\",\"value\":\"[REDACTED]\"}"),
            ("a=1 --password x -v", "a=1 --password [REDACTED] -v"),
            ("<a><password>x</password></a>", "<a><password>[REDACTED]</password></a>"),
            ("/a?next=password%3Dx%26b", "/a?next=password%3D[REDACTED]%26b"),
            (
                "has_password: true, email_count: 3, password: null",
                "has_password: true, email_count: 3, password: null",
            ),
            ("git clone ssh://git@host/x", "git clone ssh://git@host/x"),
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
        let mixed =
            attrs! { "password" => 17, "list" => ["a", "password=b"], "n" => 1, "ssn=1" => true, "pin" => 4821 };
        redaction.attributes(&mixed, |clean| {
            assert_eq!(clean[0].value, Value::Str(REDACTED));
            assert_eq!(clean[1].value, Value::StrArray(["a", "password=[REDACTED]"].as_slice().into()));
            assert_eq!(clean[2].value, Value::I64(1));
            assert_eq!((clean[3].key, clean[3].value), ("ssn=[REDACTED]", Value::Bool(true)), "neither is a secret");
            assert_eq!(clean[4].value, Value::Str(REDACTED));
        });
        Redaction::off().attributes(&mixed, |clean| assert_eq!(clean, mixed));
    }
}
