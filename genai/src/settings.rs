use std::cell::Cell;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::Deserialize;
use spandrel::Tracer;
use spandrel::diagnostics::{Level, report};
use spandrel_prices::PriceTable;

use crate::budget::Budgets;
use crate::{Dialect, Error};
use crate::{mistakes, prices};

/// The table `[ai]` of the configuration.
///
/// Each key may be set by a variable as well: `TRACING_AI__CONTENT=true`. Unknown keys are errors.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Settings {
    /// The names that are written; `otel-genai-1.41` unless set. One, several in a list, or `both`
    /// for those of OpenTelemetry and OpenInference.
    #[serde(deserialize_with = "dialects", alias = "dialects")]
    pub dialect: Vec<Dialect>,
    /// Whether messages, prompts, arguments and results are recorded; no unless set.
    pub content: bool,
    /// Longer texts are cut; 16,384 bytes unless set.
    pub max_content_bytes: usize,
    /// Whether session and user travel on with requests, as baggage; no unless set: whoever
    /// is called can read them.
    pub baggage: bool,
    /// What is left out although `content` is on.
    pub hide: Hide,
    /// What may be spent.
    pub budget: Budgets,
}

/// Kinds of content that are not recorded.
///
/// Source: OpenInference, spec/configuration.md of 2026-08; each is also set by its variable
/// there, `OPENINFERENCE_HIDE_INPUTS` and so on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Hide {
    /// `input.value`, all messages that go in, and tool definitions.
    pub inputs: bool,
    /// `output.value` and all messages that come out.
    pub outputs: bool,
    /// All messages that go in.
    pub input_messages: bool,
    /// All messages that come out.
    pub output_messages: bool,
    /// Texts in messages that go in; their roles stay.
    pub input_text: bool,
    /// Texts in messages that come out; their roles stay.
    pub output_text: bool,
    /// Images in messages that go in.
    pub input_images: bool,
    /// Temperature and the like, as one JSON text.
    pub llm_invocation_parameters: bool,
    /// Templates of prompts and their variables.
    pub llm_prompts: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dialect: vec![Dialect::OtelGenai141],
            content: false,
            max_content_bytes: 16_384,
            baggage: false,
            hide: Hide::default(),
            budget: Budgets::default(),
        }
    }
}

impl Settings {
    /// Reads the table `[ai]`, given as TOML.
    ///
    /// # Errors
    ///
    /// If a key or a value is not known; the message names it, and what is possible.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|error| mistakes::told(text, &error))
    }
}

/// Names, alone or in a list.
fn dialects<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Dialect>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "`dialect` must be a name or a list of names")]
    enum Names {
        One(String),
        Several(Vec<String>),
    }
    let names = match Names::deserialize(deserializer)? {
        Names::One(names) => names.split(',').map(|name| name.trim().to_owned()).collect(),
        Names::Several(names) => names,
    };
    let mut dialects = Vec::new();
    for name in names {
        let named = match name.as_str() {
            "both" => vec![Dialect::OtelGenai141, Dialect::OpenInference],
            name => {
                use serde::de::IntoDeserializer;
                let name: serde::de::value::StrDeserializer<'_, D::Error> = name.into_deserializer();
                vec![Dialect::deserialize(name)?]
            }
        };
        named.into_iter().for_each(|dialect| {
            if !dialects.contains(&dialect) {
                dialects.push(dialect);
            }
        });
    }
    match dialects.is_empty() {
        true => Err(serde::de::Error::custom("`dialect` names nothing; leave it out for `otel-genai-1.41`")),
        false => Ok(dialects),
    }
}

/// What is in force for a tracer: read once from its configuration.
#[derive(Debug)]
pub(crate) struct InForce {
    pub(crate) settings: Settings,
    pub(crate) prices: Prices,
}

#[derive(Debug)]
pub(crate) enum Prices {
    Embedded,
    Own(Box<PriceTable>),
}

impl InForce {
    pub(crate) fn prices(&self) -> &PriceTable {
        match &self.prices {
            Prices::Embedded => PriceTable::embedded(),
            Prices::Own(table) => table,
        }
    }

    /// What is wrong is told once, and counts as not set: without content, with the prices we have.
    fn of(tracer: Tracer) -> Self {
        let told = |error: Error| report(Level::Warning, &format!("{error}; this table counts as empty"));
        let settings = Settings::from_toml(tracer.section("ai")).map_err(told).unwrap_or_default();
        let prices = prices::read(tracer.section("prices")).map_err(told).unwrap_or(Prices::Embedded);
        let in_force = Self { settings, prices };
        // Read now, so that the first call does not seem to take longer.
        in_force.prices();
        in_force
    }
}

/// What is in force on this thread now.
pub(crate) fn in_force() -> &'static InForce {
    thread_local! {
        static LAST: Cell<Option<(Tracer, &'static InForce)>> = const { Cell::new(None) };
    }
    let Some(tracer) = spandrel::tracer() else { return without_tracer() };
    match LAST.get() {
        Some((known, in_force)) if known == tracer => in_force,
        _ => {
            let in_force = tracer.extension(InForce::of);
            LAST.set(Some((tracer, in_force)));
            in_force
        }
    }
}

/// Reads the tables `[ai]` and `[prices]` of the tracer in force.
///
/// They are read at the first operation anyway, where a mistake is a warning; call this at the
/// start of the program to make it an error.
///
/// # Errors
///
/// If a key or a value is not known, or the file of prices cannot be read.
pub fn check() -> Result<Settings, Error> {
    let Some(tracer) = spandrel::tracer() else { return Ok(Settings::default()) };
    check_tables(tracer.section("ai"), tracer.section("prices"))
}

/// Reads the tables `[ai]` and `[prices]`, given as TOML.
///
/// # Errors
///
/// As of [`check`].
pub fn check_tables(ai: &str, prices: &str) -> Result<Settings, Error> {
    prices::read(prices)?;
    Settings::from_toml(ai)
}

/// The prices that the table `[prices]`, given as TOML, comes to.
///
/// # Errors
///
/// As of [`check`].
pub fn price_table(prices: &str) -> Result<PriceTable, Error> {
    Ok(match prices::read(prices)? {
        Prices::Embedded => PriceTable::embedded().clone(),
        Prices::Own(table) => *table,
    })
}

fn without_tracer() -> &'static InForce {
    static DEFAULTS: OnceLock<InForce> = OnceLock::new();
    DEFAULTS.get_or_init(|| InForce { settings: Settings::default(), prices: Prices::Embedded })
}

/// A lock that a panic does not close.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
