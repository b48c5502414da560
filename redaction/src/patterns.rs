use regex::Regex;

use crate::category::Category;
use crate::found::{Found, merge};
use crate::keys::segments;

mod addresses;
mod credentials;
mod look;
mod mail;
mod numbers;
mod phones;
mod prose;
mod starts;
mod vendors;

/// Secrets that are known by their shape, and rules of one's own.
#[derive(Debug, Clone)]
pub struct Patterns {
    wanted: u16,
    rules: Vec<Regex>,
}

impl Patterns {
    /// Patterns of these categories; [`Category::Key`] and [`Category::Rule`] have none.
    pub fn new(categories: impl IntoIterator<Item = Category>) -> Self {
        let wanted = categories.into_iter().fold(0, |all, category| all | 1 << category as u16);
        Self { wanted, rules: Vec::new() }
    }

    /// With a rule: what this regular expression matches is a secret, too.
    ///
    /// # Errors
    ///
    /// It is none, matches the empty text, or would take more than 1 MiB.
    pub fn with_rule(mut self, name: &str, pattern: &str) -> Result<Self, BadRule> {
        let bad = |reason: String| BadRule { name: name.to_owned(), reason };
        let rule = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build();
        // The last line says what it is; those before draw where.
        let last = |text: String| text.rsplit("error: ").next().unwrap_or_default().trim_end_matches('.').to_owned();
        let rule = rule.map_err(|error| bad(last(error.to_string())))?;
        if rule.is_match("") {
            return Err(bad("it matches the empty text, which is everywhere".to_owned()));
        }
        self.rules.push(rule);
        Ok(self)
    }

    /// Whether there is anything to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.wanted == 0 && self.rules.is_empty()
    }

    /// A quick look; no means that [`find`](Self::find) finds nothing.
    #[must_use]
    pub fn may_match(&self, text: &str) -> bool {
        self.wanted != 0 && self.looks_suspicious(text) || self.rules.iter().any(|rule| rule.is_match(text))
    }

    /// Where in a text there are secrets, in order and apart. `key` is the one under which it stands; the checks
    /// look at it as at words before the text.
    #[must_use]
    pub fn find(&self, text: &str, key: Option<&str>) -> Vec<Found> {
        let mut found = Vec::new();
        if self.wanted != 0 && self.looks_suspicious(text) {
            let scan = Scan::new(text, key);
            self.find_starts(&scan, &mut found);
            self.find_shapes(&scan, key, &mut found);
        }
        for rule in &self.rules {
            found.extend(rule.find_iter(text).map(|found| Found::new(found.range(), Category::Rule)));
        }
        merge(found)
    }

    const fn wants(&self, category: Category) -> bool {
        self.wanted & 1 << category as u16 != 0
    }

    fn find_shapes(&self, scan: &Scan<'_>, key: Option<&str>, found: &mut Vec<Found>) {
        let mut add = |category, ranges: Vec<std::ops::Range<usize>>| {
            found.extend(ranges.into_iter().map(|range| Found::new(range, category)));
        };
        let text = scan.text;
        if self.wants(Category::Mail) && text.contains(['@', '%']) {
            add(Category::Mail, mail::find(text));
        }
        if self.wants(Category::PrivateKey) && text.contains("PRIVATE KEY") {
            add(Category::PrivateKey, credentials::pem(text));
        }
        if self.wants(Category::ApiKey) {
            add(Category::ApiKey, vendors::odd(text));
        }
        if self.wants(Category::Password) {
            add(Category::Password, credentials::logins(text));
        }
        if self.wants(Category::Card) {
            add(Category::Card, numbers::cards(scan));
        }
        if self.wants(Category::Ssn) {
            add(Category::Ssn, numbers::ssns(scan));
        }
        if self.wants(Category::Phone) {
            add(Category::Phone, phones::find(scan));
        }
        // Where one listens oneself is no secret.
        let is_own = key.is_some_and(|key| matches!(key, "server.address" | "network.local.address" | "host.ip"));
        if self.wants(Category::Ip) && !is_own {
            add(Category::Ip, addresses::find(scan));
        }
    }
}

/// A text and the words before it.
struct Scan<'a> {
    text: &'a str,
    /// The last words of the key under which the text stands, and a colon.
    head: String,
}

impl<'a> Scan<'a> {
    fn new(text: &'a str, key: Option<&str>) -> Self {
        let words = key.map(segments).unwrap_or_default();
        let head = match words.as_slice() {
            [] => String::new(),
            words => words[words.len().saturating_sub(3)..].join(" ") + ": ",
        };
        Self { text, head }
    }

    /// The letters before a place, at most so many.
    fn before(&self, at: usize, chars: usize) -> String {
        let all = self.text[..at].chars().rev().chain(self.head.chars().rev());
        let mut near: Vec<char> = all.take(chars).collect();
        near.reverse();
        near.into_iter().collect()
    }
}

/// Calls `check` for what the expression matches; after a match that is refused goes on one letter behind its start, as
/// a secret may begin within.
fn each(
    regex: &Regex,
    text: &str,
    check: impl Fn(std::ops::Range<usize>) -> Option<std::ops::Range<usize>>,
) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(one) = text.get(at..).and_then(|_| regex.find_at(text, at)) {
        match check(one.range()) {
            Some(range) => {
                at = range.end.max(one.start() + 1);
                found.push(range);
            }
            None => at = one.start() + text[one.start()..].chars().next().map_or(1, char::len_utf8),
        }
        if one.is_empty() && at >= text.len() {
            break;
        }
    }
    found
}

/// The letter before a place.
fn before(text: &str, at: usize) -> Option<char> {
    text[..at].chars().next_back()
}

/// The letter at a place.
fn after(text: &str, at: usize) -> Option<char> {
    text[at..].chars().next()
}

/// How many bytes from here on are of a kind.
fn run(bytes: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes.get(at..).map_or(0, |rest| rest.iter().take_while(|byte| is(**byte)).count())
}

/// Without regard to the case of ASCII letters.
fn starts_with_ignoring_case(text: &str, prefix: &str) -> bool {
    text.len() >= prefix.len() && text.as_bytes()[..prefix.len()].eq_ignore_ascii_case(prefix.as_bytes())
}

/// Compiles an expression of ours once, at its first use.
macro_rules! expression {
    ($name:ident, $pattern:expr) => {
        static $name: std::sync::LazyLock<regex::Regex> =
            std::sync::LazyLock::new(|| regex::Regex::new($pattern).unwrap());
    };
}
use expression;

/// A rule of the user that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRule {
    name: String,
    reason: String,
}

impl std::fmt::Display for BadRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the rule `{}` is no regular expression that can be used: {}; write it as the crate `regex` has them",
            self.name, self.reason
        )
    }
}

impl std::error::Error for BadRule {}
