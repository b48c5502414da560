//! JSON at any depth, also within its own texts.

use std::ops::Range;

use crate::category::Category;
use crate::found::Found;
use crate::keys::{Class, Keys, More};
use crate::value::{self, Place};

/// What is deeper than this is a secret as a whole, so that nothing hides there.
const MOST_DEEP: usize = 64;

/// What is found in a text that is a JSON object or list; none if it is neither.
pub(crate) fn find(text: &str, key: Option<&str>, keys: &Keys, more: More<'_>, depth: usize) -> Option<Vec<Found>> {
    if !text.trim_start().starts_with(['{', '[']) || depth > MOST_DEEP {
        return None;
    }
    let mut parser = Parser { text, at: 0 };
    let node = parser.value(depth)?;
    parser.skip_blanks();
    if parser.at < text.len() {
        return None;
    }
    let mut walk = Walk { text, keys, more, found: Vec::new() };
    walk.node(&node, key, depth);
    Some(walk.found)
}

struct Node {
    /// Of a text without its quotes.
    range: Range<usize>,
    kind: Kind,
}

enum Kind {
    Text(Text),
    Number,
    /// `true`, `false`, `null`.
    Constant,
    List(Vec<Node>),
    Object(Vec<(Node, Node)>),
    /// Not looked into.
    TooDeep,
}

/// A text as it is meant, and where in the JSON each of its bytes stands if that is not next to each other.
struct Text {
    decoded: Option<(String, Vec<usize>)>,
}

impl Node {
    fn text<'a>(&'a self, json: &'a str) -> &'a str {
        match &self.kind {
            Kind::Text(Text { decoded: Some((decoded, _)) }) => decoded,
            _ => &json[self.range.clone()],
        }
    }

    fn is_empty(&self) -> bool {
        match &self.kind {
            Kind::Text(_) => self.range.is_empty(),
            Kind::List(nodes) => nodes.is_empty(),
            Kind::Object(fields) => fields.is_empty(),
            Kind::Constant => true,
            Kind::Number | Kind::TooDeep => false,
        }
    }
}

