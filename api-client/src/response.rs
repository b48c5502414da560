use std::fmt;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;

use crate::error::{Call, ClientError};

/// A response whose body was not read yet.
pub struct Response {
    inner: reqwest::Response,
    call: Call,
}

impl Response {
    pub(crate) fn new(inner: reqwest::Response, call: Call) -> Self {
        Self { inner, call }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// The body, parsed as JSON.
    ///
    /// # Errors
    ///
    /// [`ClientErrorKind::Decode`](crate::ClientErrorKind::Decode) if it is not the JSON
    /// of a `T`, or what kept it from being read.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        self.inner.json().await.map_err(|error| ClientError::of_call(error, &self.call))
    }

    /// The body as text; what is not UTF-8 is replaced.
    ///
    /// # Errors
    ///
    /// What kept it from being read.
    pub async fn text(self) -> Result<String, ClientError> {
        self.inner.text().await.map_err(|error| ClientError::of_call(error, &self.call))
    }

    /// The response again if its status is below 400.
    ///
    /// # Errors
    ///
    /// [`ClientErrorKind::Status`](crate::ClientErrorKind::Status) otherwise; the body is lost.
    pub fn error_for_status(self) -> Result<Self, ClientError> {
        let Self { inner, call } = self;
        match inner.error_for_status() {
            Ok(inner) => Ok(Self { inner, call }),
            Err(error) => Err(ClientError::of_call(error, &call)),
        }
    }

    /// The response of reqwest, for what is not offered here: streams, cookies.
    pub fn into_inner(self) -> reqwest::Response {
        self.inner
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} to {} {})", self.status(), self.call.method, self.call.url)
    }
}
