use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// What went wrong, for code that decides; the text is in the [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting cannot be used: unknown key, wrong type, value out of range.
    ConfigInvalid,
    /// No provider has the name that was asked for.
    ProviderNotFound,
    /// Tracing was installed before in this process.
    AlreadyInstalled,
    /// The operation is not offered by this provider.
    Unsupported,
    /// The backend cannot be reached now; the same call may work later.
    Unavailable,
    /// The deadline passed before the work was done.
    Timeout,
    /// The provider was shut down.
    Shutdown,
    /// Spans were lost; the message says how many and why.
    SpansLost,
    /// The provider panicked.
    Panicked,
    /// The operating system refused: file, socket, permission.
    Io,
    /// The bytes are not what their format promises.
    Malformed,
    /// None of the above.
    Internal,
}

/// An error with a kind to match and context to read.
///
/// Both `Display` and `Debug` print one sentence, so that `fn main() ->
/// Result<(), Error>` shows users something they can act on.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    context: Vec<(Cow<'static, str>, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

const RETRY_AFTER_MS: &str = "retry_after_ms";
const SPANS_LOST: &str = "spans_lost";

impl Error {
    /// An error of `kind`; `message` is lower case, without a full stop.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), context: Vec::new(), source: None }))
    }

    /// Adds a fact, shown as `key: value` behind the message.
    #[must_use]
    pub fn with_context(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.0.context.push((key.into(), value.into()));
        self
    }

    /// Adds the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says how long the backend wants to be left alone: an export that failed with
    /// [`ErrorKind::Unavailable`] is tried again then.
    ///
    /// Kept in whole milliseconds as the fact `retry_after_ms`, which is also how a plugin says it.
    #[must_use]
    pub fn with_retry_after(self, wait: Duration) -> Self {
        self.with_context(RETRY_AFTER_MS, wait.as_millis().to_string())
    }

    /// Says that of an exported batch only this many spans were lost, and the others arrived.
    ///
    /// Kept as the fact `spans_lost`, which is also how a plugin says it.
    #[must_use]
    pub fn with_spans_lost(self, spans: u64) -> Self {
        self.with_context(SPANS_LOST, spans.to_string())
    }

    /// How long the backend wants to be left alone, if it said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.context(RETRY_AFTER_MS)?.parse().ok().map(Duration::from_millis)
    }

    /// How many spans of the batch were lost, if it was not all of them.
    #[must_use]
    pub fn spans_lost(&self) -> Option<u64> {
        self.context(SPANS_LOST)?.parse().ok()
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message without its context.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The value added under `key`, if any.
    #[must_use]
    pub fn context(&self, key: &str) -> Option<&str> {
        self.contexts().find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// All facts, in the order in which they were added.
    pub fn contexts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.context.iter().map(|(key, value)| (key.as_ref(), value.as_str()))
    }

    /// The text of the error that caused this one, or empty.
    #[cfg(feature = "abi")]
    pub(crate) fn source_text(&self) -> String {
        self.0.source.as_ref().map(ToString::to_string).unwrap_or_default()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for (i, (key, value)) in self.0.context.iter().enumerate() {
            write!(f, "{}{key}: {value}", if i == 0 { " (" } else { "; " })?;
        }
        if !self.0.context.is_empty() {
            f.write_str(")")?;
        }
        if let Some(source) = &self.0.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The text of the source is part of `Display`; its own causes follow.
        self.0.source.as_deref().and_then(StdError::source)
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Error, ErrorKind};

    #[test]
    fn reads_as_one_sentence() {
        let error = Error::new(ErrorKind::Io, "cannot write the trace file")
            .with_context("path", "/x")
            .with_context("remedy", "choose another path")
            .with_source(std::io::Error::other("disk on fire"));
        let text = "cannot write the trace file (path: /x; remedy: choose another path): disk on fire";
        assert_eq!(error.to_string(), text);
        assert_eq!(format!("{error:?}"), text);
        assert_eq!(error.context("path"), Some("/x"));
    }

    #[test]
    fn says_when_to_try_again_and_what_was_lost() {
        let error = Error::new(ErrorKind::Unavailable, "busy");
        assert_eq!((error.retry_after(), error.spans_lost()), (None, None));
        let error = error.with_retry_after(Duration::from_millis(1500)).with_spans_lost(3);
        assert_eq!((error.retry_after(), error.spans_lost()), (Some(Duration::from_millis(1500)), Some(3)));
        assert_eq!(error.to_string(), "busy (retry_after_ms: 1500; spans_lost: 3)");
    }
}
