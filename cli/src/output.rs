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
    /// Somebody looks on.
    pub(crate) is_terminal: bool,
    colours: bool,
    out: Sink,
}

enum Sink {
    /// Without its lock, which a provider at work in this process may want.
    Stdout(BufWriter<io::Stdout>),
    Page(Vec<u8>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::Page(page) => page.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::Page(_) => Ok(()),
        }
    }
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
        let is_terminal = out.is_terminal();
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let colours = match arguments.color {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                // Source: no-color.org.
                let wanted = variable("NO_COLOR").is_none() && variable("TERM").is_none_or(|term| term != "dumb");
                wanted && is_terminal
            }
        };
        Self { json: arguments.json, is_terminal, colours, out: Sink::Stdout(BufWriter::new(out)) }
    }

    /// The like of this, but what is written is kept: it may be written on another thread.
    pub(crate) fn page(&self) -> Self {
        Self { out: Sink::Page(Vec::new()), ..*self }
    }

    /// What a [`page`](Self::page) has kept.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        match self.out {
            Sink::Page(bytes) => bytes,
            Sink::Stdout(_) => Vec::new(),
        }
    }

    /// Writes what a page has kept.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.out.write_all(bytes)?)
    }

    /// Writes a text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.out.write_all(text.as_bytes())?)
    }

    /// Writes a line of texts, each in its style.
    pub(crate) fn line(&mut self, parts: &[(Style, &str)]) -> Result<(), Failure> {
        self.line_of(parts.iter().copied())
    }

    pub(crate) fn line_of<'a>(&mut self, parts: impl Iterator<Item = (Style, &'a str)>) -> Result<(), Failure> {
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
        self.bare_object(fill)?;
        self.text("\n")
    }

    /// Writes one JSON object that is a part of a larger document.
    pub(crate) fn bare_object(&mut self, fill: impl FnOnce(&mut Object<'_>)) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        json::object(&mut bytes, fill);
        self.bytes(&bytes)
    }

    /// Shows what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }

    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.flush()
    }
}
