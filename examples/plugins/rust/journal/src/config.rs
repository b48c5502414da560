use std::num::NonZeroU64;
use std::path::PathBuf;

use serde::Deserialize;
use spandrel_plugin_api::{Error, ErrorKind, config};

/// The table `[provider.journal]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalConfig {
    /// Empty if it is missing, which `parse` refuses.
    #[serde(default)]
    pub(crate) path: PathBuf,
    pub(crate) slow_ms: Option<NonZeroU64>,
}

impl JournalConfig {
    /// Reads the table.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConfigInvalid`] that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let config: Self = config::deserialize(text)?;
        if config.path.as_os_str().is_empty() {
            return Err(Error::new(ErrorKind::ConfigInvalid, "`path` is missing")
                .with_context("key", "path")
                .with_context("remedy", "set path = \"journal.jsonl\""));
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::JournalConfig;

    #[test]
    fn mistakes_name_the_key() {
        for (text, key) in [
            ("", "`path` is missing (key: path"),
            ("paht = 'x'", "unknown field `paht`, expected `path` or `slow_ms`"),
            ("path = 'x'\nslow_ms = 0", "zero"),
        ] {
            let error = JournalConfig::parse(text).unwrap_err().to_string();
            assert!(error.contains(key), "{text}: {error}");
        }
    }
}
