//! What is configured, and where it stands.

mod origin;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;
use spandrel::inspect::{self, Configuration};
use spandrel::{Error, ErrorKind};
use spandrel_plugin_api::AnyValue;
use spandrel_plugin_api::json::Object;
use spandrel_plugin_api::suggest::nearest;
use spandrel_prices::PriceTable;

use crate::failure::{Failure, explained};
use crate::output::{Output, Style};
use crate::warnings;
use origin::Origins;

const SCHEMA: &str = include_str!("config/schema.json");

#[derive(Args)]
pub(crate) struct ConfigFile {
    /// The configuration; SPANDREL_CONFIG, or spandrel.toml in this directory, unless given
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check file and environment, without starting anything
    Check {
        #[command(flatten)]
        file: ConfigFile,
        /// A provider that the service has by its own code
        #[arg(long, value_name = "NAME")]
        known: Vec<String>,
    },
    /// Show what file and environment come to; secrets are left out
    Show {
        #[command(flatten)]
        file: ConfigFile,
        /// Show what set each of them, too
        #[arg(long)]
        origin: bool,
    },
    /// Print the JSON schema of the file, for editors
    Schema,
}

pub(crate) fn run(command: &Command, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::Check { file, known } => check(file, known, output),
        Command::Show { file, origin } => show(file, *origin, output),
        Command::Schema => output.text(SCHEMA),
    }
}

impl ConfigFile {
    /// Reads it and the environment.
    pub(crate) fn read(&self) -> Result<Configuration, Error> {
        warnings::keep();
        inspect::configuration(self.config.as_deref())
    }

    /// The file that is read, if any.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let named = || std::env::var_os("SPANDREL_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let usual = || Some(PathBuf::from("spandrel.toml")).filter(|path| path.exists());
        self.config.clone().or_else(named).or_else(usual)
    }

    /// Its name for messages.
    pub(crate) fn shown(&self) -> String {
        self.path().map_or_else(|| "no file".to_owned(), |path| path.display().to_string())
    }
}

fn check(file: &ConfigFile, known: &[String], output: &mut Output) -> Result<(), Failure> {
    let read = file.read();
    let (types, mut problems) = match &read {
        Ok(configuration) => (configuration.types().to_vec(), problems(configuration, known)),
        Err(error) => (Vec::new(), vec![explained(error)]),
    };
    let mut warned = warnings::take();
    let mut notes = Vec::new();
    if let Ok(configuration) = &read {
        unused(configuration, known, &mut problems, &mut warned)?;
        notes = needs(configuration, known)?;
    }
    if output.json {
        output.object(|document| {
            document.boolean("ok", problems.is_empty());
            match file.path() {
                Some(path) => document.display("file", &path.display()),
                None => document.null("file"),
            }
            write_texts(document, "errors", &problems);
            write_texts(document, "warnings", &warned);
            write_texts(document, "notes", &notes);
        })?;
    } else {
        for warning in &warned {
            output.line(&[(Style::Warning, "warning: "), (Style::Plain, warning)])?;
        }
        for problem in &problems {
            output.line(&[(Style::Bad, "error: "), (Style::Plain, problem)])?;
        }
        if problems.is_empty() {
            let text = format!("{} and the environment are fine: type = {}", file.shown(), types.join(", "));
            output.line(&[(Style::Good, &text)])?;
        }
        for note in &notes {
            output.line(&[(Style::Dim, "note: "), (Style::Plain, note)])?;
        }
    }
    match read {
        Err(error) if error.kind() == ErrorKind::Io => Err(Failure::Io(String::new())),
        _ if !problems.is_empty() => Err(Failure::NotWell(String::new())),
        _ => Ok(()),
    }
}

pub(crate) fn write_texts(document: &mut Object<'_>, key: &str, texts: &[String]) {
    document.array(key, |all| texts.iter().for_each(|text| all.value(AnyValue::Str(text))));
}

/// What is wrong with the providers in use, and with the tables of `spandrel-genai`.
fn problems(configuration: &Configuration, known: &[String]) -> Vec<String> {
    let others = configuration.types().iter().filter(|name| !known.contains(name));
    let tables = wrong_tables(configuration).map(|(_, problem)| problem);
    let problem = |name: &String| {
        let error = check_provider(configuration, name).err()?;
        let is_unknown = error.kind() == ErrorKind::ProviderNotFound;
        if is_unknown && feature(configuration.provider_of(name)).is_some() {
            // The service can have it all the same; a note says so.
            return None;
        }
        let own = format!("\n  or: --known {name}, if the service has it by its own code");
        Some(explained(&error) + if is_unknown { &own } else { "" })
    };
    others.filter_map(problem).chain(tables).collect()
}

