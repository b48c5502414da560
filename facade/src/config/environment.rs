use std::time::Duration;

use spandrel_plugin_api::config::{Reader, Table, Value};
use spandrel_plugin_api::diagnostics::{Level, report};
use spandrel_plugin_api::suggest::nearest;
use spandrel_plugin_api::{Error, ErrorKind};
use spandrel_recorder::SpoolConfig;

use super::file::POLICIES;
use super::sampler::named_sampler;
use super::{Origin, aliases, exporters, otlp, plugins, set};
use crate::propagation::{ForcedTraces, TRUSTS};
use crate::setup::{Settings, split_names};

/// Writes what the environment says into the settings: first the variables of
/// OpenTelemetry, then ours, which win.
///
/// Source: OpenTelemetry specification, "Environment Variable Specification".
pub(super) fn apply(variables: &[(String, String)], settings: &mut Settings) -> Result<(), Error> {
    let environment = Environment { variables };
    environment.apply_opentelemetry(settings)?;
    otlp::apply_environment(&environment, settings);
    exporters::apply_environment(&environment, settings);
    environment.apply_ours(settings)?;
    aliases::apply_environment(&environment, settings)?;
    plugins::apply_environment(&environment, settings)?;
    environment.apply_sections(settings);
    for (name, value) in variables {
        let Some(path) = name.strip_prefix("TRACING_PROVIDER__") else { continue };
        let path = path.to_lowercase();
        let path: Vec<&str> = path.split("__").collect();
        if path.len() > 1 {
            settings.providers.set(&path, value, name);
        }
    }
    Ok(())
}

/// Names of ours, for telling a misspelt one.
const OURS: [&str; 49] = [
    "TRACING_TYPE",
    "TRACING_EXPORTER",
    "TRACING_ENDPOINT",
    "TRACING_SAMPLE_RATE",
    "TRACING_ENABLED",
    "TRACING_SERVICE_NAME",
    "TRACING_SERVICE_VERSION",
    "TRACING_ENVIRONMENT",
    "TRACING_SAMPLER",
    "TRACING_SAMPLER_ARG",
    "TRACING_PROPAGATORS",
    "TRACING_TRUST",
    "TRACING_FORCED_TRACES_PER_SECOND",
    "TRACING_REDACT_KEYS",
    "TRACING_REDACT_PATTERNS",
    "TRACING_REDACT_MODE",
    "TRACING_FLUSH_ON_SIGNALS",
    "TRACING_RELOAD_ON_SIGHUP",
    "TRACING_SHUTDOWN_TIMEOUT_MS",
    "TRACING_DEBUG_OPEN_SPANS",
    "TRACING_ON_ERROR",
    "TRACING_ON_FULL",
    "TRACING_SPOOL_DIR",
    "TRACING_PROVIDER__NAME__KEY",
    "TRACING_AI__DIALECT",
    "TRACING_AI__CONTENT",
    "TRACING_AI__MAX_CONTENT_BYTES",
    "TRACING_AI__BAGGAGE",
    "TRACING_AI__HIDE__INPUTS",
    "TRACING_AI__HIDE__OUTPUTS",
    "TRACING_AI__HIDE__INPUT_MESSAGES",
    "TRACING_AI__HIDE__OUTPUT_MESSAGES",
    "TRACING_AI__HIDE__INPUT_TEXT",
    "TRACING_AI__HIDE__OUTPUT_TEXT",
    "TRACING_AI__HIDE__INPUT_IMAGES",
    "TRACING_AI__HIDE__LLM_INVOCATION_PARAMETERS",
    "TRACING_AI__HIDE__LLM_PROMPTS",
    "TRACING_AI__BUDGET__SESSION_USD",
    "TRACING_AI__BUDGET__USER_USD",
    "TRACING_AI__BUDGET__DAY_USD",
    "TRACING_PRICES_FILE",
    "TRACING_ALLOW_PLUGINS",
    "TRACING_PLUGIN__NAME__FILE",
    "TRACING_PLUGIN__NAME__LINKED",
    "TRACING_PLUGIN__NAME__PROVIDER",
    "TRACING_PLUGIN__NAME__SHA256",
    "SPANDREL_CONFIG",
    "SPANDREL_PLUGIN_PATH",
    "SPANDREL_LOADER_DEBUG",
];

