//! Configuration tables: TOML read into types, with errors a person can act on.
//!
//! A provider gets its table as TOML text. It reads it with [`parse`] into a type
//! that says how it is read:
//!
//! ```
//! use spandrel_plugin_api::Error;
//! use spandrel_plugin_api::config::{self, FromTable, Reader};
//!
//! struct Config { path: String, keep: u32 }
//!
//! impl FromTable for Config {
//!     fn from_table(table: &mut Reader<'_>) -> Result<Self, Error> {
//!         Ok(Self {
//!             path: table.text("path")?.unwrap_or("traces.jsonl").to_owned(),
//!             keep: table.integer("keep")?.unwrap_or(10),
//!         })
//!     }
//! }
//!
//! let config: Config = config::parse("path = '/tmp/x'").unwrap();
//! assert_eq!((config.path.as_str(), config.keep), ("/tmp/x", 10));
//!
//! let error = config::parse::<Config>("paht = 'x'").err().unwrap();
//! assert_eq!(error.context("key"), Some("paht"));
//! assert!(error.message().contains("did you mean `path`?"));
//! ```
//!
//! By hand rather than with serde's derive, because compiling that costs every
//! service more than the rest of the facade. A provider that uses serde anyway
//! takes `deserialize` with the feature `serde`.

mod table;

pub use table::{Positions, Table, Value};

use crate::suggest::nearest;
use crate::{Error, ErrorKind};

/// A type that is read from a table.
pub trait FromTable: Sized {
    /// Reads what it knows; keys that it never asks for are errors afterwards.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConfigInvalid`], with the key in the context `key`.
    fn from_table(table: &mut Reader<'_>) -> Result<Self, Error>;
}

/// Reads a provider's table, the TOML text that its factory was given.
///
/// # Errors
///
/// [`ErrorKind::ConfigInvalid`] that says what is wrong, with the offending key
/// in the context `key`, and for an unknown key the nearest known one.
pub fn parse<T: FromTable>(text: &str) -> Result<T, Error> {
    let (table, _) = Table::parse(text, "configuration")?;
    Reader::read(&table, T::from_table)
}

/// Reads a provider's table into a type that derives `Deserialize`, best with
/// `#[serde(deny_unknown_fields, default)]`.
///
/// # Errors
///
/// [`ErrorKind::ConfigInvalid`] with what serde says.
#[cfg(feature = "serde")]
pub fn deserialize<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Error> {
    toml::from_str(text).map_err(|error| {
        let message = error.message().replace('\n', " ");
        // serde knows the name of a missing key, and the parser where any other stands.
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        let start = error.span().map_or(0, |span| span.start);
        let key = match missing {
            Some(key) => {
                Some(table::table_at(text, start).map_or_else(|| key.to_owned(), |table| format!("{table}.{key}")))
            }
            None => table::key_at(text, start),
        };
        let error = Error::new(ErrorKind::ConfigInvalid, message);
        match key {
            Some(key) => error.with_context("key", key),
            None => error,
        }
    })
}

/// Reads one table and remembers which keys it was asked for.
#[derive(Debug)]
pub struct Reader<'a> {
    table: &'a Table,
    /// `rotate.` within the table of that name.
    prefix: String,
    asked: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    /// Reads a whole table; keys that `read` never asks for are errors.
    ///
    /// # Errors
    ///
    /// Those of `read`, and [`ErrorKind::ConfigInvalid`] for an unknown key.
    pub fn read<R>(table: &'a Table, read: impl FnOnce(&mut Self) -> Result<R, Error>) -> Result<R, Error> {
        Self::read_part(table, String::new(), read)
    }

    fn read_part<R>(
        table: &'a Table,
        prefix: String,
        read: impl FnOnce(&mut Self) -> Result<R, Error>,
    ) -> Result<R, Error> {
        let mut reader = Self { table, prefix, asked: Vec::new() };
        let result = read(&mut reader)?;
        reader.finish()?;
        Ok(result)
    }