/// Which tables of `spandrel-genai` cannot be used, and why. A service starts all the same, as if they were empty.
pub(crate) fn wrong_tables(configuration: &Configuration) -> impl Iterator<Item = (&'static str, String)> {
    let (ai, prices) = (configuration.section("ai"), configuration.section("prices"));
    let ai = spandrel_genai::check_tables(&ai, "").err();
    let prices = spandrel_genai::check_tables("", &prices).err();
    let all = [("ai", ai), ("prices", prices)].into_iter();
    all.filter_map(|(table, error)| Some((table, placed(configuration, &error?))))
}

/// What models cost with the table `[prices]` in force.
pub(crate) fn prices(configuration: &Configuration) -> Result<PriceTable, Failure> {
    let table = spandrel_genai::price_table(&configuration.section("prices"));
    table.map_err(|error| Failure::NotWell(placed(configuration, &error)))
}

/// The error behind the place that set its key.
fn placed(configuration: &Configuration, error: &spandrel_genai::Error) -> String {
    match error.key().and_then(|key| configuration.section_origin(key)) {
        Some(at) => format!("{at}: {error}"),
        None => error.to_string(),
    }
}

/// Checks a provider as far as nothing of it need run.
pub(crate) fn check_provider(configuration: &Configuration, name: &str) -> Result<(), Error> {
    if configuration.is_linked(name) {
        return match configuration.check_provider(name) {
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
            checked => checked,
        };
    }
    let Err(why) = configuration.plugin(name) else { return Ok(()) };
    if why.kind() != ErrorKind::ProviderNotFound {
        return Err(why);
    }
    // The names of all providers are known here, and the places there.
    let message = configuration.check_provider(name).err();
    let mut error = Error::new(ErrorKind::ProviderNotFound, message.as_ref().unwrap_or(&why).message());
    if let Some(searched) = why.context("searched") {
        error = error.with_context("searched", searched);
    }
    let remedy = match feature(configuration.provider_of(name)) {
        Some((feature, _)) => {
            Some(format!("enable the cargo feature `{feature}` of spandrel in the service; this command cannot try it"))
        }
        None => why.context("remedy").map(str::to_owned),
    };
    Err(match remedy {
        Some(remedy) => error.with_context("remedy", remedy),
        None => error,
    })
}

/// The Cargo feature of `spandrel` that links a provider, and whether it is on by default.
///
/// Source: the features of `spandrel`.
fn feature(provider: &str) -> Option<(&'static str, bool)> {
    const FEATURES: [(&str, bool); 7] = [
        ("console", true),
        ("file", true),
        ("jaeger", false),
        ("memory", false),
        ("opentelemetry", false),
        ("otlp", false),
        ("zipkin", false),
    ];
    FEATURES.into_iter().find(|(name, _)| *name == provider)
}

/// What the service must have for each provider in use, which this command cannot see.
fn needs(configuration: &Configuration, known: &[String]) -> Result<Vec<String>, Failure> {
    let settings = configuration.provider_settings()?;
    let mut notes = Vec::new();
    for name in configuration.types().iter().filter(|name| !known.contains(name)) {
        let provider = configuration.provider_of(name);
        if let Ok(plugin) = configuration.plugin(name)
            && !configuration.is_linked(name)
        {
            let path = plugin.path.display();
            notes.push(format!("`{name}` is the plugin {path}: the service needs it where it runs, and the feature `dylib` of `spandrel`, which is on by default"));
            continue;
        }
        let Some((feature, is_default)) = feature(provider) else { continue };
        let usual = if is_default { ", which is on by default" } else { "" };
        let unchecked = if configuration.is_linked(name) { "" } else { "; its settings are not checked here" };
        notes.push(format!(
            "`{name}` needs the Cargo feature `{feature}` of `spandrel` in the service{usual}{unchecked}"
        ));
        let endpoint = format!("provider.{name}.endpoint");
        if settings.iter().any(|(key, value, _)| *key == endpoint && value.starts_with("\"https:")) {
            notes.push(format!(
                "`{endpoint}` is https, which needs the Cargo feature `tls` of `spandrel` in the service"
            ));
        }
    }
    Ok(notes)
}

/// Tables of providers that nobody has: a mistake if a name that is known is near.
fn unused(
    configuration: &Configuration,
    known: &[String],
    problems: &mut Vec<String>,
    warned: &mut Vec<String>,
) -> Result<(), Failure> {
    let settings = configuration.provider_settings()?;
    let names: BTreeSet<&str> = settings.iter().filter_map(|(key, ..)| key.split('.').nth(1)).collect();
    let plugins = configuration.plugin_names();
    let mut there: Vec<&str> = known.iter().chain(&plugins).chain(configuration.types()).map(String::as_str).collect();
    there.extend(["console", "file", "jaeger", "memory", "noop", "opentelemetry", "otlp", "zipkin"]);
    for name in names.into_iter().filter(|name| !there.contains(name) && !configuration.is_linked(name)) {
        let prefix = format!("provider.{name}.");
        let at = settings.iter().find(|(key, ..)| key.starts_with(&prefix)).map(|(.., origin)| origin.as_str());
        let at = at.unwrap_or_default();
        match nearest(name, there.iter().copied()) {
            Some(meant) => problems.push(format!(
                "there is no provider `{name}` to have settings; did you mean `{meant}`?\n  at: {at}\n  \
                 or: --known {name}, if the service has it by its own code"
            )),
            None => warned.push(format!(
                "there are settings for a provider `{name}`, which is neither in use nor known here\n  at: {at}"
            )),
        }
    }
    Ok(())
}

