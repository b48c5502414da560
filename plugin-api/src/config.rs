//! A provider's configuration table as a type.

use serde::de::DeserializeOwned;

use crate::suggest::nearest;
use crate::{Error, ErrorKind};

/// Reads a provider's table, the TOML text that its factory was given.
///
/// `T` should derive `Deserialize` with `#[serde(deny_unknown_fields, default)]`.
///
/// # Errors
///
/// [`ErrorKind::ConfigInvalid`] that says what is wrong, with the offending key
/// in the context `key` and, for an unknown key, the nearest known one.
///
/// # Examples
///
/// ```
/// #[derive(serde::Deserialize, Default)]
/// #[serde(deny_unknown_fields, default)]
/// struct Config { path: String }
///
/// let error = spandrel_plugin_api::config::parse::<Config>("pth = 'x'").err().unwrap();
/// assert_eq!(error.context("key"), Some("pth"));
/// assert!(error.message().contains("did you mean `path`?"));
/// ```
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    toml::from_str(text).map_err(|error| explain(&error, text))
}

/// Turns an error of the TOML reader into ours; `text` is what was read.
#[must_use]
pub fn explain(error: &toml::de::Error, text: &str) -> Error {
    let message = error.message().replace('\n', " ");
    let key = error.span().map(|span| key_at(text, span));
    let message = match backticked(&message).as_slice() {
        [unknown, known @ ..] if message.starts_with("unknown field") => {
            let known: Vec<&str> = known.to_vec();
            let meant = nearest(unknown, known.iter().copied());
            let meant = meant.map(|m| format!("; did you mean `{m}`?")).unwrap_or_default();
            format!("unknown configuration key `{unknown}`{meant} (known here: {})", known.join(", "))
        }
        _ => message,
    };
    let error = Error::new(ErrorKind::ConfigInvalid, message);
    match key {
        Some(key) if !key.is_empty() => error.with_context("key", key),
        _ => error,
    }
}

/// The words between back-ticks.
fn backticked(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

/// The key of the line that a span points into.
fn key_at(text: &str, span: std::ops::Range<usize>) -> String {
    let start = text[..span.start.min(text.len())].rfind('\n').map_or(0, |i| i + 1);
    let line = text[start..].lines().next().unwrap_or("");
    let key = line.split('=').next().unwrap_or("").trim();
    key.trim_matches(['[', ']', '"', '\'']).trim().to_owned()
}
