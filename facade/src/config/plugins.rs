//! What file and environment say about plugins.

use std::path::{Path, PathBuf};

use spandrel_plugin_api::config::{Reader, Value};
use spandrel_plugin_api::diagnostics::{Level, report};
use spandrel_plugin_api::{Error, ErrorKind};

use super::Origin;
use super::environment::Environment;
use crate::loader::{LoaderSettings, NamedPlugin, check_absolute, is_name, is_path, parse_digest};
use crate::setup::Settings;

/// Reads the keys about plugins; `place` says where a key stands.
pub(super) fn read(
    table: &mut Reader<'_>,
    origin: Origin,
    place: &dyn Fn(&str) -> String,
    settings: &mut Settings,
) -> Result<(), Error> {
    let mut proposal = Proposal::to(settings);
    if let Some(allow) = table.boolean("allow_plugins")? {
        proposal.allow(allow, place("allow_plugins"));
    }
    if let Some(dirs) = directories(table, "plugin_dirs")? {
        proposal.later.dirs = dirs;
        proposal.say("plugin_dirs", place);
    }
    if let Some(dirs) = directories(table, "plugin_allowed_dirs")? {
        proposal.later.allowed_dirs = dirs;
        proposal.say("plugin_allowed_dirs", place);
    }
    if let Some(owners) = owners(table)? {
        proposal.later.trusted_owners = owners;
        proposal.say("plugin_trusted_owners", place);
    }
    match table.value("plugin") {
        None => {}
        Some(Value::Table(tables)) => {
            for name in tables.keys() {
                let plugin = named(table, name, tables.get(name))?;
                proposal.later.named.entry(name.to_owned()).or_default().merge(plugin);
                proposal.say(&format!("plugin.{name}"), place);
            }
        }
        Some(_) => return Err(table.error("plugin", "`plugin` must be a table with one table for each plugin")),
    }
    proposal.make(origin, settings);
    Ok(())
}

/// Reads the variables about plugins.
pub(super) fn apply_environment(environment: &Environment<'_>, settings: &mut Settings) -> Result<(), Error> {
    let mut proposal = Proposal::to(settings);
    if let Some(allow) = environment.boolean("TRACING_ALLOW_PLUGINS")? {
        proposal.allow(allow, "TRACING_ALLOW_PLUGINS".to_owned());
    }
    if let Some(text) = environment.text("SPANDREL_PLUGIN_PATH") {
        // An empty entry comes from `$SPANDREL_PLUGIN_PATH:/more`. It does not mean the working directory.
        let dirs: Vec<PathBuf> = std::env::split_paths(text).filter(|dir| !dir.as_os_str().is_empty()).collect();
        if let Some(expected) = dirs.iter().find_map(|dir| check_absolute(dir).err()) {
            let message = format!("each directory in the environment variable SPANDREL_PLUGIN_PATH {expected}");
            return Err(Error::new(ErrorKind::ConfigInvalid, message));
        }
        proposal.later.path = dirs;
        proposal.given.push("SPANDREL_PLUGIN_PATH".to_owned());
    }
    for (variable, value) in environment.with_prefix(PREFIX) {
        let (name, plugin) = named_by_variable(variable, value)?;
        proposal.later.named.entry(name).or_default().merge(plugin);
        proposal.given.push(variable.to_owned());
    }
    proposal.make(Origin::Starter, settings);
    Ok(())
}

/// Settings that count only if who says them may say them.
struct Proposal {
    later: LoaderSettings,
    /// What they are and where they stand.
    given: Vec<String>,
    switched_off: Option<String>,
}

impl Proposal {
    fn to(settings: &Settings) -> Self {
        Self { later: settings.loader.clone(), given: Vec::new(), switched_off: None }
    }

    fn allow(&mut self, allow: bool, place: String) {
        if allow {
            self.later.switched_off = None;
            self.given.push(format!("allow_plugins = true ({place})"));
        } else {
            self.switched_off = Some(place);
        }
    }

    fn say(&mut self, key: &str, place: &dyn Fn(&str) -> String) {
        self.given.push(format!("{key} ({})", place(key)));
    }

    fn make(self, origin: Origin, settings: &mut Settings) {
        if may_not(&settings.loader, origin) {
            settings.loader.ignored.extend(self.given);
        } else {
            settings.loader = self.later;
        }
        // Only takes something away, so whoever says it is believed.
        if self.switched_off.is_some() {
            settings.loader.switched_off = self.switched_off;
        }
    }
}

/// `TRACING_PLUGIN__<NAME>__FILE`, `__PROVIDER` and `__SHA256`.
pub(super) const PREFIX: &str = "TRACING_PLUGIN__";

/// Sets the providers; paths of libraries only if who says it may name them.
pub(super) fn set_types(mut names: Vec<String>, origin: Origin, place: &str, settings: &mut Settings) {
    if may_not(&settings.loader, origin) {
        let ignored = names.extract_if(.., |name| is_path(name)).collect::<Vec<_>>();
        settings.loader.ignored.extend(ignored.iter().map(|path| format!("{path} ({place})")));
        if names.is_empty() && !ignored.is_empty() {
            return;
        }
    }
    settings.types = names;
}

/// Says which settings were left out.
pub(super) fn report_ignored(settings: &Settings) {
    if let Some(warning) = warning(&settings.loader) {
        report(Level::Warning, &warning);
    }
}

fn warning(loader: &LoaderSettings) -> Option<String> {
    let ignored = loader.ignored.join(", ");
    (!ignored.is_empty()).then(|| {
        format!(
            "this process has more rights than the user who started it, so what the environment, and a file found \
             through it, say about plugins is ignored: {ignored}; set it in the program, with `default_config`"
        )
    })
}