/// The switches of `[ai.hide]`, which OpenInference has variables for.
///
/// Source: OpenInference, spec/configuration.md, 2026-08.
const HIDDEN_BY_OPENINFERENCE: [&str; 9] = [
    "INPUTS",
    "OUTPUTS",
    "INPUT_MESSAGES",
    "OUTPUT_MESSAGES",
    "INPUT_TEXT",
    "OUTPUT_TEXT",
    "INPUT_IMAGES",
    "LLM_INVOCATION_PARAMETERS",
    "LLM_PROMPTS",
];

pub(super) struct Environment<'a> {
    variables: &'a [(String, String)],
}

impl<'a> Environment<'a> {
    /// An empty variable is as good as none.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, Error> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Some(true)),
            "false" | "0" | "no" | "off" => Ok(Some(false)),
            _ => Err(invalid(name, text, "true or false")),
        }
    }

    /// The variables that begin so, but for empty ones.
    pub(super) fn with_prefix(&self, prefix: &'static str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let ours = self.variables.iter().filter(move |(name, _)| name.starts_with(prefix));
        ours.map(|(name, value)| (name.as_str(), value.trim())).filter(|(_, value)| !value.is_empty())
    }

    fn number(&self, name: &str) -> Result<Option<u64>, Error> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| invalid(name, text, "a whole number from 0 up"))
    }

    /// Those for crates on top of the facade.
    fn apply_sections(&self, settings: &mut Settings) {
        // Source: OpenTelemetry Python, util-genai; the spans are what there is of content here.
        let name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
        if let Some(value) = self.text(name) {
            let is_on = match value.to_lowercase().as_str() {
                "span_only" | "span_and_event" => Some(true),
                // There are no events of OpenTelemetry here, so what is for them alone goes nowhere.
                "no_content" | "event_only" => Some(false),
                _ => self.boolean(name).ok().flatten(),
            };
            match is_on {
                Some(is_on) => settings.sections.set(&["ai", "content"], if is_on { "true" } else { "false" }, name),
                None => warn(&format!(
                    "{name} must be true, false, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT or NO_CONTENT, not `{value}`; \
                     it counts as not set"
                )),
            }
        }
        for kind in HIDDEN_BY_OPENINFERENCE {
            let name = format!("OPENINFERENCE_HIDE_{kind}");
            if let Some(value) = self.text(&name) {
                settings.sections.set(&["ai", "hide", &kind.to_lowercase()], &value.to_lowercase(), &name);
            }
        }
        for (name, value) in self.with_prefix("TRACING_AI__") {
            let path = name["TRACING_".len()..].to_lowercase();
            settings.sections.set(&path.split("__").collect::<Vec<_>>(), value, name);
        }
        let name = "TRACING_PRICES_FILE";
        if let Some(file) = self.text(name) {
            settings.sections.set(&["prices", "file"], file, name);
        }
    }

    fn apply_ours(&self, settings: &mut Settings) -> Result<(), Error> {
        let types = ["TRACING_TYPE", "TRACING_EXPORTER"].iter().find_map(|name| Some((name, self.text(name)?)));
        if let Some((name, names)) = types {
            plugins::set_types(split_names(names), Origin::Starter, name, settings);
            settings.types_are_foreign = false;
        }
        set(&mut settings.enabled, self.boolean("TRACING_ENABLED")?);
        for (name, key) in [
            ("TRACING_SERVICE_NAME", "service.name"),
            ("TRACING_SERVICE_VERSION", "service.version"),
            ("TRACING_ENVIRONMENT", "deployment.environment.name"),
        ] {
            if let Some(value) = self.text(name) {
                settings.resource.set(key, value);
            }
        }
        self.apply_sampler("TRACING_SAMPLER", "TRACING_SAMPLER_ARG", settings)?;
        if let Some(names) = self.text("TRACING_PROPAGATORS") {
            settings.propagators = split_names(names);
        }
        if let Some(text) = self.text("TRACING_TRUST") {
            let trust = TRUSTS.iter().find(|(word, _)| *word == text);
            let (_, trust) = trust.ok_or_else(|| invalid("TRACING_TRUST", text, "continue, link or ignore"))?;
            settings.trust = *trust;
        }
        if let Some(traces) = self.number("TRACING_FORCED_TRACES_PER_SECOND")? {
            settings.forced_traces = Some(ForcedTraces::new(u32::try_from(traces).unwrap_or(u32::MAX)));
        }
        if let Some(keys) = self.text("TRACING_REDACT_KEYS") {
            settings.redacted_keys.extend(split_names(keys));
        }
        self.apply_rules(settings)?;
        set(&mut settings.flush_on_signals, self.boolean("TRACING_FLUSH_ON_SIGNALS")?);
        set(&mut settings.reload_on_sighup, self.boolean("TRACING_RELOAD_ON_SIGHUP")?);
        let timeout = self.number("TRACING_SHUTDOWN_TIMEOUT_MS")?;
        set(&mut settings.shutdown_timeout, timeout.map(Duration::from_millis));
        set(&mut settings.debug_open_spans, self.boolean("TRACING_DEBUG_OPEN_SPANS")?);
        settings.noop_on_error = match self.text("TRACING_ON_ERROR") {
            None => settings.noop_on_error,
            Some("noop") => true,
            Some("fail") => false,
            Some(other) => return Err(invalid("TRACING_ON_ERROR", other, "fail or noop")),
        };
        if let Some(text) = self.text("TRACING_ON_FULL") {
            let policy = POLICIES.iter().find(|(word, _)| *word == text);
            let (_, policy) = policy.ok_or_else(|| invalid("TRACING_ON_FULL", text, "drop, drop_oldest or block"))?;
            settings.recorder.batch.on_full = *policy;
        }
        if let Some(dir) = self.text("TRACING_SPOOL_DIR") {
            match &mut settings.recorder.spool {
                Some(spool) => spool.dir = dir.into(),
                none => *none = Some(SpoolConfig::new(dir)),
            }
        }
        self.warn_of_misspelt();
        Ok(())
    }

    /// What the file says as `patterns` and `mode` in `[redaction]`. There is no variable for rules:
    /// a regular expression may have any separator in it.
    fn apply_rules(&self, settings: &mut Settings) -> Result<(), Error> {
        let names = |text| Value::List(split_names(text).into_iter().map(Value::Text).collect());
        let patterns = self.text("TRACING_REDACT_PATTERNS").map(|text| match self.boolean("TRACING_REDACT_PATTERNS") {
            Ok(Some(all)) => Value::Boolean(all),
            _ => names(text),
        });
        let mode = self.text("TRACING_REDACT_MODE").map(|text| Value::Text(text.to_owned()));
        for (name, key, value) in
            [("TRACING_REDACT_PATTERNS", "patterns", patterns), ("TRACING_REDACT_MODE", "mode", mode)]
        {
            let Some(value) = value else { continue };
            let mut table = Table::default();
            table.set(&[key], value);
            let read = Reader::read(&table, |table| settings.rules.read(table));
            read.map_err(|error| Error::new(error.kind(), format!("{name}: {}", error.message())))?;
        }
        Ok(())
    }

    fn apply_sampler(&self, name: &str, argument: &str, settings: &mut Settings) -> Result<(), Error> {
        let Some(sampler) = self.text(name) else {
            if self.text(argument).is_some() {
                warn(&format!("{argument} means nothing without {name}; set it, for example to `parent_ratio`"));
            }
            return Ok(());
        };
        let number = match self.text(argument) {
            Some(text) => Some(text.parse().map_err(|_| invalid(argument, text, "a number"))?),
            None => None,
        };
        let from = |error: Error| Error::new(ErrorKind::ConfigInvalid, format!("{name}: {error}"));
        settings.sampler = named_sampler(sampler, number, number, Vec::new(), None).map_err(from)?;
        Ok(())
    }

    fn apply_opentelemetry(&self, settings: &mut Settings) -> Result<(), Error> {
        if self.boolean("OTEL_SDK_DISABLED")? == Some(true) {
            settings.enabled = false;
        }
        for pair in self.text("OTEL_RESOURCE_ATTRIBUTES").unwrap_or("").split(',') {
            if let Some((key, value)) = pair.split_once('=') {
                settings.resource.set(key.trim(), percent_decoded(value.trim()));
            }
        }
        if let Some(name) = self.text("OTEL_SERVICE_NAME") {
            settings.resource.set("service.name", name);
        }
        if let Some(names) = self.text("OTEL_TRACES_EXPORTER") {
            let names =
                split_names(names).iter().map(|n| if n == "none" { "noop".to_owned() } else { n.clone() }).collect();
            plugins::set_types(names, Origin::Starter, "OTEL_TRACES_EXPORTER", settings);
            settings.types_are_foreign = true;
        }
        self.apply_sampler("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG", settings)?;
        if let Some(names) = self.text("OTEL_PROPAGATORS") {
            // As the specification asks: operators set these for all services alike.
            let (known, unknown): (Vec<String>, Vec<String>) =
                split_names(names).into_iter().partition(|name| spandrel_propagation::by_name(name).is_some());
            if unknown.iter().any(|name| name != "none") {
                warn(&format!(
                    "OTEL_PROPAGATORS names unknown propagators, which are left out: {}",
                    unknown.join(", ")
                ));
            }
            settings.propagators = known;
        }
        let count = |name| Ok::<_, Error>(self.number(name)?.map(|n| usize::try_from(n).unwrap_or(usize::MAX)));
        let limits = &mut settings.recorder.limits;
        set(&mut limits.attributes, count("OTEL_ATTRIBUTE_COUNT_LIMIT")?);
        set(&mut limits.attributes, count("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT")?);
        set(&mut limits.value_chars, count("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")?);
        set(&mut limits.value_chars, count("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT")?);
        set(&mut limits.events, count("OTEL_SPAN_EVENT_COUNT_LIMIT")?);
        set(&mut limits.links, count("OTEL_SPAN_LINK_COUNT_LIMIT")?);
        set(&mut limits.event_attributes, count("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT")?);
        set(&mut limits.link_attributes, count("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT")?);
        let batch = &mut settings.recorder.batch;
        set(&mut batch.delay, self.number("OTEL_BSP_SCHEDULE_DELAY")?.map(Duration::from_millis));
        // These count spans, and the recorder counts bytes: a span takes about 256.
        let bytes = |spans: u64| usize::try_from(spans.saturating_mul(256)).unwrap_or(usize::MAX);
        set(&mut batch.queue_bytes, self.number("OTEL_BSP_MAX_QUEUE_SIZE")?.map(bytes));
        set(&mut batch.max_bytes, self.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")?.map(bytes));
        Ok(())
    }

    /// Other software may use the prefix, so this is no error.
    fn warn_of_misspelt(&self) {
        let ours = |name: &str| name.starts_with("TRACING_") || name.starts_with("SPANDREL_");
        for (name, _) in self.variables.iter().filter(|(name, _)| ours(name)) {
            let of_provider = name.strip_prefix("TRACING_PROVIDER__").is_some_and(|path| path.contains("__"));
            let nested = of_provider || ["TRACING_AI__", plugins::PREFIX].iter().any(|p| name.starts_with(p));
            if OURS.contains(&name.as_str()) || nested {
                continue;
            }
            let nearest = || nearest(name, OURS).map(str::to_owned);
            if let Some(meant) = separated(name).or_else(nearest) {
                warn(&format!("the environment variable {name} means nothing; did you mean {meant}?"));
            }
        }
    }
}

