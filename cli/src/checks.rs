//! Findings, one a line, each with what to do about it.

use crate::failure::Failure;
use crate::output::{Output, Style};

/// What was looked at, and how it is.
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) state: State,
    /// The first line is the finding; more lines are facts about it.
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Fine,
    Warning,
    Failed,
}

impl Check {
    pub(crate) fn fine(what: &str, text: impl Into<String>) -> Self {
        Self { what: what.to_owned(), state: State::Fine, text: text.into() }
    }

    pub(crate) fn warning(what: &str, text: impl Into<String>) -> Self {
        Self { what: what.to_owned(), state: State::Warning, text: text.into() }
    }

    pub(crate) fn failed(what: &str, text: impl Into<String>) -> Self {
        Self { what: what.to_owned(), state: State::Failed, text: text.into() }
    }
}

/// Prints them; a failure if one has failed.
pub(crate) fn tell(checks: &[Check], output: &mut Output) -> Result<(), Failure> {
    let failed = checks.iter().any(|check| check.state == State::Failed);
    if output.json {
        output.object(|document| {
            document.boolean("ok", !failed);
            document.array("checks", |all| {
                for check in checks {
                    all.object(|object| {
                        object.text("check", &check.what);
                        object.text("state", check.state.word());
                        object.text("text", &check.text);
                    });
                }
            });
        })?;
    } else {
        for check in checks {
            let style = match check.state {
                State::Fine => Style::Good,
                State::Warning => Style::Warning,
                State::Failed => Style::Bad,
            };
            let mut lines = check.text.lines();
            let first = format!("  {:<13}  {}", check.what, lines.next().unwrap_or_default());
            output.line(&[(style, &format!("{:<7}", check.state.word())), (Style::Plain, &first)])?;
            for line in lines {
                output.line(&[(Style::Plain, &format!("{:24}{}", "", line.trim_start()))])?;
            }
        }
    }
    if failed { Err(Failure::NotWell(String::new())) } else { Ok(()) }
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}
