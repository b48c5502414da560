use std::fmt;
use std::time::Duration;

use spandrel_plugin_api::diagnostics::{Level, report};
use spandrel_plugin_api::{Error, ErrorKind, Stats};

/// What became of all spans, told at shutdown.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// The providers that were installed, in their order, with their counts.
    pub providers: Vec<(String, Stats)>,
    /// How long the shutdown took.
    pub elapsed: Duration,
}

/// Spans were lost, or a provider could not say that they were not.
#[non_exhaustive]
pub struct ShutdownError {
    /// The counts all the same.
    pub report: Report,
    /// What the first provider that failed says.
    pub error: Error,
}

impl Report {
    /// Sampled spans that ended, over all providers.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.sum(|stats| stats.recorded)
    }

    /// Spans that were exported everywhere where they should be.
    #[must_use]
    pub fn exported(&self) -> u64 {
        self.sum(Stats::exported)
    }

    /// Spans that were lost on their way somewhere.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.sum(Stats::dropped)
    }

    /// Spans that were still on their way when the deadline passed, or lie on disk for the next process.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.sum(Stats::pending)
    }

    /// Whether every recorded span is accounted for.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.providers.iter().all(|(_, stats)| stats.is_balanced())
    }

    fn sum(&self, count: impl Fn(&Stats) -> u64) -> u64 {
        self.providers.iter().map(|(_, stats)| count(stats)).sum()
    }

    /// Ok only if nothing was lost and nobody complained.
    pub(crate) fn judge(self, error: Option<Error>) -> Result<Self, ShutdownError> {
        // What lies on disk is not lost: the next process exports it.
        let waiting = |stats: &Stats| stats.branches.iter().map(|b| b.pending - b.spooled).max().unwrap_or(0);
        let lost = self.dropped() + self.sum(waiting);
        match error {
            None if lost == 0 => Ok(self),
            None => {
                let error = Error::new(ErrorKind::SpansLost, format!("{lost} spans were lost"));
                Err(ShutdownError { report: self, error })
            }
            Some(error) => Err(ShutdownError { report: self, error }),
        }
    }
}

/// The first of the errors. Only one can be given back: further ones are told as warnings.
pub(crate) fn first_error(results: impl Iterator<Item = Result<(), Error>>) -> Result<(), Error> {
    let mut first = Ok(());
    for error in results.filter_map(Result::err) {
        match first {
            Ok(()) => first = Err(error),
            Err(_) => report(Level::Warning, &error.to_string()),
        }
    }
    first
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (_, stats)) in self.providers.iter().enumerate() {
            write!(f, "{}{stats}", if i == 0 { "" } else { " | " })?;
        }
        Ok(())
    }
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.error, self.report)
    }
}

impl fmt::Debug for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ShutdownError {}
