use std::io;
use std::path::Path;
use std::process::ExitCode;

/// Why a command ends with another code than 0. Wrong usage, code 2, is clap's.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was asked for is not well. The text may be empty, if all is said.
    NotWell(String),
    /// Arguments that are right one by one, but not together.
    Usage(String),
    /// Something could not be read or written.
    Io(String),
    /// Nobody reads what is written, as behind `| head`: no failure at all.
    Closed,
}

/// What `--help` says about exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  it is well
  1  what was asked for is not well: a check failed, no such trace
  2  wrong usage
  3  something could not be read or written";

impl Failure {
    /// A file that cannot be read.
    pub(crate) fn reading(path: &Path, error: &io::Error) -> Self {
        Self::Io(format!("cannot read {}: {error}", path.display()))
    }

    /// A file that cannot be written.
    pub(crate) fn writing(path: &Path, error: &io::Error) -> Self {
        Self::Io(format!("cannot write {}: {error}", path.display()))
    }

    /// Says it on standard error; the code to exit with.
    pub(crate) fn report(self) -> ExitCode {
        let (code, text) = match self {
            Self::Closed => return ExitCode::SUCCESS,
            Self::NotWell(text) => (1, text),
            Self::Usage(text) => (2, text),
            Self::Io(text) => (3, text),
        };
        if !text.is_empty() {
            eprintln!("error: {text}");
        }
        ExitCode::from(code)
    }
}

/// Of standard output; files have [`Failure::writing`].
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Io(format!("cannot write: {error}")),
        }
    }
}

/// Of configuration and plugins.
impl From<spandrel::Error> for Failure {
    fn from(error: spandrel::Error) -> Self {
        match error.kind() {
            spandrel::ErrorKind::Io => Self::Io(explained(&error)),
            _ => Self::NotWell(explained(&error)),
        }
    }
}

/// An error on several lines: what it says, its cause, and each of its facts.
pub(crate) fn explained(error: &spandrel::Error) -> String {
    let mut text = error.message().to_owned();
    if let Some(source) = std::error::Error::source(error) {
        text.push_str(&format!(": {source}"));
    }
    for (key, value) in error.contexts() {
        text.push_str(&format!("\n  {key}: {value}"));
    }
    text
}
