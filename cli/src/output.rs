use std::io::{self, BufWriter, IsTerminal, Write};

use clap::{Args, ValueEnum};
use spandrel_plugin_api::json::{self, Object};

use crate::failure::Failure;

#[derive(Args)]
pub(crate) struct OutputArguments {
    /// Print JSON with stable keys: one document, or a line for each span where there is no end
    #[arg(long, global = true)]
    json: bool,
    /// When to use colours; NO_COLOR turns them off, too
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: When,
}

#[derive(Clone, Copy, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// Standard output, and how to write to it.
pub(crate) struct Output {
    pub(crate) json: bool,
    colours: bool,
    /// Without its lock, which a provider at work in this process may want.
    out: BufWriter<io::Stdout>,
}

/// How a text is shown where there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Warning,
}

impl Output {
    pub(crate) fn new(arguments: &OutputArguments) -> Self {
        let out = io::stdout();
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let colours = match arguments.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                // Source: no-color.org.
                let wanted = variable("NO_COLOR").is_none() && variable("TERM").is_none_or(|term| term != "dumb");
                wanted && out.is_terminal()
            }
        };
        Self { json: arguments.json, colours, out: BufWriter::new(out) }
    }

    /// Writes a text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// Writes a line of texts, each in its style.
    pub(crate) fn line(&mut self, parts: &[(Style, &str)]) -> Result<(), Failure> {
        for (style, text) in parts {
            let code = match style {
                Style::Plain => "",
                Style::Bold => "1",
                Style::Dim => "2",
                Style::Good => "32",
                Style::Bad => "31",
                Style::Warning => "33",
            };
            if self.colours && !code.is_empty() && !text.is_empty() {
                write!(self.out, "\u{1b}[{code}m{text}\u{1b}[0m")?;
            } else {
                self.out.write_all(text.as_bytes())?;
            }
        }
        Ok(self.out.write_all(b"\n")?)
    }

    /// Writes one JSON object on a line.
    pub(crate) fn object(&mut self, fill: impl FnOnce(&mut Object<'_>)) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        json::object(&mut bytes, fill);
        bytes.push(b'\n');
        Ok(self.out.write_all(&bytes)?)
    }

    /// Shows what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }

    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.flush()
    }
}