/// The name with `__` behind each table, where that of a provider or a plugin has a single `_` there.
fn separated(name: &str) -> Option<String> {
    if let Some(path) = name.strip_prefix("TRACING_PROVIDER_") {
        let (provider, key) = path.trim_start_matches('_').split_once('_')?;
        return Some(format!("TRACING_PROVIDER__{provider}__{}", key.trim_start_matches('_')));
    }
    let (plugin, key) = name.strip_prefix("TRACING_PLUGIN_")?.rsplit_once('_')?;
    let is_known = ["FILE", "LINKED", "PROVIDER", "SHA256"].contains(&key);
    is_known.then(|| format!("{}{}__{key}", plugins::PREFIX, plugin.trim_end_matches('_')))
}

fn warn(text: &str) {
    report(Level::Warning, text);
}

pub(super) fn invalid(name: &str, value: &str, expected: &str) -> Error {
    Error::new(ErrorKind::ConfigInvalid, format!("the environment variable {name} must be {expected}, not `{value}`"))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{OURS, apply, nearest, separated};
    use crate::setup::Settings;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variables: Vec<_> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut settings = Settings::default();
        apply(&variables, &mut settings).map_err(|error| error.to_string())?;
        Ok(settings)
    }

    #[test]
    fn what_redaction_cannot_do_names_the_variable() {
        let without = |key: &str| {
            format!("this program was built without the feature `patterns`, and cannot do what `{key}` says;")
        };
        let mode = "`mode` must be \"redact\" or \"hash\" or \"drop\", not \"hide\"".to_owned();
        for (name, value, key, with) in [
            (
                "TRACING_REDACT_PATTERNS",
                "mails",
                "patterns",
                "there are no patterns `mails`; choose of mail, ".to_owned(),
            ),
            ("TRACING_REDACT_MODE", "hide", "mode", mode),
        ] {
            let says = if cfg!(feature = "patterns") { with } else { without(key) };
            let error = read(&[(name, value)]).err().unwrap_or_default();
            assert!(error.starts_with(&format!("{name}: {says}")), "{error}");
        }
        // What asks for nothing is fine without the feature, too.
        read(&[("TRACING_REDACT_PATTERNS", "off"), ("TRACING_REDACT_MODE", "redact")]).unwrap();
    }

    #[test]
    fn ours_win_over_those_of_opentelemetry() {
        let settings = read(&[
            ("OTEL_TRACES_EXPORTER", "otlp"),
            ("OTEL_SERVICE_NAME", "theirs"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=1,b=x%20y"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_SPAN_EVENT_COUNT_LIMIT", "3"),
            ("TRACING_TYPE", "file, console"),
            ("TRACING_SERVICE_NAME", "ours"),
        ])
        .unwrap();
        assert_eq!(settings.types, ["file", "console"]);
        assert_eq!(settings.resource.service_name(), "ours");
        assert_eq!(settings.resource.get("b"), Some(spandrel_plugin_api::Value::Str("x y")));
        assert_eq!(format!("{:?}", settings.sampler), "parent_based(ratio(0.25))");
        assert_eq!(settings.recorder.limits.events, 3);
        assert_eq!(read(&[("OTEL_TRACES_EXPORTER", "none")]).unwrap().types, ["noop"]);
        assert!(!read(&[("OTEL_SDK_DISABLED", "true")]).unwrap().enabled);
    }

    #[test]
    fn variables_reach_the_tables_of_crates_on_top() {
        let settings = read(&[
            ("TRACING_AI__DIALECT", "both"),
            ("TRACING_AI__BUDGET__DAY_USD", "2.5"),
            ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_AND_EVENT"),
            ("OPENINFERENCE_HIDE_INPUT_IMAGES", "True"),
            ("TRACING_PRICES_FILE", "/etc/prices.json"),
        ]);
        let texts = settings.unwrap().sections.texts();
        assert_eq!(
            texts["ai"],
            "budget = { day_usd = 2.5 }\ncontent = true\ndialect = \"both\"\nhide = { input_images = true }\n"
        );
        assert_eq!(texts["prices"], "file = \"/etc/prices.json\"\n");
    }

    #[test]
    fn a_single_underscore_is_told_from_two() {
        for (name, meant) in [
            ("TRACING_PROVIDER_FILE_PATH", Some("TRACING_PROVIDER__FILE__PATH")),
            ("TRACING_PROVIDER__FILE_MAX_BYTES", Some("TRACING_PROVIDER__FILE__MAX_BYTES")),
            ("TRACING_PLUGIN_MY_OWN_FILE", Some("TRACING_PLUGIN__MY_OWN__FILE")),
            ("TRACING_PLUGIN_X__SHA256", Some("TRACING_PLUGIN__X__SHA256")),
            ("TRACING_PLUGIN_HOME_DIR", None),
            ("TRACING_PROVIDER_X", None),
            ("TRACING_AI_CONTENT", None),
        ] {
            assert_eq!(separated(name).as_deref(), meant, "{name}");
        }
        for (name, meant) in [
            ("TRACING_AI_CONTENT", "TRACING_AI__CONTENT"),
            ("TRACING_AI_HIDE_INPUTS", "TRACING_AI__HIDE__INPUTS"),
            ("TRACING_AI_BUDGET_DAY_USD", "TRACING_AI__BUDGET__DAY_USD"),
            ("TRACING_PRICES__FILE", "TRACING_PRICES_FILE"),
            ("TRACING_AI_MAX_CONTENT_BYTES", "TRACING_AI__MAX_CONTENT_BYTES"),
        ] {
            assert_eq!(nearest(name, OURS), Some(meant), "{name}");
        }
    }

    #[test]
    fn whether_content_is_captured_has_the_words_of_opentelemetry() {
        let name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT";
        for (words, content) in [
            (&["true", "1", "yes", "SPAN_ONLY", "span_and_event"][..], "content = true\n"),
            (&["false", "0", "no", "NO_CONTENT", "EVENT_ONLY"], "content = false\n"),
        ] {
            for word in words {
                assert_eq!(read(&[(name, word)]).unwrap().sections.texts()["ai"], content, "{word}");
            }
        }
        // Whatever else it says does not take the place of what the file says.
        assert!(!read(&[(name, "spans")]).unwrap().sections.texts().contains_key("ai"));
    }

    #[test]
    fn propagators_have_the_names_of_opentelemetry() {
        assert_eq!(read(&[]).unwrap().propagators, ["tracecontext", "baggage"]);
        let all = "tracecontext,baggage,b3,b3multi,jaeger,xray,datadog";
        assert_eq!(read(&[("TRACING_PROPAGATORS", all)]).unwrap().propagators.join(","), all);
        // Of theirs, what is unknown is left out.
        let theirs = "b3multi, ottrace,tracecontext,xray";
        assert_eq!(read(&[("OTEL_PROPAGATORS", theirs)]).unwrap().propagators, ["b3multi", "tracecontext", "xray"]);
        assert!(read(&[("OTEL_PROPAGATORS", "none")]).unwrap().propagators.is_empty());
    }

    #[test]
    fn provider_settings_reach_the_table() {
        let settings =
            read(&[("TRACING_PROVIDER__FILE__PATH", "/tmp/x"), ("TRACING_PROVIDER__FILE__ROTATE__MAX_BYTES", "100")])
                .unwrap();
        let text = settings.providers.text("file").unwrap();
        assert_eq!(text, "path = \"/tmp/x\"\nrotate = { max_bytes = 100 }\n");
    }

    #[test]
    fn nonsense_is_refused_with_the_name_of_the_variable() {
        for (name, value, message) in [
            ("TRACING_ENABLED", "maybe", "the environment variable TRACING_ENABLED must be true or false, not `maybe`"),
            (
                "TRACING_TRUST",
                "no",
                "the environment variable TRACING_TRUST must be continue, link or ignore, not `no`",
            ),
            ("TRACING_ON_ERROR", "x", "the environment variable TRACING_ON_ERROR must be fail or noop, not `x`"),
            (
                "TRACING_SAMPLER",
                "alwayson",
                "TRACING_SAMPLER: there is no sampler `alwayson`; did you mean `always_on`?",
            ),
            (
                "OTEL_BSP_SCHEDULE_DELAY",
                "-1",
                "the environment variable OTEL_BSP_SCHEDULE_DELAY must be a whole number from 0 up, not `-1`",
            ),
        ] {
            let error = read(&[(name, value)]).err().unwrap_or_default();
            assert!(error.starts_with(message), "{error}");
        }
        let error = read(&[("TRACING_SAMPLER", "ratio"), ("TRACING_SAMPLER_ARG", "7")]).err().unwrap();
        assert_eq!(error, "TRACING_SAMPLER: the sampling ratio must be a number from 0 to 1, not 7");
    }
}