struct Walk<'a> {
    text: &'a str,
    keys: &'a Keys,
    more: More<'a>,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node, key: Option<&str>, depth: usize) {
        match &node.kind {
            Kind::Constant => {}
            Kind::TooDeep => self.push(node),
            Kind::Number => {
                if !(self.more)(&self.text[node.range.clone()], key).is_empty() {
                    self.push(node);
                }
            }
            Kind::Text(_) => self.text(node, key, depth),
            Kind::List(nodes) => {
                for (i, node) in nodes.iter().enumerate() {
                    let flag = i.checked_sub(1).map(|before| &nodes[before]);
                    match flag.filter(|flag| self.is_flag(flag, node)) {
                        Some(_) => self.push(node),
                        None => self.node(node, key, depth + 1),
                    }
                }
            }
            Kind::Object(fields) => self.object(fields, depth),
        }
    }

    fn object(&mut self, fields: &[(Node, Node)], depth: usize) {
        let named = ["name", "key", "header", "field"].into_iter().find_map(|wanted| {
            let is_wanted = |(key, value): &&(Node, Node)| {
                key.text(self.text).eq_ignore_ascii_case(wanted) && matches!(value.kind, Kind::Text(_))
            };
            fields.iter().find(is_wanted).map(|(_, value)| value)
        });
        for (key, value) in fields {
            let name = key.text(self.text).to_owned();
            self.text(key, None, depth);
            let is_value = name.eq_ignore_ascii_case("value") || name.eq_ignore_ascii_case("val");
            let of_pair = named.filter(|_| is_value).is_some_and(|named| self.is_told(named.text(self.text), value));
            match of_pair || self.is_told(&name, value) {
                true => self.push(value),
                false => self.node(value, Some(&name), depth + 1),
            }
        }
    }

    fn is_told(&self, key: &str, value: &Node) -> bool {
        let Some(class) = self.keys.class(key) else { return false };
        match &value.kind {
            _ if class == Class::Own => true,
            _ if value.is_empty() => false,
            Kind::Text(_) | Kind::Number => value::is_secret(class, value.text(self.text), Place::Alone),
            _ => class == Class::Strong,
        }
    }

    /// `["--token", "x"]`
    fn is_flag(&self, flag: &Node, value: &Node) -> bool {
        let text = |node: &Node| matches!(node.kind, Kind::Text(_)).then(|| node.text(self.text).to_owned());
        match (text(flag), text(value)) {
            (Some(flag), Some(text)) => flag.starts_with('-') && !text.starts_with('-') && self.is_told(&flag, value),
            _ => false,
        }
    }

    fn text(&mut self, node: &Node, key: Option<&str>, depth: usize) {
        let found = self.keys.find_in(node.text(self.text), key, self.more, depth + 1);
        let places = match &node.kind {
            Kind::Text(Text { decoded: Some((_, places)) }) => Some(places),
            _ => None,
        };
        let start = node.range.start;
        let place = |at: usize| places.map_or(start + at, |places| places.get(at).copied().unwrap_or(node.range.end));
        self.found.extend(found.into_iter().map(|found| found.within(place)));
    }

    fn push(&mut self, node: &Node) {
        self.found.push(match node.kind {
            Kind::Text(_) => Found::new(node.range.clone(), Category::Key),
            _ => Found::quoted(node.range.clone(), Category::Key),
        });
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Whether the next letter is this one, which is passed by then.
    fn takes(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        self.skip_blanks();
        let start = self.at;
        let kind = match self.peek()? {
            b'"' => return self.string(),
            b'{' | b'[' if depth >= MOST_DEEP => self.skip_brackets()?,
            b'{' => self.object(depth)?,
            b'[' => self.list(depth)?,
            b'-' | b'0'..=b'9' => {
                self.skip_while(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'));
                Kind::Number
            }
            _ => {
                self.skip_while(|byte| byte.is_ascii_alphabetic());
                matches!(&self.text[start..self.at], "true" | "false" | "null").then_some(Kind::Constant)?
            }
        };
        Some(Node { range: start..self.at, kind })
    }

    fn skip_while(&mut self, is: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&is) {
            self.at += 1;
        }
    }

    fn list(&mut self, depth: usize) -> Option<Kind> {
        self.at += 1;
        let mut nodes = Vec::new();
        if self.takes(b']') {
            return Some(Kind::List(nodes));
        }
        loop {
            nodes.push(self.value(depth + 1)?);
            match self.takes(b',') {
                true => {}
                false => return self.takes(b']').then_some(Kind::List(nodes)),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Kind> {
        self.at += 1;
        let mut fields = Vec::new();
        if self.takes(b'}') {
            return Some(Kind::Object(fields));
        }
        loop {
            self.skip_blanks();
            let key = self.string()?;
            if !self.takes(b':') {
                return None;
            }
            fields.push((key, self.value(depth + 1)?));
            match self.takes(b',') {
                true => {}
                false => return self.takes(b'}').then_some(Kind::Object(fields)),
            }
        }
    }

    fn skip_brackets(&mut self) -> Option<Kind> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(Kind::TooDeep);
            }
        }
    }

    fn string(&mut self) -> Option<Node> {
        if self.peek()? != b'"' {
            return None;
        }
        self.at += 1;
        let start = self.at;
        self.skip_while(|byte| !matches!(byte, b'"' | b'\\'));
        let decoded = match self.peek()? {
            b'"' => None,
            _ => Some(self.decode(start)?),
        };
        let range = start..self.at;
        self.at += 1;
        Some(Node { range, kind: Kind::Text(Text { decoded }) })
    }

    /// Reads on from the first backslash to the closing quote.
    fn decode(&mut self, start: usize) -> Option<(String, Vec<usize>)> {
        let mut text = self.text[start..self.at].to_owned();
        let mut places: Vec<usize> = (start..self.at).collect();
        loop {
            let place = self.at;
            let c = match self.text[self.at..].chars().next()? {
                '"' => {
                    places.push(place);
                    return Some((text, places));
                }
                '\\' => self.escape()?,
                c => {
                    self.at += c.len_utf8();
                    c
                }
            };
            text.push(c);
            places.extend(std::iter::repeat_n(place, c.len_utf8()));
        }
    }

    fn escape(&mut self) -> Option<char> {
        let letter = *self.text.as_bytes().get(self.at + 1)?;
        self.at += 2;
        Some(match letter {
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'"' | b'\\' | b'/' => char::from(letter),
            b'u' => {
                let high = self.unit()?;
                let is_pair = (0xd800..0xdc00).contains(&high) && self.text[self.at..].starts_with("\\u");
                let mut code = high;
                if is_pair {
                    self.at += 2;
                    // None that is half of a pair is a letter.
                    let low = self.unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400);
                    code = low.map_or(high, |low| 0x1_0000 + ((high - 0xd800) << 10) + low);
                }
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            _ => return None,
        })
    }

    fn unit(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}
