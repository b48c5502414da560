use std::ffi::OsStr;

use spandrel_plugin_api::Error;
use spandrel_plugin_api::config::{FromTable, Reader};

/// The table `[provider.console]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsoleConfig {
    /// Where to print.
    pub output: Output,
    /// What to print.
    pub format: Format,
    /// When to colour a tree; the other formats are never coloured.
    pub color: Color,
    /// Most spans that wait for the rest of their trace; beyond it the oldest
    /// trace is printed as it is.
    pub max_pending_spans: usize,
}

/// Where to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Output {
    /// On standard output.
    #[default]
    Stdout,
    /// On standard error.
    Stderr,
}

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Format {
    /// Each trace as a tree, once it is complete.
    #[default]
    Tree,
    /// Each span as a line of `key=value`, as it ends.
    Plain,
    /// Each span as a line with a JSON object, as it ends.
    Json,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Color {
    /// If the output is a terminal and the user has not set `NO_COLOR`.
    #[default]
    Auto,
    /// Whatever the output is.
    Always,
    /// Not at all.
    Never,
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        Self {
            output: Output::default(),
            format: Format::default(),
            color: Color::default(),
            max_pending_spans: 10_000,
        }
    }
}

impl FromTable for ConsoleConfig {
    fn from_table(table: &mut Reader<'_>) -> Result<Self, Error> {
        let outputs = [("stdout", Output::Stdout), ("stderr", Output::Stderr)];
        let formats = [("tree", Format::Tree), ("plain", Format::Plain), ("json", Format::Json)];
        let colors = [("auto", Color::Auto), ("always", Color::Always), ("never", Color::Never)];
        let default = Self::default();
        Ok(Self {
            output: table.choice("output", &outputs)?.unwrap_or(default.output),
            format: table.choice("format", &formats)?.unwrap_or(default.format),
            color: table.choice("color", &colors)?.unwrap_or(default.color),
            max_pending_spans: table.integer("max_pending_spans")?.unwrap_or(default.max_pending_spans),
        })
    }
}

impl Color {
    /// Decides, given the value of `NO_COLOR`; an empty one counts as unset.
    ///
    /// Source: <https://no-color.org>.
    pub(crate) fn is_on(self, is_terminal: bool, no_color: Option<&OsStr>) -> bool {
        match self {
            Self::Auto => is_terminal && no_color.is_none_or(OsStr::is_empty),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use spandrel_plugin_api::config::parse;

    use super::{Color, ConsoleConfig, Format, Output};

    #[test]
    fn no_color_turns_the_automatic_colour_off() {
        assert!(Color::Auto.is_on(true, None));
        assert!(Color::Auto.is_on(true, Some("".as_ref())));
        assert!(!Color::Auto.is_on(true, Some("0".as_ref())));
        assert!(!Color::Auto.is_on(false, None));
        assert!(Color::Always.is_on(false, Some("1".as_ref())));
        assert!(!Color::Never.is_on(true, None));
    }

    #[test]
    fn every_setting_has_a_default() {
        let config: ConsoleConfig = parse("").unwrap();
        assert_eq!(config, ConsoleConfig::default());

        let text = "output = 'stderr'\nformat = 'json'\ncolor = 'never'\nmax_pending_spans = 7";
        let config: ConsoleConfig = parse(text).unwrap();
        assert_eq!((config.output, config.format), (Output::Stderr, Format::Json));
        assert_eq!((config.color, config.max_pending_spans), (Color::Never, 7));
    }

    #[test]
    fn errors_name_the_key_and_what_is_possible() {
        let error = parse::<ConsoleConfig>("colour = 'auto'").unwrap_err();
        assert!(error.message().contains("did you mean `color`?"), "{error}");

        let error = parse::<ConsoleConfig>("format = 'xml'").unwrap_err();
        assert_eq!(error.context("key"), Some("format"));
        assert_eq!(error.message(), "`format` must be \"tree\" or \"plain\" or \"json\", not \"xml\"");
    }
}
