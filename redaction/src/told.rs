//! `key = value` and `key: value` in text, and `user:password@` of URLs.

use std::ops::Range;

use crate::category::Category;
use crate::found::Found;
use crate::keys::{Class, Keys, squash};
use crate::text::ends_escape;
use crate::value::{Place, is_code, is_masked, is_secret, is_stop_word};

/// Adds what is found in the text.
pub(crate) fn find(text: &str, keys: &Keys, found: &mut Vec<Found>) {
    let mut done = 0;
    for (at, separator) in text.match_indices(['=', ':', '\u{ff1a}']) {
        if at < done {
            continue;
        }
        let secret = if text[at..].starts_with("://") {
            user_info(text, at + 3).map(|range| (range, Category::Password))
        } else {
            named(text, at, separator, keys).map(|range| (range, Category::Key))
        };
        if let Some((range, category)) = secret.filter(|(range, _)| !range.is_empty()) {
            done = range.end;
            found.push(Found::new(range, category));
        }
    }
}

/// `user:password` of a URL whose authority begins at `start`; a user alone may be a token.
fn user_info(text: &str, start: usize) -> Option<Range<usize>> {
    let authority = &text[start..];
    let ends = |c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '`' | '<' | '>');
    let authority = &authority[..authority.find(ends).unwrap_or(authority.len())];
    let user = &authority[..authority.rfind('@')?];
    (!matches!(user, "git" | "hg") && !is_masked(user)).then(|| start..start + user.len())
}

fn named(text: &str, at: usize, separator: &str, keys: &Keys) -> Option<Range<usize>> {
    let key = word_before(text, at);
    let class = keys.class(key)?;
    let squashed = squash(key);
    let is_cookie = matches!(squashed.as_str(), "cookie" | "setcookie" | "jar");
    let is_authorization = matches!(squashed.as_str(), "authorization" | "proxyauthorization");
    let is_header = separator == ":" && (is_cookie || is_authorization);
    let value = value_after(text, at, at + separator.len(), is_header, &squashed);
    let inner = &text[value.range.clone()];
    if class == Class::UrlSignature && !is_in_query(text, at, key) {
        return None;
    }
    // Recipes have cookies, too.
    if is_cookie && class != Class::Own && !inner.contains('=') && value.place != Place::Quoted && !inner.contains('{')
    {
        return None;
    }
    if is_header && is_authorization {
        let scheme = inner.split(' ').next().unwrap_or_default().to_lowercase();
        let is_scheme = matches!(scheme.as_str(), "basic" | "bearer" | "digest" | "token");
        if !is_scheme && is_stop_word(&scheme) {
            return None;
        }
    }
    // With what the value is cut off from: `Option<String>`.
    let all = text[value.range.start..].split(char::is_whitespace).next().unwrap_or_default();
    if value.place == Place::Bare && class != Class::Own && is_code(all) {
        return None;
    }
    is_secret(class, inner, value.place).then_some(value.range)
}

/// Whether the key stands behind `?` or `&`.
fn is_in_query(text: &str, at: usize, key: &str) -> bool {
    text[..at].trim_end_matches(key).ends_with(['?', '&', ';'])
}

/// The word that ends at `end`, quotes and the like between aside.
pub(crate) fn word_before(text: &str, end: usize) -> &str {
    let between = [' ', '"', '\'', '`', '\\', '*', ']', ')', '?', '!', ':', '=', '>', '\t'];
    let mut head = text[..end].trim_end_matches(between);
    head = head.strip_suffix("&quot;").unwrap_or(head);
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start =
        head.char_indices().rev().take_while(|(_, c)| is_word(*c)).last().map_or(head.len(), |(start, _)| start);
    let word = &head[start..];
    // `\npassword` and `%22password`: what belongs to an escape is not part of the word.
    let escape = (1..=2)
        .find(|len| word.is_char_boundary(*len) && *len <= word.len() && start > 0 && ends_escape(head, start + len));
    match (text[..start].chars().next_back(), escape) {
        (Some('\\'), Some(1)) => &word[1..],
        (Some('%'), Some(2)) => &word[2..],
        _ => word,
    }
}

struct Told {
    range: Range<usize>,
    place: Place,
}

/// The value behind a separator: quoted text, the line of a header, all that is in brackets, as in
/// `Some("x")`, or up to a blank. The scheme of a credential (`Bearer x`) belongs to it.
fn value_after(text: &str, separator: usize, start: usize, is_header: bool, key: &str) -> Told {
    let rest = &text[start..];
    let value = rest.trim_start_matches(|c: char| c.is_whitespace() || "\\*=>:~".contains(c));
    let mut at = start + rest.len() - value.len();
    if let Some(inner) = value.strip_prefix("&quot;") {
        let len = inner.find("&quot;").unwrap_or(inner.len());
        return Told { range: at + 6..at + 6 + len, place: Place::Quoted };
    }
    let is_escaped = text[..at].ends_with('\\');
    // `r#"x"#`, `b"x"`, `f'x'`
    let prefix = ["r#", "br", "rb", "b", "r", "f", "u", "B", "R", "F", "U"];
    let literal =
        prefix.iter().find(|prefix| value.strip_prefix(**prefix).is_some_and(|rest| rest.starts_with(['"', '\''])));
    at += literal.map_or(0, |literal| literal.len());
    let value = &text[at..];
    if let Some(quote @ ('"' | '\'' | '`')) = value.chars().next() {
        let triple = [quote; 3].iter().collect::<String>();
        let (open, len) = match value.strip_prefix(triple.as_str()) {
            Some(inner) => (3, inner.find(triple.as_str()).unwrap_or(inner.len())),
            None => (1, quoted_len(&value[1..], quote, is_escaped)),
        };
        return Told { range: at + open..at + open + len, place: Place::Quoted };
    }
    let bare = |len: usize| Told { range: at..at + len, place: Place::Bare };
    if is_header {
        // Within quotes it ends with them: `-H "Cookie: a=1"`.
        let head = &text[..separator];
        let name = head.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '-');
        let open = name.chars().next_back().filter(|c| matches!(c, '"' | '\'' | '`'));
        let ends = |c: char| matches!(c, '\r' | '\n') || Some(c) == open;
        let line = value.find(ends).unwrap_or(value.len());
        let escaped = ["\\n", "\\r"].iter().filter_map(|end| value.find(end)).min().unwrap_or(line);
        return bare(line.min(escaped));
    }
    if let Some(len) = bracketed_len(value) {
        return bare(len);
    }
    if matches!(key, "mnemonic" | "seedphrase" | "passphrase") {
        return bare(value.find(['\r', '\n', '"', '\'']).unwrap_or(value.len()));
    }
    let ends = |c: char| {
        c.is_whitespace() || matches!(c, '&' | ',' | ';' | '"' | '\'' | '`' | ')' | ']' | '}' | '\\' | '|' | '<')
    };
    let word = |from: &str| from.find(ends).unwrap_or(from.len());
    let mut len = word(value);
    let schemes = ["bearer", "basic", "digest", "token", "apikey", "negotiate"];
    if schemes.iter().any(|scheme| value[..len].eq_ignore_ascii_case(scheme)) {
        let credential = value[len..].trim_start_matches(' ');
        len = value.len() - credential.len() + word(credential);
    }
    bare(len)
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
