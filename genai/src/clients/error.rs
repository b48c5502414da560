use std::fmt;

use serde_json::Value as Json;
use spandrel_api_client::{ClientError, ClientErrorKind};

use super::options::Key;

/// What went wrong with a call, for code that decides; the text is in the [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
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

/// A call of a model without the answer that was wanted.
///
/// `Display` has what the provider says, which may quote from the request; what spans get does not.
/// Neither has the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    status: Option<u16>,
    /// What the provider calls it.
    code: Option<String>,
    /// Without anything of the request or the answer.
    text: String,
    /// What the provider says.
    quoted: Option<String>,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, status: None, code: None, text: text.into(), quoted: None }
    }

    /// There was no response, or not all of its body.
    pub(super) fn of_client(error: &ClientError, is_stream: bool) -> Self {
        let kind = match error.kind() {
            ClientErrorKind::Build => ErrorKind::Build,
            ClientErrorKind::Timeout => ErrorKind::Timeout,
            ClientErrorKind::Decode => ErrorKind::Decode,
            _ if is_stream => ErrorKind::Stream,
            _ => ErrorKind::Connect,
        };
        Self { code: Some(error.kind().as_str().to_owned()), ..Self::new(kind, error.to_string()) }
    }

    /// The response has a status from 400 up, and this body.
    pub(super) fn of_status(status: u16, body: &[u8], call: &str, key: &Key) -> Self {
        let error =
            Self { status: Some(status), ..Self::new(ErrorKind::Status, format!("{call} failed: status {status}")) };
        match serde_json::from_slice(body) {
            Ok(body) => error.told(&body, key),
            Err(_) => error,
        }
    }

    /// The stream told of an error.
    pub(super) fn of_event(event: &Json, call: &str, key: &Key) -> Self {
        Self::new(ErrorKind::Stream, format!("{call} failed: the provider broke the stream off")).told(event, key)
    }

    /// With what the provider says of it: `{"error": {"type", "code", "message"}}`, the same
    /// without the object around it, or within a response.
    fn told(mut self, body: &Json, key: &Key) -> Self {
        let inner = [&body["response"]["error"], &body["error"], body].into_iter().find(|error| error.is_object());
        let Some(error) = inner else { return self };
        let text = |name: &str| error[name].as_str().map(|text| key.removed_from(text));
        self.code = text("code").or_else(|| text("type")).filter(|code| is_code(code));
        self.quoted = text("message");
        self
    }

    /// What went wrong.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The status of the response, if that is what is wrong: 429.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        self.status
    }

    /// What the provider calls the error: `rate_limit_exceeded`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The value of `error.type`: the status, the provider's word, or the kind.
    pub(super) fn error_type(&self) -> String {
        match (self.status, &self.code) {
            (Some(status), _) => status.to_string(),
            (None, Some(code)) => code.clone(),
            (None, None) => self.kind.as_str().to_owned(),
        }
    }

    /// The text for spans, which quotes nothing.
    pub(super) fn traced(&self) -> String {
        match (self.kind, &self.code) {
            (ErrorKind::Status | ErrorKind::Stream, Some(code)) => format!("{} ({code})", self.text),
            _ => self.text.clone(),
        }
    }
}

/// Whether it is a word of an API; anything else may be a sentence with something in it.
fn is_code(code: &str) -> bool {
    code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

impl ErrorKind {
    const fn as_str(self) -> &'static str {
        match self {
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
        self.quoted.as_ref().map_or(Ok(()), |quoted| write!(f, ": {quoted}"))
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Error, ErrorKind};
    use crate::clients::options::Key;

    #[test]
    fn errors_say_what_the_provider_says_and_spans_do_not() {
        let body = json!({ "error": { "type": "invalid_request_error", "code": null, "message": "sk-1 is not for 'my secret'" } });
        let error =
            Error::of_status(400, body.to_string().as_bytes(), "openai POST /chat/completions", &Key::new("sk-1"));
        assert_eq!(
            error.to_string(),
            "openai POST /chat/completions failed: status 400 (invalid_request_error): [key] is not for 'my secret'"
        );
        assert_eq!(error.traced(), "openai POST /chat/completions failed: status 400 (invalid_request_error)");
        assert_eq!((error.kind(), error.status(), error.error_type().as_str()), (ErrorKind::Status, Some(400), "400"));
        assert!(!format!("{error:?}").contains("sk-1"));
    }

    #[test]
    fn a_code_that_is_a_sentence_is_none() {
        let event = json!({ "type": "error", "error": { "type": "you said my secret", "message": "no" } });
        let error = Error::of_event(&event, "x", &Key::new("k"));
        assert_eq!((error.code(), error.error_type().as_str()), (None, "stream"));
    }
}