fn may_not(loader: &LoaderSettings, origin: Origin) -> bool {
    loader.elevated && origin == Origin::Starter
}

fn directories(table: &mut Reader<'_>, key: &'static str) -> Result<Option<Vec<PathBuf>>, Error> {
    let Some(texts) = table.texts(key)? else { return Ok(None) };
    if texts.is_empty() && key == "plugin_allowed_dirs" {
        let message = format!("`{key}` is empty, which would allow no plugin; write `allow_plugins = false`");
        return Err(table.error(key, message));
    }
    let dirs: Vec<PathBuf> = texts.into_iter().map(PathBuf::from).collect();
    match dirs.iter().find_map(|dir| check_absolute(dir).err()) {
        Some(expected) => Err(table.error(key, format!("each directory in `{key}` {expected}"))),
        None => Ok(Some(dirs)),
    }
}

fn owners(table: &mut Reader<'_>) -> Result<Option<Vec<u32>>, Error> {
    let key = "plugin_trusted_owners";
    let values = match table.value(key) {
        None => return Ok(None),
        Some(Value::List(values)) => values,
        Some(_) => return Err(table.error(key, format!("`{key}` must be a list of user names or numbers"))),
    };
    let owner = |value: &Value| match value {
        Value::Integer(id) => u32::try_from(*id).map_err(|_| format!("`{key}` holds {id}, which is no user number")),
        Value::Text(name) => user_id(name).ok_or_else(|| {
            format!("`{key}` names a user `{name}`, who is not in /etc/passwd; write the number of the user instead")
        }),
        other => Err(format!("`{key}` must be a list of user names or numbers, not {other}")),
    };
    values.iter().map(owner).collect::<Result<_, _>>().map(Some).map_err(|message| table.error(key, message))
}

/// The number of a user. Read from the file, because asking the system's name
/// service may load its plugins, or wait for a network.
fn user_id(name: &str) -> Option<u32> {
    if let Ok(id) = name.parse() {
        return Some(id);
    }
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let fields = |line: &str| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    };
    users.lines().find_map(fields)
}

/// The table `[plugin.<name>]`.
fn named(plugins: &Reader<'_>, name: &str, value: Option<&Value>) -> Result<NamedPlugin, Error> {
    let Some(Value::Table(table)) = value else {
        return Err(plugins.error(&format!("plugin.{name}"), format!("`plugin.{name}` must be a table")));
    };
    if !is_name(name) {
        return Err(plugins.error(&format!("plugin.{name}"), bad_name(name)));
    }
    let read = Reader::read(table, |table| {
        let mut plugin = NamedPlugin { linked: table.boolean("linked")?, ..NamedPlugin::default() };
        for key in ["provider", "file", "sha256"] {
            if let Some(text) = table.text(key)? {
                set_key(&mut plugin, key, text).map_err(|expected| table.error(key, format!("`{key}` {expected}")))?;
            }
        }
        let message = match (&plugin.provider, &plugin.file, &plugin.sha256) {
            (Some(_), Some(_), _) => "either `provider` or `file` can be set, not both".to_owned(),
            (Some(provider), _, Some(_)) => format!("`sha256` belongs into `[plugin.{provider}]`, beside its `file`"),
            _ => return Ok(plugin),
        };
        Err(table.error(if plugin.file.is_some() { "file" } else { "sha256" }, message))
    });
    read.map_err(|error| {
        let key = error.context("key").unwrap_or_default();
        plugins.error(&format!("plugin.{name}.{key}"), error.message())
    })
}

const KEYS: [&str; 4] = ["provider", "file", "sha256", "linked"];

/// Sets one key of `[plugin.<name>]`, or says what it must be.
fn set_key(plugin: &mut NamedPlugin, key: &str, text: &str) -> Result<(), String> {
    match key {
        "provider" if is_name(text) => plugin.provider = Some(text.to_owned()),
        "provider" => return Err(format!("must be the name of a provider, not `{text}`; for a path use `file`")),
        "file" => {
            check_absolute(Path::new(text))?;
            plugin.file = Some(PathBuf::from(text));
        }
        "linked" => match text.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => plugin.linked = Some(true),
            "false" | "0" | "no" | "off" => plugin.linked = Some(false),
            _ => return Err(format!("must be true or false, not `{text}`")),
        },
        _ => plugin.sha256 = Some(parse_digest(text)?),
    }
    Ok(())
}

fn named_by_variable(variable: &str, value: &str) -> Result<(String, NamedPlugin), Error> {
    let path = variable[PREFIX.len()..].to_lowercase();
    let Some((name, key)) = path.rsplit_once("__").filter(|(_, key)| KEYS.contains(key)) else {
        let message = format!(
            "the environment variable {variable} means nothing; it must be {PREFIX}<NAME>__FILE, __PROVIDER, __LINKED or __SHA256"
        );
        return Err(Error::new(ErrorKind::ConfigInvalid, message));
    };
    if !is_name(name) {
        let message = format!("the environment variable {variable}: {}", bad_name(name));
        return Err(Error::new(ErrorKind::ConfigInvalid, message));
    }
    let mut plugin = NamedPlugin::default();
    set_key(&mut plugin, key, value).map_err(|expected| {
        Error::new(ErrorKind::ConfigInvalid, format!("the environment variable {variable} {expected}"))
    })?;
    Ok((name.to_owned(), plugin))
}

fn bad_name(name: &str) -> String {
    format!("the name of a plugin may have a-z, 0-9, `_` and `-` only, not `{name}`")
}

#[cfg(all(test, unix))]
mod tests;
