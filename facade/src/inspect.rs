//! What a configuration comes to, for the command `spandrel`.
//!
//! Not for services: it may change with any version.

use std::path::Path;

use spandrel_plugin_api::config::{Table, Value};
use spandrel_plugin_api::{Attribute, Error, ErrorKind, Value as Attributed};

use crate::config::{FileSource, Source, place_endpoint};
#[cfg(feature = "dylib")]
pub use crate::loader::inspect::{FoundPlugin, PluginPlace};
use crate::plugins;
use crate::redaction::{REDACTED, Redaction};
use crate::registry::Registry;
use crate::setup::Settings;

/// What file and environment say together, checked.
pub struct Configuration {
    pub(crate) settings: Settings,
    registry: Registry,
}

/// Reads the configuration as [`init`](crate::init) does, or with another file.
///
/// # Errors
///
/// Those of [`init`](crate::init) about settings of the facade. Those of providers are
/// checked by [`Configuration::check_provider`].
pub fn configuration(file: Option<&Path>) -> Result<Configuration, Error> {
    let mut settings = Settings::default();
    let file = file.map_or(FileSource::Standard, |path| FileSource::Path(path.to_owned()));
    Source { defaults: None, file, environment: true }.apply(&mut settings)?;
    place_endpoint(&mut settings)?;
    Ok(Configuration { settings, registry: Registry::linked() })
}

impl Configuration {
    /// The names of the providers in use.
    #[must_use]
    pub fn types(&self) -> &[String] {
        &self.settings.types
    }

