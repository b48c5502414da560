//! What set a setting: a variable, a place in the file, or nobody.

use std::env;

use spandrel::Error;
use spandrel_plugin_api::config::{Positions, Table, Value};

/// The variables that set a key, the strongest first.
///
/// Source: the table of variables in the documentation of `spandrel`.
const VARIABLES: [(&str, &[&str]); 31] = [
    ("type", &["TRACING_TYPE", "TRACING_EXPORTER", "OTEL_TRACES_EXPORTER"]),
    ("enabled", &["TRACING_ENABLED", "OTEL_SDK_DISABLED"]),
    ("service.name", &["TRACING_SERVICE_NAME", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"]),
    ("service.version", &["TRACING_SERVICE_VERSION", "OTEL_RESOURCE_ATTRIBUTES"]),
    ("service.environment", &["TRACING_ENVIRONMENT", "OTEL_RESOURCE_ATTRIBUTES"]),
    ("service.attributes", &["OTEL_RESOURCE_ATTRIBUTES"]),
    ("sampler", &["TRACING_SAMPLER", "TRACING_SAMPLE_RATE", "OTEL_TRACES_SAMPLER"]),
    ("propagators", &["TRACING_PROPAGATORS", "OTEL_PROPAGATORS"]),
    ("trust", &["TRACING_TRUST"]),
    ("forced_traces_per_second", &["TRACING_FORCED_TRACES_PER_SECOND"]),
    ("redaction.keys", &["TRACING_REDACT_KEYS"]),
    ("redaction.patterns", &["TRACING_REDACT_PATTERNS"]),
    ("redaction.mode", &["TRACING_REDACT_MODE"]),
    ("flush_on_signals", &["TRACING_FLUSH_ON_SIGNALS"]),
    ("reload_on_sighup", &["TRACING_RELOAD_ON_SIGHUP"]),
    ("spool.dir", &["TRACING_SPOOL_DIR"]),
    ("shutdown_timeout_ms", &["TRACING_SHUTDOWN_TIMEOUT_MS"]),
    ("debug_open_spans", &["TRACING_DEBUG_OPEN_SPANS"]),
    ("on_error", &["TRACING_ON_ERROR"]),
    ("batch.on_full", &["TRACING_ON_FULL"]),
    ("batch.delay_ms", &["OTEL_BSP_SCHEDULE_DELAY"]),
    ("batch.queue_bytes", &["OTEL_BSP_MAX_QUEUE_SIZE"]),
    ("batch.max_bytes", &["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"]),
    ("limits.attributes", &["OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"]),
    ("limits.value_chars", &["OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"]),
    ("limits.events", &["OTEL_SPAN_EVENT_COUNT_LIMIT"]),
    ("limits.links", &["OTEL_SPAN_LINK_COUNT_LIMIT"]),
    ("limits.event_attributes", &["OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"]),
    ("limits.link_attributes", &["OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"]),
    ("allow_plugins", &["TRACING_ALLOW_PLUGINS"]),
    ("plugin_path", &["SPANDREL_PLUGIN_PATH"]),
];

/// Other names of keys, which count where the keys are not set.
///
/// Source: the documentation of `spandrel`.
const ALIASES: [(&str, &str); 5] = [
    ("type", "exporter"),
    ("service.name", "service_name"),
    ("service.version", "service_version"),
    ("service.environment", "environment"),
    ("sampler", "sample_rate"),
];

pub(super) struct Origins {
    table: Table,
    positions: Positions,
}

impl Origins {
    /// Of a file with this text.
    pub(super) fn new(text: &str, name: &str) -> Result<Self, Error> {
        Table::parse(text, name).map(|(table, positions)| Self { table, positions })
    }

    /// What set the key.
    pub(super) fn of(&self, key: &str) -> String {
        // A whole table in one: it stands where its first key does.
        let within = |known: &&String| known.starts_with("sampler.");
        let key = &key.replace('"', "");
        let key = if key.starts_with("sampler.") { "sampler" } else { key };
        let in_file = match key {
            "sampler" => self.positions.keys().find(within).and_then(|first| self.positions.get(first)),
            key => self.positions.get(key),
        };
        let alias =
            || ALIASES.iter().find(|(known, _)| *known == key).and_then(|(_, alias)| self.positions.get(*alias));
        let in_file = in_file.or_else(alias);
        match (by_variable(key), in_file) {
            // Keys to redact add up.
            (Some(variable), Some(place)) if key == "redaction.keys" => format!("{place}, {variable}"),
            (Some(variable), _) => variable,
            (None, Some(place)) => place.clone(),
            (None, None) => "default".to_owned(),
        }
    }

    /// The sampler of the file, if it has rules: no variable can say what they are.
    pub(super) fn sampler_with_rules(&self) -> Vec<(String, String)> {
        match self.table.get("sampler") {
            Some(Value::Table(sampler)) if sampler.get("rules").is_some() => sampler
                .keys()
                .filter_map(|key| Some((format!("sampler.{key}"), sampler.get(key)?.to_string())))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The value of a key that has no default, and what set it.
    pub(super) fn only_set(&self, key: &str, variable: &str) -> Option<(String, String)> {
        let by_variable = set(variable).map(|value| (value, variable.to_owned()));
        by_variable.or_else(|| Some((self.table.get(key)?.to_string(), self.positions.get(key)?.clone())))
    }
}

fn by_variable(key: &str) -> Option<String> {
    if let Some(rest) = key.strip_prefix("plugin.") {
        let variable = format!("TRACING_PLUGIN__{}", rest.replace('.', "__").to_uppercase());
        return set(&variable).map(|_| variable);
    }
    let group = if key.starts_with("service.attributes.") { "service.attributes" } else { key };
    let (_, names) = VARIABLES.iter().find(|(known, _)| *known == group)?;
    let counts = |name: &&&str| match (**name, set(name)) {
        (_, None) => false,
        // It only switches off.
        ("OTEL_SDK_DISABLED", Some(value)) => ["true", "1", "yes", "on"].contains(&&*value.to_lowercase()),
        ("OTEL_RESOURCE_ATTRIBUTES", Some(value)) => {
            let attribute = match key {
                "service.environment" => "deployment.environment.name",
                other => other.strip_prefix("service.attributes.").unwrap_or(other),
            };
            value.split(',').filter_map(|pair| pair.split_once('=')).any(|(key, _)| key.trim() == attribute)
        }
        _ => true,
    };
    names.iter().find(counts).map(|name| (*name).to_owned())
}

/// An empty variable is as good as none.
fn set(name: &str) -> Option<String> {
    env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}
