//! In place of `rules.rs` without the feature `patterns`: secrets are known by their keys alone.

use std::borrow::Cow;

use spandrel_plugin_api::Error;
#[cfg(feature = "config")]
use spandrel_plugin_api::config::{Reader, Value};
use spandrel_redaction::{Category, Found};

use super::REDACTED;

#[derive(Clone, Default)]
pub(crate) struct RuleSettings {}

#[cfg(feature = "config")]
impl RuleSettings {
    pub(crate) fn read(&mut self, table: &mut Reader<'_>) -> Result<(), Error> {
        let asks = |key, is_off: fn(&Value) -> bool| {
            move |value: Option<&Value>| value.is_some_and(|value| !is_off(value)).then_some(key)
        };
        let patterns = asks("patterns", |value| matches!(value, Value::Boolean(false)))(table.value("patterns"));
        let rules =
            asks("rules", |value| matches!(value, Value::List(rules) if rules.is_empty()))(table.value("rules"));
        let mode = asks("mode", |value| matches!(value, Value::Text(mode) if mode == "redact"))(table.value("mode"));
        match patterns.or(rules).or(mode) {
            None => Ok(()),
            Some(key) => {
                let message = format!(
                    "this program was built without the feature `patterns`, and cannot do what `{key}` says; build it with the feature, or leave `{key}` out"
                );
                Err(table.error(key, message))
            }
        }
    }

    pub(crate) fn settings(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

#[derive(Debug)]
pub(crate) struct Rules;

impl Rules {
    #[expect(clippy::unnecessary_wraps, reason = "with the feature there are rules that cannot be used")]
    pub(crate) const fn new(_: &RuleSettings) -> Result<Self, Error> {
        Ok(Self)
    }

    pub(super) const fn none() -> Self {
        Self
    }

    #[inline(always)]
    pub(super) const fn may_change(&self, _: u32, _: &str) -> bool {
        false
    }

    pub(super) const fn find(&self, _: &str, _: Option<&str>) -> Vec<Found> {
        Vec::new()
    }

    #[inline(always)]
    pub(super) const fn keeps_number(&self, _: i64) -> bool {
        true
    }

    pub(super) const fn find_number(&self, _: &str, _: &str) -> Option<Category> {
        None
    }

    pub(super) const fn mark(&self, _: &str) -> Cow<'static, str> {
        Cow::Borrowed(REDACTED)
    }

    pub(super) const fn drops(&self) -> bool {
        false
    }

    pub(super) const fn calls(&self) -> bool {
        false
    }

    pub(super) const fn call(&self, _: Option<&str>, _: &str) -> Option<String> {
        None
    }
}
