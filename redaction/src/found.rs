use std::borrow::Cow;
use std::ops::Range;

use crate::category::Category;

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Where it stands, in bytes.
    pub range: Range<usize>,
    /// What kind of secret it is.
    pub category: Category,
    /// A JSON value without quotes, of which a text is made; how deep in texts of texts, from 1.
    quotes: u8,
}

impl Found {
    /// One in plain text.
    #[must_use]
    pub const fn new(range: Range<usize>, category: Category) -> Self {
        Self { range, category, quotes: 0 }
    }

    /// One that is a JSON number, list or object.
    pub(crate) const fn quoted(range: Range<usize>, category: Category) -> Self {
        Self { range, category, quotes: 1 }
    }

    /// The same in the text of which that of this one was made.
    pub(crate) fn within(mut self, place: impl Fn(usize) -> usize) -> Self {
        self.range = place(self.range.start)..place(self.range.end);
        self.quotes += u8::from(self.quotes > 0);
        self
    }

    fn quote(&self) -> String {
        match self.quotes {
            0 => String::new(),
            depth => "\\".repeat((1 << (depth - 1).min(6)) - 1) + "\"",
        }
    }
}

/// In order and apart: those that overlap become one, of the category of the first.
pub(crate) fn merge(mut all: Vec<Found>) -> Vec<Found> {
    all.sort_by_key(|found| (found.range.start, std::cmp::Reverse(found.range.end)));
    let mut merged: Vec<Found> = Vec::with_capacity(all.len());
    for found in all {
        match merged.last_mut() {
            _ if found.range.is_empty() => {}
            Some(last) if found.range.start < last.range.end => last.range.end = last.range.end.max(found.range.end),
            _ => merged.push(found),
        }
    }
    merged
}

/// The text with what was found in it replaced by what `with` makes of a secret.
///
/// `found` is in order and apart, as those who find it say it.
pub fn replace<'a>(
    text: &'a str,
    found: &[Found],
    mut with: impl FnMut(Category, &str) -> Cow<'static, str>,
) -> Cow<'a, str> {
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut end = 0;
    for one in found {
        let quote = one.quote();
        clean.push_str(&text[end..one.range.start]);
        clean.push_str(&quote);
        clean.push_str(&with(one.category, &text[one.range.clone()]));
        clean.push_str(&quote);
        end = one.range.end;
    }
    clean.push_str(&text[end..]);
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::{Found, merge, replace};
    use crate::category::Category;

    #[test]
    fn what_overlaps_is_replaced_once() {
        let found = [(4..6, Category::Mail), (0..3, Category::Card), (2..5, Category::Key), (8..8, Category::Key)];
        let found = merge(found.map(|(range, category)| Found::new(range, category)).to_vec());
        assert_eq!(found, [Found::new(0..6, Category::Card)]);
        assert_eq!(
            replace("abcdefgh", &found, |category, secret| format!("<{}:{secret}>", category.name()).into()),
            "<card:abcdef>gh"
        );
        assert_eq!(replace("a1", &[Found::quoted(1..2, Category::Key)], |_, _| "x".into()), "a\"x\"");
        let twice = Found::quoted(1..2, Category::Key).within(|at| at).within(|at| at);
        assert_eq!(replace("a1", &[twice], |_, _| "x".into()), r#"a\\\"x\\\""#);
    }
}
