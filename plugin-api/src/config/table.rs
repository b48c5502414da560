use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::{Error, ErrorKind};

/// A table of settings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table(BTreeMap<String, Value>);

/// The value of a setting.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "what TOML has; dates are texts here")]
pub enum Value {
    /// A text, or a date.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// Several values.
    List(Vec<Value>),
    /// Settings below a name.
    Table(Table),
}

/// Where the keys of a text stand: `provider.file.path` to `spandrel.toml:3:1`.
pub type Positions = BTreeMap<String, String>;

impl Table {
    /// Reads TOML; `name` is that of the file, for positions in messages.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConfigInvalid`] that says what is wrong, with line and column.
    pub fn parse(text: &str, name: &str) -> Result<(Self, Positions), Error> {
        let document = DeTable::parse(text).map_err(|error| {
            let place = position(text, name, error.span().map_or(0, |span| span.start));
            let message = format!("{place}: {}", error.message().replace('\n', " "));
            Error::new(ErrorKind::ConfigInvalid, message)
        })?;
        let mut positions = Positions::new();
        let table = convert(document.get_ref(), "", &mut |path, offset| {
            positions.entry(path).or_insert_with(|| position(text, name, offset));
        });
        Ok((table, positions))
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// All keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Sets a value; tables on the way are made.
    pub fn set(&mut self, path: &[&str], value: Value) {
        match path {
            [] => {}
            [key] => drop(self.0.insert((*key).to_owned(), value)),
            [key, rest @ ..] => {
                let entry = self.0.entry((*key).to_owned()).or_insert_with(|| Value::Table(Self::default()));
                if !matches!(entry, Value::Table(_)) {
                    *entry = Value::Table(Self::default());
                }
                if let Value::Table(table) = entry {
                    table.set(rest, value);
                }
            }
        }
    }

    /// Adds the settings of another table, which win.
    pub fn merge(&mut self, other: Self) {
        for (key, value) in other.0 {
            match (self.0.get_mut(&key), value) {
                (Some(Value::Table(known)), Value::Table(table)) => known.merge(table),
                (_, value) => drop(self.0.insert(key, value)),
            }
        }
    }

    /// Changes every text in it, at any depth.
    ///
    /// # Errors
    ///
    /// The first one of `change`, which is told the path of the text's key.
    pub fn try_map_texts(&mut self, change: &mut dyn FnMut(&str, &str) -> Result<String, Error>) -> Result<(), Error> {
        self.map_texts("", change)
    }

    fn map_texts(
        &mut self,
        prefix: &str,
        change: &mut dyn FnMut(&str, &str) -> Result<String, Error>,
    ) -> Result<(), Error> {
        let each = |(key, value): (&String, &mut Value)| value.map_texts(&format!("{prefix}{key}"), change);
        self.0.iter_mut().try_for_each(each)
    }
}

impl Value {
    fn map_texts(
        &mut self,
        path: &str,
        change: &mut dyn FnMut(&str, &str) -> Result<String, Error>,
    ) -> Result<(), Error> {
        match self {
            Self::Text(text) => *text = change(path, text)?,
            Self::List(values) => values.iter_mut().try_for_each(|value| value.map_texts(path, change))?,
            Self::Table(table) => table.map_texts(&format!("{path}."), change)?,
            _ => {}
        }
        Ok(())
    }
}

impl PartialEq<str> for Value {
    fn eq(&self, other: &str) -> bool {
        matches!(self, Self::Text(text) if text == other)
    }
}

/// As TOML: one `key = value` a line, tables within in braces.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(key, value)| writeln!(f, "{} = {value}", written_key(key)))
    }
}

