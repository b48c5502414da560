use std::error::Error as StdError;
use std::fmt;

use reqwest::{Method, StatusCode};

/// What went wrong, for code that decides; the text is in the [`ClientError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientErrorKind {
    /// Nothing was sent: the client or the request cannot be built.
    Build,
    /// The host name has no address.
    Dns,
    /// No connection: refused, unreachable, or TLS failed.
    Connect,
    /// The time was up.
    Timeout,
    /// Too many redirects, or one that leads nowhere.
    Redirect,
    /// The response has a status from 400 up, and the caller did not want one.
    Status,
    /// The connection broke within a body, or the body to be sent could not be made.
    Body,
    /// The body is not what it should be.
    Decode,
    /// None of the above: the connection broke between request and response.
    Request,
}

/// A request without the response that was wanted.
///
/// Both `Display` and `Debug` print one sentence, and never the secrets of the URL.
#[derive(Clone)]
pub struct ClientError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ClientErrorKind,
    /// `None` if the client could not be built.
    call: Option<Call>,
    status: Option<StatusCode>,
    text: String,
    /// The text may quote from a body, after a colon.
    is_quoting: bool,
}

/// A request as errors tell of it.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Without secrets.
    pub(crate) url: String,
    /// Without secrets, if the last attempt went elsewhere.
    pub(crate) redirected_to: Option<String>,
    /// Those that began, redirects included.
    pub(crate) attempts: u32,
}

impl ClientError {
    pub(crate) fn of_client(text: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind: ClientErrorKind::Build,
            call: None,
            status: None,
            text: text.into(),
            is_quoting: false,
        }))
    }

    pub(crate) fn of_call(kind: ClientErrorKind, text: impl Into<String>, call: &Call) -> Self {
        Self(Box::new(Inner { kind, call: Some(call.clone()), status: None, text: text.into(), is_quoting: false }))
    }

    /// There is no response.
    pub(crate) fn of_attempt(error: reqwest::Error, call: &Call) -> Self {
        let error = error.without_url();
        Self::of_call(ClientErrorKind::of(&error), causes(&error), call)
    }

    /// The body of a response cannot be read. Reqwest calls all of it decoding.
    pub(crate) fn of_body(error: reqwest::Error, call: &Call) -> Self {
        let error = error.without_url();
        let kind = if error.is_timeout() { ClientErrorKind::Timeout } else { ClientErrorKind::Body };
        Self::of_call(kind, format!("the body ended early: {}", causes(&error)), call)
    }

    pub(crate) fn of_status(status: StatusCode, call: &Call) -> Self {
        let mut error = Self::of_call(ClientErrorKind::Status, format!("status {status}"), call);
        error.0.status = Some(status);
        error
    }

    /// The error as spans tell of it: without what a decoder quotes from the body.
    pub(crate) fn traced(&self) -> Self {
        let mut error = self.clone();
        if let Some(end) = error.0.text.find(": ").filter(|_| self.0.is_quoting) {
            error.0.text.truncate(end);
        }
        error
    }

    pub(crate) fn of_json(error: &serde_json::Error, call: &Call) -> Self {
        let text = format!("the body is not the JSON that was expected: {error}");
        let mut error = Self::of_call(ClientErrorKind::Decode, text, call);
        error.0.is_quoting = true;
        error
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ClientErrorKind {
        self.0.kind
    }

    /// The status of the response, if that is what is wrong.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// How often the request was sent, redirects included.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.call.as_ref().map_or(0, |call| call.attempts)
    }
}

impl ClientErrorKind {
    /// The kind in lower case, as the attribute `error.type` has it: `timeout`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Redirect => "redirect",
            Self::Status => "status",
            Self::Body => "body",
            Self::Decode => "decode",
            Self::Request => "request",
        }
    }

    fn of(error: &reqwest::Error) -> Self {
        if error.is_builder() {
            Self::Build
        } else if error.is_timeout() {
            Self::Timeout
        } else if error.is_dns() {
            Self::Dns
        } else if error.is_connect() {
            Self::Connect
        } else if error.is_body() {
            Self::Body
        } else {
            Self::Request
        }
    }
}

/// The texts of the error and of all that caused it. What reqwest says first is
/// no news if there is a cause: "builder error", "error sending request", "error decoding
/// response body".
pub(crate) fn causes(error: &reqwest::Error) -> String {
    let first: &(dyn StdError + 'static) = match error.source() {
        Some(source) if error.is_builder() || error.is_request() || error.is_decode() => source,
        _ => error,
    };
    let all = std::iter::successors(Some(first), |error| (*error).source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { call, text, .. } = &*self.0;
        let Some(Call { method, url, redirected_to, attempts }) = call else {
            return write!(f, "the API client cannot be built: {text}");
        };
        write!(f, "{method} {url} ")?;
        if let Some(url) = redirected_to {
            write!(f, "redirected to {url} ")?;
        }
        match attempts {
            0 => write!(f, "was not sent: {text}"),
            1 => write!(f, "failed: {text}"),
            _ => write!(f, "failed after {attempts} attempts: {text}"),
        }
    }
}

impl fmt::Debug for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// The causes are part of `Display`.
impl StdError for ClientError {}
