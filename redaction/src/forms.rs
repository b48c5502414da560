//! Other ways to write a key before a value: flags, elements of XML, pairs of name and value, `%3D`.

use crate::category::Category;
use crate::found::Found;
use crate::keys::Keys;
use crate::text::is_alnum;
use crate::told::word_before;
use crate::value::{Place, is_secret};

/// Adds what is found in the text.
pub(crate) fn find(text: &str, keys: &Keys, found: &mut Vec<Found>) {
    let mut add = |key: &str, value: &str, place| {
        let is_told = keys.class(key).is_some_and(|class| is_secret(class, value, place));
        if is_told && !value.is_empty() {
            // It is part of the text.
            let start = value.as_ptr().addr() - text.as_ptr().addr();
            found.push(Found::new(start..start + value.len(), Category::Key));
        }
    };
    flags(text, &mut add);
    if text.contains("</") {
        elements(text, &mut add);
    }
    if text.contains("%3") {
        encoded(text, &mut add);
    }
    if text.contains("value") || text.contains("Value") {
        pairs(text, &mut add);
    }
    if text.contains('|') {
        rows(text, &mut add);
    }
}

type Add<'a, 'b> = &'a mut dyn FnMut(&'b str, &'b str, Place);

/// `--password x`, `-token=x`, `"--token", "x"`.
fn flags<'a>(text: &'a str, add: Add<'_, 'a>) {
    for (at, _) in text.match_indices('-') {
        let is_first = text[..at].chars().next_back().is_none_or(|c| c.is_whitespace() || "'\"`(,[".contains(c));
        if !is_first {
            continue;
        }
        let rest = &text[at + 1..];
        let rest = rest.strip_prefix('-').unwrap_or(rest);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let len = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(len);
        if len < 3 || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let behind = behind.strip_prefix(['"', '\'']).map_or(behind, |rest| rest.strip_prefix(',').unwrap_or(rest));
        let value = behind.trim_start_matches([' ', '=']);
        if value.len() == behind.len() {
            continue;
        }
        let value = value.strip_prefix(['"', '\'']).unwrap_or(value);
        let ends = |c: char| c.is_whitespace() || "'\"`,;)]".contains(c);
        let value = &value[..value.find(ends).unwrap_or(value.len())];
        if !value.starts_with('-') {
            add(name, value, Place::Bare);
        }
    }
}

/// `<password>x</password>`.
fn elements<'a>(text: &'a str, add: Add<'_, 'a>) {
    for (at, _) in text.match_indices('<') {
        let rest = &text[at + 1..];
        let Some(close) = rest.find(['<', '>']).filter(|close| rest[*close..].starts_with('>')) else { continue };
        let name = rest[..close].split(char::is_whitespace).next().unwrap_or_default();
        let inner = &rest[close + 1..];
        let Some(end) = inner.find('<').filter(|end| inner[*end..].starts_with("</")) else { continue };
        if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            add(name, &inner[..end], Place::Quoted);
        }
    }
}

/// `password%3Dx`, `%22password%22%3A%22x%22`.
fn encoded<'a>(text: &'a str, add: Add<'_, 'a>) {
    for (at, _) in text.match_indices("%3") {
        let Some(b'A' | b'D' | b'a' | b'd') = text.as_bytes().get(at + 2) else { continue };
        let head = text[..at].strip_suffix("%22").unwrap_or(&text[..at]);
        let key = word_before(head, head.len());
        let mut value = &text[at + 3..];
        while let Some(rest) = value.strip_prefix("%22").or_else(|| value.strip_prefix("%20")) {
            value = rest;
        }
        let ends = |c: char| c.is_whitespace() || matches!(c, '&' | '"' | '\'');
        let value = &value[..value.find(ends).unwrap_or(value.len())];
        // An encoded quote, `&` or `$` ends it, too.
        let end = ["%22", "%24", "%26"].iter().filter_map(|end| value.find(end)).min().unwrap_or(value.len());
        add(key, &value[..end], Place::Quoted);
    }
}

/// `name="password" value="x"`, also in JSON that is cut off.
fn pairs<'a>(text: &'a str, add: Add<'_, 'a>) {
    let bytes = text.as_bytes();
    for (at, word) in text.match_indices("alue") {
        let start = at.saturating_sub(1);
        let is_word = at > 0 && matches!(bytes[start], b'v' | b'V') && !is_alnum(text[..start].chars().next_back());
        let Some(value) = assigned(&text[at + word.len()..]).filter(|_| is_word) else { continue };
        let value = &value[..value.find(['\'', '"', '\\', '<', '>']).unwrap_or(value.len())];
        let segment = &text[..start];
        let segment = &segment[segment.rfind(['<', '>', '{', '}']).map_or(0, |open| open + 1)..];
        for name in ["name", "key", "type", "field", "header", "id", "Name", "Key"] {
            for (found, _) in segment.match_indices(name) {
                let Some(key) = assigned(&segment[found + name.len()..]) else { continue };
                let is_key = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
                let key = &key[..key.find(|c| !is_key(c)).unwrap_or(key.len())];
                if !is_alnum(segment[..found].chars().next_back()) {
                    add(key, value, Place::Quoted);
                }
            }
        }
    }
}

/// What is in quotes behind a `=` or `:`.
fn assigned(text: &str) -> Option<&str> {
    let text = text.trim_start_matches(['\'', '"', '\\']).trim_start();
    let text = text.strip_prefix(['=', ':'])?.trim_start();
    text.strip_prefix('\\').unwrap_or(text).strip_prefix(['\'', '"'])
}

/// `| password | x |` of a table in Markdown.
fn rows<'a>(text: &'a str, add: Add<'_, 'a>) {
    let is_markup = |c: char| matches!(c, '*' | '`' | '_' | ' ' | '\t');
    for line in text.lines() {
        let Some(row) = line.trim_start().strip_prefix('|') else { continue };
        let mut cells = row.split('|');
        if let (Some(key), Some(value), Some(_)) = (cells.next(), cells.next(), cells.next()) {
            let key = key.trim_matches(is_markup);
            if key.split(' ').count() <= 2 {
                add(key, value.trim_matches(is_markup), Place::Bare);
            }
        }
    }
}
