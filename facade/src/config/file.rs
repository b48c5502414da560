use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use spandrel_plugin_api::config::explain;
use spandrel_plugin_api::{Error, ErrorKind, SpanKind};
use spandrel_recorder::{OverflowPolicy, RecorderConfig};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Variable;
use crate::sampler::{Sampler, SamplerRule};
use crate::setup::{Settings, split_names};

/// Writes what the TOML text says into the settings; `name` is for messages.
pub(super) fn apply(text: &str, name: &str, variable: &Variable<'_>, settings: &mut Settings) -> Result<(), Error> {
    let place = Place { text, name };
    let mut document = DeTable::parse(text).map_err(|error| place.explain(&error))?;
    let mut origins = BTreeMap::new();
    walk(document.get_mut(), "", &mut |path, span, value| {
        origins.insert(path.to_owned(), place.at(span.start));
        if let DeValue::String(text) = value {
            let expanded = expand(text, variable).map_err(|message| place.error(message, span.start))?;
            *text = expanded.into();
        }
        Ok(())
    })?;
    let file = File::deserialize(toml::Deserializer::from(document)).map_err(|error| place.explain(&error))?;
    file.apply(origins, &place, settings)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "type")]
    types: Option<OneOrMany>,
    enabled: Option<bool>,
    service: Option<Service>,
    sampler: Option<Spanned<SamplerTable>>,
    propagators: Option<Spanned<Vec<String>>>,
    limits: Option<Limits>,
    batch: Option<Batch>,
    redaction: Option<RedactionTable>,
    flush_on_signals: Option<bool>,
    shutdown_timeout_ms: Option<u64>,
    debug_open_spans: Option<bool>,
    on_error: Option<OnError>,
    provider: Option<toml::Table>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "`type` must be the name of a provider or a list of names")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    name: Option<String>,
    version: Option<String>,
    environment: Option<String>,
    attributes: Option<BTreeMap<String, Scalar>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a resource attribute must be a text, a number or a boolean")]
