use std::fmt;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_core::Stream;
use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url, Version};
use serde::de::DeserializeOwned;

use crate::connect::Timings;
use crate::error::{Call, ClientError};
use crate::events::Events;
use crate::exchange::Exchange;
use crate::retry;

/// A response whose body was not read yet.
///
/// Its span is open until the body was read to its end, failed, or is dropped with
/// the response. It is the current span while the body is polled.
///
/// It is also a `Stream` of the body's parts, as they come.
pub struct Response {
    inner: reqwest::Response,
    call: Call,
    exchange: Exchange,
    is_read: bool,
}

impl Response {
    pub(crate) fn new(inner: reqwest::Response, call: Call, exchange: Exchange) -> Self {
        Self { inner, call, exchange, is_read: false }
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

    /// How long the server wants to be left alone: `Retry-After`, in seconds or as a date, or `retry-after-ms`.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        retry::asked_for(self.headers(), SystemTime::now())
    }

    /// Whether the server says that the same request may go better later, or not: `x-should-retry`.
    #[must_use]
    pub fn should_retry(&self) -> Option<bool> {
        retry::said_by_server(self.headers())
    }

    /// The version of HTTP.
    #[must_use]
    pub fn version(&self) -> Version {
        self.inner.version()
    }

    /// Where it came from, after all redirects. May hold secrets.
    #[must_use]
    pub fn url(&self) -> &Url {
        self.inner.url()
    }

    /// How often the request was sent, redirects included.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.call.attempts
    }

    /// How long the parts of the last attempt took.
    #[must_use]
    pub fn timings(&self) -> Timings {
        self.exchange.timings()
    }

    /// The next part of the body, as it came; `None` at its end. Nothing is kept: what is
    /// in memory is one part.
    ///
    /// # Errors
    ///
    /// [`ClientErrorKind::Body`](crate::ClientErrorKind::Body) if the connection broke,
    /// [`Timeout`](crate::ClientErrorKind::Timeout) if the time was up. The body ends with it.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        std::future::poll_fn(|cx| self.poll_chunk(cx)).await.transpose()
    }

    /// The body.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk).
    pub async fn bytes(mut self) -> Result<Bytes, ClientError> {
        self.read().await
    }

    /// The body as text; what is not UTF-8 is replaced.
    ///
    /// # Errors
    ///
    /// As [`chunk`](Self::chunk).
    pub async fn text(mut self) -> Result<String, ClientError> {
        Ok(String::from_utf8_lossy(&self.read().await?).into_owned())
    }

    /// The body, parsed as JSON.
    ///
    /// # Errors
    ///
    /// [`ClientErrorKind::Decode`](crate::ClientErrorKind::Decode) if it is not the JSON
    /// of a `T`; otherwise as [`chunk`](Self::chunk). The text may quote from the body;
    /// what the span has does not.
    pub async fn json<T: DeserializeOwned>(mut self) -> Result<T, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = std::future::poll_fn(|cx| self.poll_body(cx)).await.transpose()? {
            body.extend_from_slice(&chunk);
        }
        match serde_json::from_slice(&body) {
            Ok(value) => {
                self.end();
                Ok(value)
            }
            Err(error) => Err(self.fail(ClientError::of_json(&error, &self.call))),
        }
    }

    /// The body as server-sent events, whatever its content type.
    ///
    /// ```no_run
    /// # async fn listen(client: spandrel_api_client::ApiClient) -> Result<(), spandrel_api_client::ClientError> {
    /// let mut events = client.get("http://orders/changes").send().await?.error_for_status()?.events();
    /// while let Some(event) = events.next().await? {
    ///     println!("{}: {}", event.event, event.data);
    /// }
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn events(self) -> Events {
        Events::new(self)
    }

    /// The response again if its status is below 400.
    ///
    /// # Errors
    ///
    /// [`ClientErrorKind::Status`](crate::ClientErrorKind::Status) otherwise; the body is lost.
    pub fn error_for_status(self) -> Result<Self, ClientError> {
        let status = self.status();
        if status.is_client_error() || status.is_server_error() {
            return Err(ClientError::of_status(status, &self.call));
        }
        Ok(self)
    }

    /// The response of reqwest, for what is not offered here: cookies, upgrades.
    #[must_use]
    pub const fn inner(&self) -> &reqwest::Response {
        &self.inner
    }

    /// As [`inner`](Self::inner), with the body. The span ends here.
    #[must_use]
    pub fn into_inner(mut self) -> reqwest::Response {
        self.exchange.end();
        self.inner
    }

    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ClientError>>> {
        let chunk = ready!(self.poll_body(cx));
        if chunk.is_none() {
            self.end();
        }
        Poll::Ready(chunk)
    }

    /// Ends the exchange with an error, which it gives back.
    pub(crate) fn fail(&mut self, error: ClientError) -> ClientError {
        self.is_read = true;
        self.exchange.fail(&error);
        self.exchange.close();
        error
    }

    pub(crate) const fn call(&self) -> &Call {
        &self.call
    }

    async fn read(&mut self) -> Result<Bytes, ClientError> {
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut body = Vec::from(first);
        body.extend_from_slice(&second);
        while let Some(chunk) = self.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    }

    /// As `poll_chunk`, but the span goes on after the end.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ClientError>>> {
        if self.is_read {
            return Poll::Ready(None);
        }
        // The future keeps nothing between two polls: where it was is in the body.
        let inner = &mut self.inner;
        let chunk = ready!(self.exchange.span_mut().within(|_| pin!(inner.chunk()).poll(cx)));
        Poll::Ready(match chunk {
            Ok(Some(chunk)) => {
                self.exchange.add_read(chunk.len());
                Some(Ok(chunk))
            }
            Ok(None) => {
                self.is_read = true;
                None
            }
            Err(error) => Some(Err(self.fail(ClientError::of_body(error, &self.call)))),
        })
    }

    fn end(&mut self) {
        self.is_read = true;
        self.exchange.end_whole();
    }
}

impl Stream for Response {
    type Item = Result<Bytes, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_chunk(cx)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({} to {} {})", self.status(), self.call.method, self.call.url)
    }
}