    /// Whether anything is recorded at all.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.settings.enabled
    }

    /// A table that a crate on top of the facade reads, as [`Tracer::section`](crate::Tracer::section) has it.
    #[must_use]
    pub fn section(&self, name: &str) -> String {
        self.settings.sections.texts().remove(name).unwrap_or_default()
    }

    /// Whether a provider is linked into this program under this name.
    #[must_use]
    pub fn is_linked(&self, name: &str) -> bool {
        !plugins::is_plugin(name, &self.settings) && self.linked(plugins::provider_of(name, &self.settings)).is_ok()
    }

    /// The provider that a name in use means: itself, or that of `[plugin.<name>]`.
    #[must_use]
    pub fn provider_of<'a>(&'a self, name: &'a str) -> &'a str {
        plugins::provider_of(name, &self.settings)
    }

    /// Checks the settings of a linked provider, without starting it.
    ///
    /// # Errors
    ///
    /// What is wrong with them and where; [`ErrorKind::ProviderNotFound`] if no
    /// such provider is linked, and [`ErrorKind::Unsupported`] if it cannot tell.
    pub fn check_provider(&self, name: &str) -> Result<(), Error> {
        let factory = self.linked(plugins::provider_of(name, &self.settings))?;
        let table = self.settings.providers.text(name)?;
        factory.validate(&table).map_err(|error| self.settings.providers.locate(name, error))
    }

    fn linked(&self, word: &str) -> Result<std::sync::Arc<dyn crate::ProviderFactory>, Error> {
        // Without plugins, whose libraries this would open.
        let settings = Settings::default();
        #[cfg(feature = "dylib")]
        let settings = {
            let mut settings = settings;
            settings.loader.switched_off = Some("this check".to_owned());
            settings
        };
        self.registry.factory(word, &settings)
    }

    /// The settings of the facade by their keys in the file, as TOML, secrets
    /// removed. What has no default and is not set is not there; nor are the rules
    /// of a sampler, which stand in the file.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let Settings { resource, recorder, .. } = &self.settings;
        let settings = &self.settings;
        let mut all = Vec::new();
        let mut add = |key: &str, value: Value| all.push((key.to_owned(), value));
        add("type", texts(&settings.types));
        add("enabled", Value::Boolean(settings.enabled));
        add("flush_on_signals", Value::Boolean(settings.flush_on_signals));
        add("reload_on_sighup", Value::Boolean(settings.reload_on_sighup));
        add("shutdown_timeout_ms", number(settings.shutdown_timeout.as_millis()));
        add("debug_open_spans", Value::Boolean(settings.debug_open_spans));
        add("on_error", text(if settings.noop_on_error { "noop" } else { "fail" }));
        add("propagators", texts(&settings.propagators));
        add("trust", word(&settings.trust));
        for attribute in resource.attributes() {
            let key = match attribute.key {
                "service.name" => "service.name".to_owned(),
                "service.version" => "service.version".to_owned(),
                "deployment.environment.name" => "service.environment".to_owned(),
                other => format!("service.attributes.{}", segment(other)),
            };
            add(&key, plain(&attribute));
        }
        for (key, value) in sampler(&format!("{:?}", settings.sampler)) {
            add(key, value);
        }
        let limits = &recorder.limits;
        for (key, limit) in [
            ("limits.attributes", limits.attributes),
            ("limits.events", limits.events),
            ("limits.links", limits.links),
            ("limits.event_attributes", limits.event_attributes),
            ("limits.link_attributes", limits.link_attributes),
            ("limits.value_chars", limits.value_chars),
        ] {
            if limit != usize::MAX {
                add(key, number(limit as u128));
            }
        }
        let batch = &recorder.batch;
        add("batch.max_bytes", number(batch.max_bytes as u128));
        add("batch.delay_ms", number(batch.delay.as_millis()));
        add("batch.queue_bytes", number(batch.queue_bytes as u128));
        add("batch.on_full", word(&batch.on_full));
        if let Some(limit) = batch.block_limit {
            add("batch.block_ms", number(limit.as_millis()));
        }
        add("batch.retry_ms", number(batch.retry_first.as_millis()));
        add("batch.retry_max_ms", number(batch.retry_max.as_millis()));
        if let Some(spool) = &recorder.spool {
            add("spool.dir", text(&spool.dir.display().to_string()));
            add("spool.max_bytes", number(u128::from(spool.max_bytes)));
            add("spool.max_age_s", number(u128::from(spool.max_age.as_secs())));
        }
        add("redaction.enabled", Value::Boolean(settings.redaction));
        add("redaction.keys", texts(&settings.redacted_keys));
        settings.rules.settings().into_iter().for_each(|(key, value)| add(key, value));
        #[cfg(feature = "dylib")]
        self.add_plugins(&mut add);
        let clean = |(key, value): (String, Value)| {
            let value = self.clean(&key, value).to_string();
            (key, value)
        };
        all.into_iter().map(clean).collect()
    }

    /// The settings of the providers, each with what set it: a place in the file or a variable.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConfigInvalid`] if one is no table.
    pub fn provider_settings(&self) -> Result<Vec<(String, String, String)>, Error> {
        let providers = &self.settings.providers;
        let mut all = Vec::new();
        let mut names: Vec<String> =
            providers.names().chain(self.types().iter().map(String::as_str)).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let (table, _) = Table::parse(&providers.text(&name)?, &name)?;
            for (key, written, value) in leaves(&table, "", "") {
                // The place is told with errors only, so one is asked with.
                let asked = Error::new(ErrorKind::ConfigInvalid, "").with_context("key", &key);
                let origin = providers.locate(&name, asked).context("at").unwrap_or_default().to_owned();
                let value = self.clean(&format!("provider.{name}.{key}"), value).to_string();
                let key = format!("provider.{}.{written}", segment(&name));
                all.push((key, value, origin));
            }
        }
        Ok(all)
    }

    /// What is set in the tables that crates on top of the facade read, as
    /// [`provider_settings`](Self::provider_settings) has that of providers.
    #[must_use]
    pub fn section_settings(&self) -> Vec<(String, String, String)> {
        let sections = &self.settings.sections;
        let set = leaves(sections.tables(), "", "").into_iter();
        set.map(|(key, written, value)| {
            (written, self.clean(&key, value).to_string(), sections.origin(&key).to_owned())
        })
        .collect()
    }

    /// What set a key of these tables, or the table itself: a place in the file or a variable.
    #[must_use]
    pub fn section_origin(&self, key: &str) -> Option<&str> {
        Some(self.settings.sections.origin(key)).filter(|origin| !origin.is_empty())
    }

    /// The value without secrets; the values of headers are secrets whatever they are called.
    fn clean(&self, key: &str, value: Value) -> Value {
        let key = &key.strip_prefix("service.attributes.").unwrap_or(key).replace('"', "");
        if key.split('.').any(|segment| segment == "headers") {
            return text(REDACTED);
        }
        // A token is a secret here, where it counts nothing.
        let keys = self.settings.redacted_keys.iter().map(String::as_str);
        let redaction = Redaction::new(keys.chain(["token", "auth"]));
        let own = |text: &str| {
            redaction.attributes(&[Attribute::new(key, text)], |clean| match clean[0].value {
                Attributed::Str(text) => text.to_owned(),
                _ => REDACTED.to_owned(),
            })
        };
        match value {
            Value::Text(secret) => text(&own(&secret)),
            Value::List(values) => Value::List(values.into_iter().map(|value| self.clean(key, value)).collect()),
            // No number is a secret but under the key of one.
            other => {
                let shown = own("0");
                if shown == "0" { other } else { text(&shown) }
            }
        }
    }

    #[cfg(feature = "dylib")]
    fn add_plugins(&self, add: &mut dyn FnMut(&str, Value)) {
        let loader = &self.settings.loader;
        let paths = |paths: &[std::path::PathBuf]| {
            Value::List(paths.iter().map(|path| text(&path.display().to_string())).collect())
        };
        add("allow_plugins", Value::Boolean(loader.switched_off.is_none()));
        if !loader.dirs.is_empty() {
            add("plugin_dirs", paths(&loader.dirs));
        }
        if !loader.allowed_dirs.is_empty() {
            add("plugin_allowed_dirs", paths(&loader.allowed_dirs));
        }
        if !loader.trusted_owners.is_empty() {
            let owners = loader.trusted_owners.iter().map(|owner| number(u128::from(*owner)));
            add("plugin_trusted_owners", Value::List(owners.collect()));
        }
        for (name, plugin) in &loader.named {
            if let Some(provider) = &plugin.provider {
                add(&format!("plugin.{}.provider", segment(name)), text(provider));
            }
            if let Some(file) = &plugin.file {
                add(&format!("plugin.{}.file", segment(name)), text(&file.display().to_string()));
            }
            if let Some(digest) = &plugin.sha256 {
                let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                add(&format!("plugin.{}.sha256", segment(name)), text(&digits));
            }
            if let Some(linked) = plugin.linked {
                add(&format!("plugin.{}.linked", segment(name)), Value::Boolean(linked));
            }
        }
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn texts(texts: &[String]) -> Value {
    Value::List(texts.iter().map(|one| text(one)).collect())
}

fn number(number: u128) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A value of an enumeration, as the configuration spells it: `DropOldest` is `drop_oldest`.
fn word(value: &dyn std::fmt::Debug) -> Value {
    let mut word = String::new();
    for c in format!("{value:?}").chars() {
        if c.is_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.extend(c.to_lowercase());
    }
    Value::Text(word)
}

fn plain(attribute: &Attribute<'_>) -> Value {
    match attribute.value {
        Attributed::Bool(value) => Value::Boolean(value),
        Attributed::I64(value) => Value::Integer(value),
        Attributed::F64(value) => Value::Float(value),
        Attributed::Str(value) => text(value),
        // The configuration has no others.
        other => text(&format!("{other:?}")),
    }
}

/// A part of a dotted key, as TOML.
fn segment(key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if is_bare { key.to_owned() } else { text(key).to_string() }
}

/// The keys of `[sampler]` that make the sampler of this description; none for rules.
fn sampler(described: &str) -> Vec<(&'static str, Value)> {
    let root = described.strip_prefix("parent_based(").and_then(|rest| rest.strip_suffix(')'));
    let prefix = if root.is_some() { "parent_" } else { "" };
    let (name, argument) = match root.unwrap_or(described).split_once('(') {
        Some((name, argument)) => (name, argument.trim_end_matches(')')),
        None => (root.unwrap_or(described), ""),
    };
    let number = argument.split(' ').next().and_then(|number| number.parse().ok()).map(Value::Float);
    let mut all = vec![("sampler.type", text(&format!("{prefix}{name}")))];
    match (name, number) {
        ("ratio", Some(ratio)) => all.push(("sampler.ratio", ratio)),
        ("rate_limited", Some(rate)) => {
            all.push(("sampler.per_second", rate));
            all.push(("sampler.parent_based", Value::Boolean(root.is_some())));
        }
        ("always_on" | "always_off", _) => {}
        _ => all.clear(),
    }
    all
}

/// All settings of a table that are no tables: their paths, these as TOML, and their values.
fn leaves(table: &Table, prefix: &str, written: &str) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for key in table.keys() {
        let path = format!("{prefix}{key}");
        let written = format!("{written}{}", segment(key));
        match table.get(key) {
            Some(Value::Table(below)) => all.extend(leaves(below, &format!("{path}."), &format!("{written}."))),
            Some(value) => all.push((path, written, value.clone())),
            None => {}
        }
    }
    all
}
