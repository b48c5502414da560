use regex_lite::Regex;
use serde::Deserialize;

use crate::{Error, ErrorKind};

/// Which names of models an entry is for, as it stands in a file: a hit on any is a match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct MatchRule {
    pub(crate) eq: Vec<String>,
    pub(crate) prefix: Vec<String>,
    pub(crate) suffix: Vec<String>,
    pub(crate) contains: Vec<String>,
    pub(crate) regex: Vec<String>,
    /// In each list everything must hit.
    pub(crate) any_all: Vec<Vec<MatchRule>>,
}

/// The same, ready to be asked.
#[derive(Debug, Clone)]
pub(crate) struct Matcher {
    rule: MatchRule,
    patterns: Vec<Pattern>,
    any_all: Vec<Vec<Matcher>>,
}

impl Matcher {
    pub(crate) fn new(rule: MatchRule) -> Result<Self, Error> {
        let mut rule = rule;
        for text in [&mut rule.eq, &mut rule.prefix, &mut rule.suffix, &mut rule.contains].into_iter().flatten() {
            *text = text.to_lowercase();
        }
        let patterns = rule.regex.iter().map(|pattern| Pattern::new(pattern)).collect::<Result<_, _>>()?;
        let group = |rules: &Vec<MatchRule>| rules.iter().cloned().map(Self::new).collect::<Result<Vec<_>, _>>();
        let any_all = rule.any_all.iter().map(group).collect::<Result<_, _>>()?;
        Ok(Self { rule, patterns, any_all })
    }

    /// Whether the entry is for the model of this name, which is in lower case.
    pub(crate) fn hits(&self, name: &str) -> bool {
        let rule = &self.rule;
        rule.eq.iter().any(|text| name == text)
            || rule.prefix.iter().any(|text| name.starts_with(text.as_str()))
            || rule.suffix.iter().any(|text| name.ends_with(text.as_str()))
            || rule.contains.iter().any(|text| name.contains(text.as_str()))
            || self.patterns.iter().any(|pattern| pattern.hits(name))
            || self.any_all.iter().any(|group| !group.is_empty() && group.iter().all(|matcher| matcher.hits(name)))
    }

    pub(crate) fn is_never(&self) -> bool {
        self.rule == MatchRule::default()
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.rule == other.rule
    }
}

/// A regular expression, which may begin with `^(?!…)`: what must not follow. The engine has no such thing,
/// and the table needs it in this place alone.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    not: Option<Regex>,
    regex: Regex,
}

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Result<Self, Error> {
        let compile = |text: &str| {
            Regex::new(text).map_err(|error| {
                let message = format!(
                    "{pattern:?} is no regular expression that can be used: {error}; write it without look-around"
                );
                Error::new(ErrorKind::Invalid, message)
            })
        };
        match pattern.strip_prefix("^(?!").and_then(|rest| Some((rest, closing(rest)?))) {
            Some((rest, end)) => Ok(Self {
                not: Some(compile(&format!("^(?:{})", &rest[..end]))?),
                regex: compile(&format!("^(?:{})", &rest[end + 1..]))?,
            }),
            None => Ok(Self { not: None, regex: compile(pattern)? }),
        }
    }

    pub(crate) fn hits(&self, text: &str) -> bool {
        self.regex.is_match(text) && !self.not.as_ref().is_some_and(|not| not.is_match(text))
    }
}

/// Where the parenthesis ends that is open at the beginning.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut is_escaped, mut is_in_class) = (1, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'[' => is_in_class = true,
            b']' => is_in_class = false,
            b'(' if !is_in_class => depth += 1,
            b')' if !is_in_class => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// Whether a name is the one of a pattern with `*` for anything. Both are in lower case.
pub(crate) fn is_like(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(json: &str) -> Matcher {
        Matcher::new(serde_json::from_str(json).unwrap()).unwrap()
    }

    #[test]
    fn any_entry_is_a_hit() {
        let all = matcher(
            r#"{"eq": ["GPT-4"], "prefix": ["ft:"], "suffix": ["-Pro"], "contains": ["mini"], "regex": ["^o\\d$"]}"#,
        );
        for name in ["gpt-4", "ft:x", "x-pro", "a-mini-b", "o3"] {
            assert!(all.hits(name), "{name}");
        }
        for name in ["gpt-40", "xft:", "x-pro-1", "o33", ""] {
            assert!(!all.hits(name), "{name}");
        }
    }

    #[test]
    fn all_of_an_inner_list_must_hit_and_a_look_ahead_forbids() {
        let gemini = matcher(
            r#"{"any_all": [[{"prefix": ["gemini-2.5-pro"]}, {"regex": ["^(?!.*-[tT][tT][sS](?:$|-))"]}], []]}"#,
        );
        assert!(gemini.hits("gemini-2.5-pro") && gemini.hits("gemini-2.5-pro-ttsx"));
        for name in ["gemini-2.5-pro-tts", "gemini-2.5-pro-preview-tts-1", "gemini-2.5-flash"] {
            assert!(!gemini.hits(name), "{name}");
        }
        let pattern = Pattern::new(r"^(?!a[)]|\)b)[a-z)]+$").unwrap();
        assert!(pattern.hits("abc") && !pattern.hits("a)c") && !pattern.hits(")bc") && !pattern.hits("1"));
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_an_error() {
        for pattern in ["(", "a(?=b)", "^(?!a"] {
            let error = Pattern::new(pattern).unwrap_err();
            assert!(error.to_string().ends_with("; write it without look-around"), "{error}");
        }
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name) in [
            ("a", "a"),
            ("*", ""),
            ("*", "x"),
            ("a*", "abc"),
            ("*c", "abc"),
            ("a*c", "ac"),
            ("a*b*c", "a-b-b-c"),
            ("**", "a"),
        ] {
            assert!(is_like(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a", "ab"), ("a*", "ba"), ("*c", "cb"), ("a*a", "a"), ("a*b*c", "acb"), ("", "a")] {
            assert!(!is_like(pattern, name), "{pattern} {name}");
        }
    }
}
