use crate::found::{Found, merge};
use crate::lists::{META, STRONG, VENDORS};
use crate::{forms, json, told, value};

/// Keys whose values are secrets.
///
/// A key is one if a run of its segments spells a listed one; segments end at `.`, `_`, `-` and
/// changes from lower to upper case. So `user.email` and `dbPassword` are, `code.classname` (ssn) is not, and
/// neither is what is about a secret: `email_count`, `password_policy`. Some, as `token` and `pin`, count at the end of
/// a key alone, and only before values that look like one.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Lower case, without separators, sorted.
    strong: Vec<String>,
    own: Vec<String>,
}

/// Looks for more secrets in a text, which stands under a key.
pub(crate) type More<'a> = &'a dyn Fn(&str, Option<&str>) -> Vec<Found>;

/// How sure a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Named by the user: whatever the value is.
    Own,
    Strong,
    Token,
    Pin,
    Otp,
    Pass,
    /// A signature.
    Signature,
    /// The same, in the query of a URL alone.
    UrlSignature,
    SessionCookie,
}

/// Keys that count as their last segments, before some values.
const WEAK: [(&str, Class); 15] = [
    ("passwords", Class::Strong),
    ("token", Class::Token),
    ("accesskey", Class::Token),
    ("accesskeyid", Class::Token),
    ("auth", Class::Token),
    ("apisecret", Class::Token),
    ("pin", Class::Pin),
    ("pincode", Class::Pin),
    ("otp", Class::Otp),
    ("sig", Class::Signature),
    ("signature", Class::UrlSignature),
    ("sid", Class::SessionCookie),
    ("pass", Class::Pass),
    ("pw", Class::Pass),
    ("sshpass", Class::Pass),
];

impl Keys {
    /// The usual ones, and `own`, which are secret whatever their values are.
    #[must_use]
    pub fn new<'a>(own: impl IntoIterator<Item = &'a str>) -> Self {
        Self { strong: squashed(STRONG.iter().copied()), own: squashed(own) }
    }

    /// No key at all.
    #[must_use]
    pub const fn none() -> Self {
        Self { strong: Vec::new(), own: Vec::new() }
    }

    /// Whether the values of this key may be secrets.
    #[must_use]
    pub fn is_sensitive(&self, key: &str) -> bool {
        self.class(key).is_some()
    }

    /// Whether this value of this key is a secret; `value` is none for a list.
    #[must_use]
    pub fn is_secret(&self, key: &str, value: Option<&str>) -> bool {
        match (self.class(key), value) {
            (None, _) => false,
            (Some(class), Some(value)) => value::is_secret(class, value, value::Place::Alone),
            (Some(class), None) => matches!(class, Class::Own | Class::Strong),
        }
    }

    /// The secrets that keys in the text tell, and those that `more` finds in it and in the texts of
    /// its JSON; in order and apart. `key` is that of the text itself, for `more`.
    #[must_use]
    pub fn find(&self, text: &str, key: Option<&str>, more: &dyn Fn(&str, Option<&str>) -> Vec<Found>) -> Vec<Found> {
        merge(self.find_in(text, key, more, 0))
    }

    pub(crate) fn find_in(&self, text: &str, key: Option<&str>, more: More<'_>, depth: usize) -> Vec<Found> {
        if let Some(found) = json::find(text, key, self, more, depth) {
            return found;
        }
        let mut found = Vec::new();
        told::find(text, self, &mut found);
        forms::find(text, self, &mut found);
        found.extend(more(text, key));
        found
    }

    pub(crate) fn class(&self, key: &str) -> Option<Class> {
        /// More are the words of a sentence.
        const MOST: usize = 24;
        // `12:30`
        let may_be = if self.own.is_empty() { key.contains(char::is_alphabetic) } else { !key.is_empty() };
        if !may_be || self.strong.is_empty() && self.own.is_empty() {
            return None;
        }
        let segments = segments(key);
        let last = segments.last().filter(|_| segments.len() <= MOST)?.as_str();
        if !self.own.is_empty() && has_run(&segments, &self.own) {
            return Some(Class::Own);
        }
        if META.contains(&last) {
            return None;
        }
        let tells =
            |segment: &String| ["password", "passwd", "passphrase", "apikey"].iter().any(|end| segment.ends_with(end));
        if segments.iter().any(tells) || has_run(&segments, &self.strong) {
            return Some(Class::Strong);
        }
        if last == "key" && segments.iter().any(|segment| VENDORS.contains(&segment.as_str())) {
            return Some(Class::Token);
        }
        let ends = (0..segments.len()).map(|first| segments[first..].concat());
        ends.filter_map(|end| WEAK.iter().find(|(weak, _)| *weak == end)).map(|(_, class)| *class).next()
    }
}

fn has_run(segments: &[String], known: &[String]) -> bool {
    (0..segments.len()).any(|first| {
        let mut run = String::new();
        segments[first..].iter().any(|segment| {
            run.push_str(segment);
            known.binary_search(&run).is_ok()
        })
    })
}

fn squashed<'a>(keys: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut keys: Vec<String> = keys.into_iter().map(squash).filter(|key| !key.is_empty()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The parts of a key in lower case.
pub(crate) fn segments(key: &str) -> Vec<String> {
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

pub(crate) fn squash(key: &str) -> String {
    segments(key).concat()
}
