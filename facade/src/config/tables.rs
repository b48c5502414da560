use std::collections::BTreeMap;

use spandrel_plugin_api::{Error, ErrorKind};

/// The tables `[provider.<name>]`, kept untouched for the providers, and where
/// in the file their keys stand.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProviderTables {
    tables: toml::Table,
    /// `provider.file.path` to `spandrel.toml:3:1`, or to the name of a variable.
    origins: BTreeMap<String, String>,
}

impl ProviderTables {
    /// Adds tables; a key that is there already gets the new value.
    pub(super) fn merge(&mut self, tables: toml::Table, origins: BTreeMap<String, String>) {
        merge(&mut self.tables, tables);
        self.origins.extend(origins);
    }

    /// Sets `provider.<name>.<path>` from a variable.
    pub(super) fn set(&mut self, name: &str, path: &[String], value: &str, variable: &str) {
        let mut table = entry(&mut self.tables, name);
        let Some((key, parents)) = path.split_last() else { return };
        for parent in parents {
            table = entry(table, parent);
        }
        table.insert(key.clone(), guess(value));
        self.origins.insert(format!("provider.{name}.{}", path.join(".")), variable.to_owned());
    }

    /// The table of a provider as TOML text.
    pub(crate) fn text(&self, name: &str) -> Result<String, Error> {
        let Some(table) = self.tables.get(name) else { return Ok(String::new()) };
        toml::to_string(table).map_err(|error| {
            let message = format!("`provider.{name}` must be a table of settings");
            Error::new(ErrorKind::ConfigInvalid, message).with_source(error)
        })
    }

    /// Adds to a provider's error where its key was set.
    pub(crate) fn locate(&self, name: &str, error: Error) -> Error {
        let prefix = format!("provider.{name}");
        let key = error.context("key").map(|key| key.replace('"', ""));
        let path = key.map(|key| format!("{prefix}.{key}"));
        let found = path.as_ref().and_then(|path| {
            let ends = |known: &String| {
                known == path || known.strip_prefix(&prefix).is_some_and(|rest| rest.ends_with(&path[prefix.len()..]))
            };
            self.origins.iter().find(|(known, _)| ends(known)).map(|(_, origin)| origin.clone())
        });
        // An unknown provider is not made better by its own name.
        if error.kind() == ErrorKind::ProviderNotFound {
            return error;
        }
        let error = match found {
            Some(origin) => error.with_context("at", origin),
            None => error,
        };
        error.with_context("provider", name)
    }
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(known)), toml::Value::Table(table)) => merge(known, table),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

fn entry<'a>(table: &'a mut toml::Table, key: &str) -> &'a mut toml::Table {
    let value = table.entry(key.to_owned()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if !value.is_table() {
        *value = toml::Value::Table(toml::Table::new());
    }
    match value {
        toml::Value::Table(table) => table,
        _ => unreachable!("made a table right above"),
    }
}

/// A variable is text; numbers and booleans are taken for what they look like.
fn guess(value: &str) -> toml::Value {
    if let Ok(number) = value.parse::<i64>() {
        return toml::Value::Integer(number);
    }
    match value {
        "true" => toml::Value::Boolean(true),
        "false" => toml::Value::Boolean(false),
        _ => value.parse::<f64>().ok().filter(|_| value.contains('.')).map_or_else(|| value.into(), toml::Value::Float),
    }
}