fn show(file: &ConfigFile, with_origin: bool, output: &mut Output) -> Result<(), Failure> {
    let configuration = file.read()?;
    for warning in warnings::take() {
        eprintln!("warning: {warning}");
    }
    for (_, problem) in wrong_tables(&configuration) {
        eprintln!("warning: {problem}; this table counts as empty");
    }
    let path = file.path();
    let settings = settings(&configuration, path.as_deref())?;
    if output.json {
        return output.object(|document| {
            match &path {
                Some(path) => document.display("file", &path.display()),
                None => document.null("file"),
            }
            document.array("settings", |all| {
                for Setting { key, value, origin } in &settings {
                    all.object(|object| {
                        object.text("key", key);
                        write_json(object, value);
                        object.text("origin", origin);
                    });
                }
            });
        });
    }
    for Setting { key, value, origin } in &settings {
        let line = format!("{key} = {value}");
        match with_origin {
            true => output.line(&[(Style::Plain, &format!("{line:<44}")), (Style::Dim, &format!("  # {origin}"))])?,
            false => output.line(&[(Style::Plain, &line)])?,
        }
    }
    Ok(())
}

/// A setting in force.
pub(crate) struct Setting {
    pub(crate) key: String,
    /// As TOML.
    pub(crate) value: String,
    pub(crate) origin: String,
}

/// All settings in force, each with what set it.
pub(crate) fn settings(configuration: &Configuration, path: Option<&Path>) -> Result<Vec<Setting>, Failure> {
    let text = match path {
        Some(path) => std::fs::read_to_string(path).map_err(|error| Failure::reading(path, &error))?,
        None => String::new(),
    };
    let name = path.map(|path| path.display().to_string()).unwrap_or_default();
    let origins = Origins::new(&text, &name)?;
    let mut settings: Vec<Setting> = Vec::new();
    for (key, value) in configuration.settings() {
        let origin = origins.of(&key);
        settings.push(Setting { key, value, origin });
    }
    if !settings.iter().any(|setting| setting.key == "sampler.type") {
        for (key, value) in origins.sampler_with_rules() {
            let origin = origins.of(&key);
            settings.push(Setting { key, value, origin });
        }
    }
    // Without a default, and so only where somebody has set it.
    if let Some((value, origin)) = origins.only_set("forced_traces_per_second", "TRACING_FORCED_TRACES_PER_SECOND") {
        settings.push(Setting { key: "forced_traces_per_second".to_owned(), value, origin });
    }
    settings.extend(sections(configuration));
    for (key, value, origin) in configuration.provider_settings()? {
        settings.push(Setting { key, value, origin });
    }
    Ok(settings)
}

/// The tables of crates on top of the facade.
fn sections(configuration: &Configuration) -> Vec<Setting> {
    let mut all: Vec<Setting> = Vec::new();
    for (key, value, origin) in configuration.section_settings() {
        let key = if key == "ai.dialects" { "ai.dialect".to_owned() } else { key };
        all.push(Setting { key, value, origin });
    }
    for (table, _) in wrong_tables(configuration) {
        all.retain(|setting| !setting.key.starts_with(&format!("{table}.")));
    }
    let schema: Value = serde_json::from_str(SCHEMA).unwrap_or_default();
    for (key, value) in defaults(&schema["properties"]["ai"], "ai") {
        if !all.iter().any(|setting| setting.key == key) {
            all.push(Setting { key, value, origin: "default".to_owned() });
        }
    }
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

/// The keys of a table that have a default, and that, as the schema tells it.
fn defaults(table: &Value, path: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (key, below) in table["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        all.extend(defaults(below, &path));
        all.extend(below.get("default").map(|value| (path, value.to_string())));
    }
    all
}

/// The value of TOML as one of JSON; what JSON has no place for is a text.
fn write_json(object: &mut Object<'_>, toml: &str) {
    match serde_json::from_str(toml) {
        Ok(Value::Array(values)) if values.iter().all(Value::is_string) => object.array("value", |all| {
            values.iter().filter_map(Value::as_str).for_each(|text| all.value(AnyValue::Str(text)));
        }),
        Ok(Value::Bool(value)) => object.boolean("value", value),
        Ok(Value::Number(number)) if number.is_i64() => object.number("value", number.as_i64().unwrap_or_default()),
        Ok(Value::Number(number)) => object.float("value", number.as_f64().unwrap_or_default()),
        Ok(Value::String(text)) => object.text("value", &text),
        _ => object.text("value", toml),
    }
}