/// As TOML on one line.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Integer(number) => write!(f, "{number}"),
            // TOML has `nan` and `inf`; finite numbers need a point or an exponent.
            Self::Float(number) if number.is_nan() => f.write_str("nan"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::List(values) => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", values.join(", "))
            }
            Self::Table(table) => {
                let pairs = table.0.iter().map(|(key, value)| format!("{} = {value}", written_key(key)));
                write!(f, "{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// A key as a person would write it.
fn written_key(key: &str) -> Cow<'_, str> {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if is_bare { Cow::Borrowed(key) } else { Cow::Owned(quoted(key)) }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The path of the key that stands last before the offset.
#[cfg(feature = "serde")]
pub(super) fn key_at(text: &str, offset: usize) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let mut last: Option<(usize, String)> = None;
    convert(document.get_ref(), "", &mut |path, start| {
        if start <= offset && last.as_ref().is_none_or(|(before, _)| *before <= start) {
            last = Some((start, path));
        }
    });
    last.map(|(_, path)| path)
}

/// The path of the table that begins at the offset; `None` for the whole text.
#[cfg(feature = "serde")]
pub(super) fn table_at(text: &str, offset: usize) -> Option<String> {
    fn find(table: &DeTable<'_>, prefix: &str, offset: usize) -> Option<String> {
        table.iter().find_map(|(key, value)| {
            let path = format!("{prefix}{}", key.get_ref());
            let DeValue::Table(inner) = value.get_ref() else { return None };
            find(inner, &format!("{path}."), offset).or_else(|| (value.span().start == offset).then_some(path))
        })
    }
    find(DeTable::parse(text).ok()?.get_ref(), "", offset)
}

/// Calls `visit` with the path and the offset of every key.
fn convert(table: &DeTable<'_>, prefix: &str, visit: &mut dyn FnMut(String, usize)) -> Table {
    let entry = |(key, value): (&Spanned<Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        let path = format!("{prefix}{}", key.get_ref());
        visit(path.clone(), key.span().start);
        (key.get_ref().to_string(), convert_value(value.get_ref(), &path, visit))
    };
    Table(table.iter().map(entry).collect())
}

fn convert_value(value: &DeValue<'_>, path: &str, visit: &mut dyn FnMut(String, usize)) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            // Out of range: no setting is that large, and the message shows it.
            Err(_) => Value::Text(number.to_string()),
        },
        DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(values) => {
            Value::List(values.iter().map(|value| convert_value(value.get_ref(), path, visit)).collect())
        }
        DeValue::Table(table) => Value::Table(convert(table, &format!("{path}."), visit)),
    }
}

/// `spandrel.toml:3:1`, counted from 1.
fn position(text: &str, name: &str, offset: usize) -> String {
    let before = &text[..offset.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    format!("{name}:{line}:{column}")
}

#[cfg(test)]
mod tests {
    use super::{Table, Value};

    #[test]
    fn a_table_survives_its_own_text() {
        let text = "a = \"x\\\"\\u0007\\n\"\nb = 1_000\nc = -1.5e300\nd = true\nlist = [1, 'a', [nan]]\n\
                    \"strange key\" = 0x10\n[t.u]\nv = 1979-05-27\nw = inf\n";
        let (table, positions) = Table::parse(text, "x").unwrap();
        let (again, _) = Table::parse(&table.to_string(), "x").unwrap();
        assert_eq!(format!("{again:?}"), format!("{table:?}"));
        assert_eq!(table.get("b"), Some(&Value::Integer(1000)));
        assert_eq!((positions["t.u.v"].as_str(), positions["b"].as_str()), ("x:8:1", "x:2:1"));
    }

    #[test]
    fn tables_merge_and_are_set_by_path() {
        let (mut table, _) = Table::parse("a = 1\n[t]\nb = 1\nc = 1", "x").unwrap();
        let (other, _) = Table::parse("a = 2\n[t]\nc = 2\nd = 2", "x").unwrap();
        table.merge(other);
        table.set(&["t", "e", "f"], Value::Boolean(true));
        table.set(&["a", "g"], Value::Integer(3));
        assert_eq!(table.to_string(), "a = { g = 3 }\nt = { b = 1, c = 2, d = 2, e = { f = true } }\n");
    }

    #[test]
    fn a_mistake_is_told_with_line_and_column() {
        let error = Table::parse("a = 1\nb = ", "x.toml").unwrap_err();
        assert!(error.message().starts_with("x.toml:2:5: "), "{error}");
    }
}
