use std::collections::BTreeMap;

use spandrel_plugin_api::config::{Positions, Table, Value};
use spandrel_plugin_api::{Error, ErrorKind};

/// The tables `[provider.<name>]`, kept untouched for the providers, and where
/// their keys were set.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProviderTables {
    tables: Table,
    /// `provider.file.path` to `spandrel.toml:3:1`, or to the name of a variable.
    origins: Positions,
}

impl ProviderTables {
    /// Adds tables; a key that is there already gets the new value.
    pub(super) fn merge(&mut self, tables: Table, origins: Positions) {
        self.tables.merge(tables);
        self.origins.extend(origins);
    }

    /// Sets `provider.<path>` from a variable.
    pub(super) fn set(&mut self, path: &[&str], value: &str, variable: &str) {
        self.tables.set(path, guess(value));
        self.origins.insert(format!("provider.{}", path.join(".")), variable.to_owned());
    }

    /// The providers that somebody has made tables for. What stands in variables of
    /// OpenTelemetry is meant for all programs, also for those without the provider.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let is_ours = |(path, origin): (&String, &String), name: &str| {
            let path = path.strip_prefix("provider.").and_then(|path| path.strip_prefix(name));
            path.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) && !origin.starts_with("OTEL_")
        };
        self.tables.keys().filter(move |name| self.origins.iter().any(|origin| is_ours(origin, name)))
    }

    /// The table of a provider as TOML text.
    pub(crate) fn text(&self, name: &str) -> Result<String, Error> {
        match self.tables.get(name) {
            None => Ok(String::new()),
            Some(Value::Table(table)) => Ok(table.to_string()),
            Some(_) => {
                let message = format!("`provider.{name}` must be a table of settings");
                Err(Error::new(ErrorKind::ConfigInvalid, message))
            }
        }
    }

    /// What set a key of a provider.
    pub(super) fn origin(&self, name: &str, key: &str) -> Option<&str> {
        self.origins.get(&format!("provider.{name}.{key}")).map(String::as_str)
    }

    /// Adds to a provider's error where its key was set.
    pub(crate) fn locate(&self, name: &str, error: Error) -> Error {
        // An unknown provider is not made better by its own name.
        if error.kind() == ErrorKind::ProviderNotFound {
            return error;
        }
        let origin = error.context("key").and_then(|key| self.origin(name, key)).map(str::to_owned);
        let error = match origin {
            Some(origin) => error.with_context("at", origin),
            None => error,
        };
        error.with_context("provider", name)
    }
}

/// The tables that crates on top of the facade read, each by its name.
pub(crate) const SECTIONS: [&str; 2] = ["ai", "prices"];

/// The tables of [`SECTIONS`], and where their keys were set.
#[derive(Debug, Clone, Default)]
pub(crate) struct SectionTables {
    tables: Table,
    /// `ai.content` to `spandrel.toml:3:1`, or to the name of a variable.
    origins: Positions,
}

impl SectionTables {
    /// Adds what a document says; a key that is there already gets the new value.
    pub(super) fn merge(&mut self, name: &str, table: Table, origins: &Positions) {
        let mut tables = Table::default();
        tables.set(&[name], Value::Table(table));
        self.tables.merge(tables);
        self.origins.extend(origins.clone());
    }

    /// Sets a key from a variable.
    pub(super) fn set(&mut self, path: &[&str], value: &str, variable: &str) {
        self.tables.set(path, guess(value));
        self.origins.insert(path.join("."), variable.to_owned());
    }

    /// All of them in one.
    pub(crate) const fn tables(&self) -> &Table {
        &self.tables
    }

    /// What set a key.
    pub(crate) fn origin(&self, key: &str) -> &str {
        self.origins.get(key).map_or("", String::as_str)
    }

    /// Each table as TOML text.
    pub(crate) fn texts(&self) -> BTreeMap<String, String> {
        let text = |name: &&str| match self.tables.get(name) {
            Some(Value::Table(table)) => Some(((*name).to_owned(), table.to_string())),
            _ => None,
        };
        SECTIONS.iter().filter_map(text).collect()
    }
}

/// A variable is text; numbers and booleans are taken for what they look like.
fn guess(value: &str) -> Value {
    // `007` is a password rather than a number, and must not lose its zeros.
    if let Ok(number) = value.parse::<i64>()
        && number.to_string() == value
    {
        return Value::Integer(number);
    }
    match value {
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        _ => match value.parse() {
            Ok(number) if value.contains('.') => Value::Float(number),
            _ => Value::Text(value.to_owned()),
        },
    }
}
