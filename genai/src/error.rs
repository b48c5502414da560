use std::fmt;
use std::time::Duration;

/// What went wrong, for code that decides; the text is in the [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting cannot be used: unknown key, wrong type, value out of range.
    ConfigInvalid,
    /// Nothing was sent: the client or the request cannot be made.
    Build,
    /// There was no response: no connection, or it broke.
    Connect,
    /// The time was up, or nothing came for too long.
    Timeout,
    /// The provider refused, or failed: a status from 400 up.
    Status,
    /// A stream broke off: the connection broke, the provider told of an error, or the end is missing.
    Stream,
    /// The answer is not JSON.
    Decode,
}

/// A setting that cannot be used, or a call of a model without the answer that was wanted.
///
/// Of a call, `Display` has what the provider says, which may quote from the request; what spans get does not.
/// Neither has the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(pub(crate) Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inner {
    pub(crate) kind: ErrorKind,
    /// The setting.
    pub(crate) key: Option<String>,
    /// Without anything of the request or the answer.
    pub(crate) text: String,
    /// What the provider says.
    pub(crate) quoted: Option<String>,
    pub(crate) status: Option<u16>,
    /// What the provider calls it.
    pub(crate) code: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) is_transient: bool,
}

impl Error {
    /// Of settings; those of calls are made in `clients`.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(Box::new(Inner::new(ErrorKind::ConfigInvalid, text)))
    }

    pub(crate) fn with_key(mut self, key: impl Into<String>) -> Self {
        self.0.key = Some(key.into());
        self
    }

    /// The setting that cannot be used, if it is one: `ai.budget.day_usd`.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The status of the response, if that is what is wrong: 429.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// What the provider calls the error: `rate_limit_exceeded`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The provider's own id of the request, which its support asks for.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// How long the provider wants to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Whether the same call may go better later: no response, a time limit, a stream that broke off, a
    /// provider that is overloaded or says so.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.is_transient
    }

    /// The text for spans, which quotes nothing.
    pub(crate) fn traced(&self) -> String {
        match (self.0.kind, &self.0.code) {
            (ErrorKind::Status | ErrorKind::Stream, Some(code)) => format!("{} ({code})", self.0.text),
            _ => self.0.text.clone(),
        }
    }
}

impl Inner {
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self {
            kind,
            key: None,
            text: text.into(),
            quoted: None,
            status: None,
            code: None,
            request_id: None,
            retry_after: None,
            is_transient: matches!(kind, ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Stream),
        }
    }
}

impl ErrorKind {
    /// The kind in lower case, as the attribute `error.type` has it: `timeout`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigInvalid => "config_invalid",
            Self::Build => "build",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Stream => "stream",
            Self::Decode => "decode",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.traced())?;
        self.0.quoted.as_ref().map_or(Ok(()), |quoted| write!(f, ": {quoted}"))
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::ErrorKind;
    use crate::Settings;

    #[test]
    fn settings_have_the_same_error_as_calls() {
        let error = Settings::from_toml("contents = true").unwrap_err();
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::ConfigInvalid, false));
        assert!(error.to_string().starts_with("[ai]: unknown configuration key `contents`"), "{error}");
        assert_eq!((error.status(), error.code(), error.request_id()), (None, None, None));
    }
}
