//! Patterns, rules and a function of the user: what is secret by itself.

use std::borrow::Cow;
use std::sync::Arc;

#[cfg(feature = "config")]
use spandrel_plugin_api::config::{Reader, Table, Value};
use spandrel_plugin_api::{Error, ErrorKind, panics};
use spandrel_redaction::{Category, Found, Patterns};

use super::{REDACTED, counts, verdict};
use crate::setup::Builder;

/// What the configuration says of them.
#[derive(Clone)]
pub(crate) struct RuleSettings {
    categories: Vec<Category>,
    /// Names and regular expressions.
    rules: Vec<(String, String)>,
    mode: Mode,
    function: Option<Arc<Function>>,
}

/// What becomes of a secret.
#[cfg_attr(not(feature = "config"), expect(dead_code, reason = "chosen by the configuration alone"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Redact,
    Hash,
    Drop,
}

#[cfg(feature = "config")]
const MODES: [(&str, Mode); 3] = [("redact", Mode::Redact), ("hash", Mode::Hash), ("drop", Mode::Drop)];

type Function = dyn Fn(Option<&str>, &str) -> Option<String> + Send + Sync;

impl Default for RuleSettings {
    fn default() -> Self {
        Self { categories: Category::DEFAULT.to_vec(), rules: Vec::new(), mode: Mode::Redact, function: None }
    }
}

#[cfg(feature = "config")]
impl RuleSettings {
    /// Reads what `[redaction]` says of patterns.
    pub(crate) fn read(&mut self, table: &mut Reader<'_>) -> Result<(), Error> {
        match table.value("patterns") {
            None => {}
            Some(Value::Boolean(true)) => self.categories = Category::ALL.to_vec(),
            Some(Value::Boolean(false)) => self.categories.clear(),
            Some(Value::List(_)) => {
                let names = table.texts("patterns")?.unwrap_or_default();
                let categories = names.iter().map(|name| name.parse());
                let categories: Result<_, spandrel_redaction::UnknownCategory> = categories.collect();
                self.categories = categories.map_err(|error| table.error("patterns", error.to_string()))?;
            }
            Some(_) => return Err(table.error("patterns", "`patterns` must be true, false or a list of categories")),
        }
        let rules = table.tables("rules", |rule| {
            let (Some(name), Some(pattern)) = (rule.text("name")?, rule.text("pattern")?) else {
                return Err(rule.error("pattern", "a rule of redaction needs a `name` and a `pattern`"));
            };
            // Looked at here, where the place in the file is known.
            let checked = Patterns::new([]).with_rule(name, pattern);
            checked.map_err(|error| rule.error("pattern", error.to_string()))?;
            Ok((name.to_owned(), pattern.to_owned()))
        })?;
        self.rules.extend(rules.unwrap_or_default());
        if let Some(mode) = table.choice("mode", &MODES)? {
            self.mode = mode;
        }
        Ok(())
    }

    /// The settings by their keys.
    pub(crate) fn settings(&self) -> Vec<(&'static str, Value)> {
        let names = self.categories.iter().map(|category| Value::Text(category.name().to_owned()));
        let rules = self.rules.iter().map(|(name, pattern)| {
            let mut rule = Table::default();
            rule.set(&["name"], Value::Text(name.clone()));
            rule.set(&["pattern"], Value::Text(pattern.clone()));
            Value::Table(rule)
        });
        let mode = MODES.iter().find(|(_, mode)| *mode == self.mode).map_or("", |(name, _)| name);
        vec![
            ("redaction.patterns", Value::List(names.collect())),
            ("redaction.rules", Value::List(rules.collect())),
            ("redaction.mode", Value::Text(mode.to_owned())),
        ]
    }
}