    /// A text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConfigInvalid`] if it is something else; so with the others.
    pub fn text(&mut self, key: &'static str) -> Result<Option<&'a str>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(other) => Err(self.expected(key, "a text", other)),
        }
    }

    /// True or false.
    ///
    /// # Errors
    ///
    /// As [`text`](Self::text).
    pub fn boolean(&mut self, key: &'static str) -> Result<Option<bool>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Boolean(value)) => Ok(Some(*value)),
            Some(other) => Err(self.expected(key, "true or false", other)),
        }
    }

    /// A whole number that fits the type.
    ///
    /// # Errors
    ///
    /// As [`text`](Self::text), and if the number does not fit.
    pub fn integer<T: TryFrom<i64>>(&mut self, key: &'static str) -> Result<Option<T>, Error> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let number = match value {
            Value::Integer(number) => T::try_from(*number).ok(),
            _ => None,
        };
        let unsigned = T::try_from(-1).is_err();
        let expected = if unsigned { "a whole number from 0 up" } else { "a whole number" };
        number.map(Some).ok_or_else(|| self.expected(key, expected, value))
    }

    /// A number.
    ///
    /// # Errors
    ///
    /// As [`text`](Self::text).
    pub fn float(&mut self, key: &'static str) -> Result<Option<f64>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Float(value)) => Ok(Some(*value)),
            Some(Value::Integer(value)) => Ok(Some(*value as f64)),
            Some(other) => Err(self.expected(key, "a number", other)),
        }
    }

    /// One of several words.
    ///
    /// # Errors
    ///
    /// As [`text`](Self::text), and if it is none of the words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Result<Option<T>, Error> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let chosen = choices.iter().find(|(word, _)| *value == **word).map(|(_, chosen)| *chosen);
        chosen.map(Some).ok_or_else(|| {
            let words: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
            self.expected(key, &words.join(" or "), value)
        })
    }

    /// A list of texts.
    ///
    /// # Errors
    ///
    /// As [`text`](Self::text).
    pub fn texts(&mut self, key: &'static str) -> Result<Option<Vec<String>>, Error> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let text = |value: &Value| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        let texts = match value {
            Value::List(values) => values.iter().map(text).collect(),
            _ => None,
        };
        texts.map(Some).ok_or_else(|| self.expected(key, "a list of texts", value))
    }

    /// A table within this one.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and if it is no table.
    pub fn table<R>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'a>) -> Result<R, Error>,
    ) -> Result<Option<R>, Error> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Table(table)) => Self::read_part(table, format!("{}{key}.", self.prefix), read).map(Some),
            Some(other) => Err(self.expected(key, "a table", other)),
        }
    }

    /// A list of tables.
    ///
    /// # Errors
    ///
    /// As [`table`](Self::table).
    pub fn tables<R>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Reader<'a>) -> Result<R, Error>,
    ) -> Result<Option<Vec<R>>, Error> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let Value::List(values) = value else { return Err(self.expected(key, "a list of tables", value)) };
        let each = values.iter().map(|value| match value {
            Value::Table(table) => Self::read_part(table, format!("{}{key}.", self.prefix), &mut read),
            other => Err(self.expected(key, "a list of tables", other)),
        });
        each.collect::<Result<_, _>>().map(Some)
    }

    /// Whatever stands there.
    pub fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.asked.push(key);
        self.table.get(key)
    }

    /// An error about a key of this table.
    #[must_use]
    pub fn error(&self, key: &str, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::ConfigInvalid, message).with_context("key", format!("{}{key}", self.prefix))
    }

    fn expected(&self, key: &str, expected: &str, found: &Value) -> Error {
        self.error(key, format!("`{key}` must be {expected}, not {found}"))
    }

    fn finish(self) -> Result<(), Error> {
        let Some(unknown) = self.table.keys().find(|key| !self.asked.contains(key)) else { return Ok(()) };
        let meant = nearest(unknown, self.asked.iter().copied());
        let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
        let message = format!("unknown configuration key `{unknown}`{meant} (known here: {})", self.asked.join(", "));
        Err(self.error(unknown, message))
    }
}

#[cfg(test)]
mod tests {
    use super::{Reader, Table};
    use crate::Error;

    type Read = (Option<u8>, Option<bool>, Vec<f64>);

    fn read(text: &str) -> Result<Read, Error> {
        let (table, _) = Table::parse(text, "x.toml")?;
        Reader::read(&table, |table| {
            let small = table.integer("small")?;
            let on = table.choice("on", &[("yes", true), ("no", false)])?;
            let rates = table.tables("rule", |rule| Ok(rule.float("rate")?.unwrap_or(1.0)))?;
            table.table("inner", |inner| inner.texts("names"))?;
            Ok((small, on, rates.unwrap_or_default()))
        })
    }

    #[test]
    fn what_is_there_is_read() {
        let text = "small = 0xff\non = 'no'\n[[rule]]\nrate = 2\n[[rule]]\n[inner]\nnames = ['a', 'b']";
        assert_eq!(read(text).unwrap(), (Some(255), Some(false), vec![2.0, 1.0]));
        assert_eq!(read("").unwrap(), (None, None, vec![]));
    }

    #[test]
    fn mistakes_name_the_key_and_what_is_possible() {
        for (text, key, message) in [
            ("small = 256", "small", "`small` must be a whole number from 0 up, not 256"),
            ("small = 'x'", "small", "`small` must be a whole number from 0 up, not \"x\""),
            ("on = 'maybe'", "on", "`on` must be \"yes\" or \"no\", not \"maybe\""),
            (
                "smal = 1",
                "smal",
                "unknown configuration key `smal`; did you mean `small`? (known here: small, on, rule, inner)",
            ),
            ("rule = 3", "rule", "`rule` must be a list of tables, not 3"),
            (
                "[[rule]]\nrat = 1",
                "rule.rat",
                "unknown configuration key `rat`; did you mean `rate`? (known here: rate)",
            ),
            ("[inner]\nnames = [1]", "inner.names", "`names` must be a list of texts, not [1]"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!((error.context("key"), error.message()), (Some(key), message), "{text}");
        }
    }
}