enum Scalar {
    Bool(bool),
    I64(i64),
    F64(f64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SamplerTable {
    #[serde(rename = "type")]
    name: Option<String>,
    ratio: Option<f64>,
    per_second: Option<f64>,
    parent_based: Option<bool>,
    rules: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    name: Option<String>,
    kind: Option<KindName>,
    attribute: Option<String>,
    value: Option<String>,
    ratio: Option<f64>,
    per_second: Option<f64>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum KindName {
    Internal,
    Server,
    Client,
    Producer,
    Consumer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    attributes: Option<usize>,
    events: Option<usize>,
    links: Option<usize>,
    event_attributes: Option<usize>,
    link_attributes: Option<usize>,
    value_chars: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch {
    max_bytes: Option<usize>,
    delay_ms: Option<u64>,
    queue_bytes: Option<usize>,
    on_full: Option<OnFull>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum OnFull {
    Drop,
    Block,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RedactionTable {
    enabled: Option<bool>,
    keys: Option<Vec<String>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum OnError {
    Fail,
    Noop,
}

impl File {
    fn apply(self, origins: BTreeMap<String, String>, place: &Place<'_>, settings: &mut Settings) -> Result<(), Error> {
        match self.types {
            None => {}
            Some(OneOrMany::One(names)) => settings.types = split_names(&names),
            Some(OneOrMany::Many(names)) => settings.types = names,
        }
        set(&mut settings.enabled, self.enabled);
        set(&mut settings.flush_on_signals, self.flush_on_signals);
        set(&mut settings.shutdown_timeout, self.shutdown_timeout_ms.map(Duration::from_millis));
        set(&mut settings.debug_open_spans, self.debug_open_spans);
        set(&mut settings.noop_on_error, self.on_error.map(|on_error| on_error == OnError::Noop));
        if let Some(service) = self.service {
            service.apply(settings);
        }
        if let Some(sampler) = self.sampler {
            let at = sampler.span().start;
            let built = sampler.into_inner().build();
            settings.sampler = built.map_err(|error| place.error(error.message().to_owned(), at))?;
        }
        if let Some(propagators) = self.propagators {
            let at = propagators.span().start;
            settings.propagators = propagators.into_inner();
            let unknown = settings.propagators.iter().find(|name| spandrel_propagation::by_name(name).is_none());
            if let Some(unknown) = unknown {
                return Err(place.error(crate::setup::unknown_propagator(unknown).to_string(), at));
            }
        }
        apply_recorder(self.limits, self.batch, &mut settings.recorder);
        if let Some(redaction) = self.redaction {
            set(&mut settings.redaction, redaction.enabled);
            settings.redacted_keys.extend(redaction.keys.unwrap_or_default());
        }
        settings.providers.merge(self.provider.unwrap_or_default(), origins);
        Ok(())
    }
}

impl Service {
    fn apply(self, settings: &mut Settings) {
        let resource = &mut settings.resource;
        for (key, value) in [
            ("service.name", self.name),
            ("service.version", self.version),
            ("deployment.environment.name", self.environment),
        ] {
            if let Some(value) = value {
                resource.set(key, value);
            }
        }
        for (key, value) in self.attributes.unwrap_or_default() {
            match value {
                Scalar::Bool(v) => resource.set(&key, v),
                Scalar::I64(v) => resource.set(&key, v),
                Scalar::F64(v) => resource.set(&key, v),
                Scalar::Text(v) => resource.set(&key, v),
            }
        }
    }
}

impl SamplerTable {
    fn build(self) -> Result<Sampler, Error> {
        let rules = self.rules.unwrap_or_default();
        let name = self.name.as_deref().unwrap_or(match (&rules[..], self.ratio, self.per_second) {
            ([_, ..], _, _) => "rules",
            (_, _, Some(_)) => "rate_limited",
            (_, Some(_), _) => "parent_ratio",
            _ => "parent_always_on",
        });
        let rules = rules.into_iter().map(Rule::build).collect::<Result<_, _>>()?;
        named_sampler(name, self.ratio, self.per_second, rules, self.parent_based)
    }
}

/// The sampler with this name, in our spelling or that of `OTEL_TRACES_SAMPLER`.
pub(super) fn named_sampler(
    name: &str,
    ratio: Option<f64>,
    per_second: Option<f64>,
    rules: Vec<SamplerRule>,
    parent_based: Option<bool>,
) -> Result<Sampler, Error> {
    const NAMES: [&str; 10] = [
        "always_on",
        "always_off",
        "ratio",
        "rate_limited",
        "rules",
        "parent_always_on",
        "parent_always_off",
        "parent_ratio",
        "parent_rate_limited",
        "parent_rules",
    ];
    let prefix = name.strip_prefix("parentbased_").or_else(|| name.strip_prefix("parent_"));
    let base = prefix.unwrap_or(name);
    let sampler = match base {
        "always_on" => Sampler::always_on(),
        "always_off" => Sampler::always_off(),
        "ratio" | "traceidratio" => Sampler::ratio(ratio.unwrap_or(1.0))?,
        "rate_limited" => {
            let rate = per_second.ok_or_else(|| {
                let message = "the sampler `rate_limited` needs `per_second`, a number of traces";
                Error::new(ErrorKind::ConfigInvalid, message)
            })?;
            Sampler::rate_limited(rate)?
        }
        "rules" => {
            let otherwise = match (per_second, ratio) {
                (Some(rate), _) => Sampler::rate_limited(rate)?,
                (None, ratio) => Sampler::ratio(ratio.unwrap_or(1.0))?,
            };
            Sampler::rules(rules, otherwise)
        }
        _ => {
            let meant = spandrel_plugin_api::suggest::nearest(name, NAMES);
            let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            let message = format!("there is no sampler `{name}`{meant}");
            return Err(Error::new(ErrorKind::ConfigInvalid, message).with_context("available", NAMES.join(", ")));
        }
    };
    // A limit or a rule is meant for traces, not for single spans.
    let for_traces = matches!(base, "rate_limited" | "rules");
    let parent_based = parent_based.unwrap_or(prefix.is_some() || for_traces);
    Ok(if parent_based { Sampler::parent_based(sampler) } else { sampler })
}

impl Rule {
    fn build(self) -> Result<SamplerRule, Error> {
        let sampler = match (self.ratio, self.per_second) {
            (Some(ratio), None) => Sampler::ratio(ratio)?,
            (None, Some(rate)) => Sampler::rate_limited(rate)?,
            _ => {
                let message = "a sampler rule needs either `ratio` (0 to 1) or `per_second`";
                return Err(Error::new(ErrorKind::ConfigInvalid, message));
            }
        };
        let mut rule = SamplerRule::new(sampler);
        if let Some(name) = self.name {
            rule = rule.with_name(name);
        }
        if let Some(kind) = self.kind {
            rule = rule.with_kind(match kind {
                KindName::Internal => SpanKind::Internal,
                KindName::Server => SpanKind::Server,
                KindName::Client => SpanKind::Client,
                KindName::Producer => SpanKind::Producer,
                KindName::Consumer => SpanKind::Consumer,
            });
        }
        if let Some(key) = self.attribute {
            rule = rule.with_attribute(key, self.value.as_deref());
        }
        Ok(rule)
    }
}

fn apply_recorder(limits: Option<Limits>, batch: Option<Batch>, config: &mut RecorderConfig) {
    if let Some(limits) = limits {
        set(&mut config.limits.attributes, limits.attributes);
        set(&mut config.limits.events, limits.events);
        set(&mut config.limits.links, limits.links);
        set(&mut config.limits.event_attributes, limits.event_attributes);
        set(&mut config.limits.link_attributes, limits.link_attributes);
        set(&mut config.limits.value_chars, limits.value_chars);
    }
    if let Some(batch) = batch {
        set(&mut config.batch.max_bytes, batch.max_bytes);
        set(&mut config.batch.delay, batch.delay_ms.map(Duration::from_millis));
        set(&mut config.batch.queue_bytes, batch.queue_bytes);
        let on_full = batch.on_full.map(|on_full| match on_full {
            OnFull::Drop => OverflowPolicy::Drop,
            OnFull::Block => OverflowPolicy::Block,
        });
        set(&mut config.batch.on_full, on_full);
    }
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

/// A text and its name, to say where in it something stands.
struct Place<'a> {
    text: &'a str,
    name: &'a str,
}

impl Place<'_> {
    fn explain(&self, error: &toml::de::Error) -> Error {
        let explained = explain(error, self.text);
        self.error(explained.message().to_owned(), error.span().map_or(0, |span| span.start))
    }

    fn error(&self, message: String, offset: usize) -> Error {
        Error::new(ErrorKind::ConfigInvalid, format!("{}: {message}", self.at(offset)))
    }

    /// `spandrel.toml:3:1`, counted from 1.
    fn at(&self, offset: usize) -> String {
        let before = &self.text[..offset.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        format!("{}:{line}:{column}", self.name)
    }
}

type Visit<'v, 'i> = dyn FnMut(&str, std::ops::Range<usize>, &mut DeValue<'i>) -> Result<(), Error> + 'v;

/// Visits every value with its path; the span is that of the key.
fn walk<'i>(table: &mut DeTable<'i>, prefix: &str, visit: &mut Visit<'_, 'i>) -> Result<(), Error> {
    for (key, value) in table.iter_mut() {
        let path = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        walk_value(value, &path, key.span(), visit)?;
    }
    Ok(())
}

fn walk_value<'i>(
    value: &mut Spanned<DeValue<'i>>,
    path: &str,
    span: std::ops::Range<usize>,
    visit: &mut Visit<'_, 'i>,
) -> Result<(), Error> {
    visit(path, span.clone(), value.get_mut())?;
    match value.get_mut() {
        DeValue::Table(table) => walk(table, path, visit),
        DeValue::Array(array) => array.iter_mut().try_for_each(|value| walk_value(value, path, span.clone(), visit)),
        _ => Ok(()),
    }
}

/// Replaces `${VAR}` and `${VAR:-default}`; `$$` is a dollar sign.
fn expand(text: &str, variable: &Variable<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((reference, after)) = rest.strip_prefix('{').and_then(|r| r.split_once('}')) {
            let (name, default) = reference.split_once(":-").map_or((reference, None), |(n, d)| (n, Some(d)));
            let value = variable(name).or_else(|| default.map(str::to_owned));
            out.push_str(&value.ok_or_else(|| {
                format!("the environment variable {name} is not set; set it, or write ${{{name}:-default}}")
            })?);
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::{apply, expand};
    use crate::setup::Settings;

    fn read(text: &str) -> Result<Settings, String> {
        let variable = |name: &str| (name == "HOME").then(|| "/home/x".to_owned());
        let mut settings = Settings::default();
        apply(text, "spandrel.toml", &variable, &mut settings).map_err(|error| error.to_string())?;
        Ok(settings)
    }

    #[test]
    fn a_whole_file_is_read() {
        let settings = read(
            r#"
            type = ["console", "file"]
            flush_on_signals = true
            shutdown_timeout_ms = 250
            [service]
            name = "orders"
            attributes = { shard = 3, beta = true }
            [sampler]
            type = "parent_ratio"
            ratio = 0.5
            [batch]
            on_full = "block"
            [limits]
            events = 7
            [redaction]
            keys = ["iban"]
            [provider.file]
            path = "${HOME}/traces.jsonl"
            "#,
        )
        .unwrap();
        assert_eq!(settings.types, ["console", "file"]);
        assert_eq!(settings.resource.service_name(), "orders");
        assert_eq!(format!("{:?}", settings.sampler), "parent_based(ratio(0.5))");
        assert_eq!(settings.recorder.limits.events, 7);
        assert_eq!(settings.providers.text("file").unwrap().trim(), "path = \"/home/x/traces.jsonl\"");
    }

    #[test]
    fn mistakes_are_answered_with_line_column_and_remedy() {
        for (text, message) in [
            (
                "\ntpye = 'file'",
                "spandrel.toml:2:1: unknown configuration key `tpye`; did you mean `type`? (known here: type, ",
            ),
            ("[sampler]\nratio = 1.5", "spandrel.toml:1:1: the sampling ratio must be a number from 0 to 1, not 1.5"),
            ("[sampler]\ntype = 'raito'", "spandrel.toml:1:1: there is no sampler `raito`; did you mean `ratio`?"),
            ("type = ", "spandrel.toml:1:8: "),
            ("type = 3", "spandrel.toml:1:8: `type` must be the name of a provider or a list of names"),
            ("[batch]\non_full = 'wait'", "spandrel.toml:2:11: unknown variant `wait`, expected `drop` or `block`"),
            (
                "[provider.file]\npath = '${NOPE}/x'",
                "spandrel.toml:2:1: the environment variable NOPE is not set; set it, or write ${NOPE:-default}",
            ),
            ("propagators = ['b4']", "spandrel.toml:1:15: there is no propagator `b4`"),
        ] {
            let error = read(text).err().unwrap_or_default();
            assert!(error.starts_with(message), "{text:?}\n  {error}\n  {message}");
        }
    }

    #[test]
    fn variables_expand() {
        let variable = |name: &str| (name == "A").then(|| "1".to_owned());
        for (text, expanded) in
            [("${A}b", "1b"), ("${B:-x y}", "x y"), ("${B:-}", ""), ("$$A $5 $", "$A $5 $"), ("${A", "${A")]
        {
            assert_eq!(expand(text, &variable).as_deref(), Ok(expanded), "{text}");
        }
        assert!(expand("${B}", &variable).is_err());
    }
}