impl Builder {
    /// A function that has the last word on every text of a span: names, values and status texts, and those of
    /// events, links and the resource. The first argument is the key of a value. `Some` takes the place of the text.
    ///
    /// It sees texts without what was redacted before. If it panics, the whole text becomes
    /// [`REDACTED`](crate::REDACTED), which is counted in [`redactions`](crate::redactions) and told once. It is called on the thread of the
    /// span, so that it must be quick; a second function takes the place of the first.
    ///
    /// ```
    /// let builder = spandrel::builder().redact_with(|key, text| {
    ///     (key == Some("shop.customer") && text.len() > 2).then(|| format!("{}...", &text[..2]))
    /// });
    /// # drop(builder);
    /// ```
    pub fn redact_with(self, f: impl Fn(Option<&str>, &str) -> Option<String> + Send + Sync + 'static) -> Self {
        let function: Arc<Function> = Arc::new(f);
        self.set(move |settings| settings.rules.function = Some(Arc::clone(&function)))
    }
}

/// What is looked for besides the values of keys, and what becomes of what is found.
pub(crate) struct Rules {
    patterns: Patterns,
    mode: Mode,
    function: Option<Arc<Function>>,
    is_active: bool,
}

impl Rules {
    pub(crate) fn new(settings: &RuleSettings) -> Result<Self, Error> {
        let mut patterns = Patterns::new(settings.categories.iter().copied());
        for (name, pattern) in &settings.rules {
            let with_rule = patterns.with_rule(name, pattern);
            patterns = with_rule.map_err(|error| Error::new(ErrorKind::ConfigInvalid, error.to_string()))?;
        }
        let is_active = !patterns.is_empty() || settings.function.is_some();
        Ok(Self { patterns, mode: settings.mode, function: settings.function.clone(), is_active })
    }

    pub(super) fn none() -> Self {
        Self { patterns: Patterns::new([]), mode: Mode::Redact, function: None, is_active: false }
    }

    /// A quick look; may say yes where nothing changes.
    #[inline(always)]
    pub(super) fn may_change(&self, redaction: u32, text: &str) -> bool {
        self.is_active && (self.function.is_some() || verdict::may_match(redaction, text, || self.may_match(text)))
    }

    #[inline(never)]
    fn may_match(&self, text: &str) -> bool {
        panics::contained(|| self.patterns.may_match(text)).unwrap_or(true)
    }

    pub(super) fn find(&self, text: &str, key: Option<&str>) -> Vec<Found> {
        if self.is_active { self.patterns.find(text, key) } else { Vec::new() }
    }

    /// Whether a number is none of a card or of a rule.
    #[inline(always)]
    pub(super) fn keeps_number(&self, number: i64) -> bool {
        // The shortest numbers of cards.
        !self.is_active || number < 10_000_000_000_000 || self.keeps_long_number(number)
    }

    #[cold]
    fn keeps_long_number(&self, number: i64) -> bool {
        !self.may_match(&number.to_string())
    }

    /// The category of a number that is a secret.
    pub(super) fn find_number(&self, number: &str, key: &str) -> Option<Category> {
        let found = panics::contained(|| self.find(number, Some(key)));
        found.map_or(Some(Category::Rule), |found| found.first().map(|found| found.category))
    }

    /// What takes the place of a secret.
    pub(super) fn mark(&self, secret: &str) -> Cow<'static, str> {
        match self.mode {
            Mode::Redact => Cow::Borrowed(REDACTED),
            Mode::Drop => Cow::Borrowed(""),
            Mode::Hash => {
                let hash = hmac_sha256::Hash::hash(secret.as_bytes());
                let digits: String = hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
                Cow::Owned(format!("[sha256:{digits}]"))
            }
        }
    }

    /// Whether attributes with secrets are left out.
    pub(super) fn drops(&self) -> bool {
        self.mode == Mode::Drop
    }

    /// Whether a function is called for each text.
    pub(super) const fn calls(&self) -> bool {
        self.function.is_some()
    }

    /// What the function makes of a text, if it changes it.
    pub(super) fn call(&self, key: Option<&str>, text: &str) -> Option<String> {
        let function = self.function.as_ref()?;
        let Some(changed) = panics::contained(|| function(key, text)) else {
            counts::count_failure(
                "the function of `redact_with` panicked; the texts that it panics for are redacted as a whole",
            );
            return Some(REDACTED.to_owned());
        };
        if changed.is_some() {
            counts::count_function();
        }
        changed
    }
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules").field("patterns", &self.patterns).field("mode", &self.mode).finish_non_exhaustive()
    }
}
