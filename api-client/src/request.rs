use std::fmt;
use std::time::Duration;

use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use spandrel::ToValue;

use crate::client::{ApiClient, Attributes};
use crate::error::{Call, ClientError};
use crate::response::Response;
use crate::{send, url};

/// A request that was not sent yet. See [`ApiClient::request`].
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    client: ApiClient,
    method: Method,
    url: String,
    builder: reqwest::RequestBuilder,
    options: Options,
}

/// What is not part of the request itself.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) has_span: bool,
    pub(crate) template: Option<String>,
    pub(crate) span_name: Option<String>,
    pub(crate) operation: Option<String>,
    pub(crate) attributes: Attributes,
    /// `None`: its method says it.
    pub(crate) is_idempotent: Option<bool>,
    pub(crate) has_no_retry: bool,
}

impl Request {
    pub(crate) fn new(client: ApiClient, method: Method, url: String, builder: reqwest::RequestBuilder) -> Self {
        let options = Options { has_span: !client.settings().has_no_spans, ..Options::default() };
        Self { client, method, url, builder, options }
    }

    /// A body in JSON, with its `content-type`.
    pub fn json<T: Serialize + ?Sized>(mut self, body: &T) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    /// A body: text, bytes, or a `reqwest::Body`. One that is a stream can be sent once:
    /// neither retries nor redirects that keep the body repeat it.
    pub fn body(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.body(body);
        self
    }

    /// A header, besides those of the same name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// The header `authorization` with a token.
    pub fn bearer(mut self, token: &str) -> Self {
        self.builder = self.builder.bearer_auth(token);
        self
    }

    /// The header `authorization` with a name and a password.
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        self.builder = self.builder.basic_auth(user, Some(password));
        self
    }

    /// Parameters of the query, added to those of the URL: `&[("page", 2)]`.
    pub fn query<T: Serialize + ?Sized>(mut self, parameters: &T) -> Self {
        self.builder = self.builder.query(parameters);
        self
    }

    /// How long one attempt may take, the body included, whatever the client says.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.builder = self.builder.timeout(timeout);
        self
    }

    /// The URL with names in place of values, for the name of the span: `/orders/{id}`.
    pub fn url_template(mut self, template: &str) -> Self {
        self.options.template = Some(template.to_owned());
        self
    }

    /// The name of the span of each attempt. It should not hold values: backends count by name.
    pub fn span_name(mut self, name: &str) -> Self {
        self.options.span_name = Some(name.to_owned());
        self
    }

    /// What the request is for: the name of a span around all attempts and redirects. Without
    /// it there is one only if the request may be retried, named `call GET /orders/{id}`.
    pub fn operation(mut self, name: &str) -> Self {
        self.options.operation = Some(name.to_owned());
        self
    }

    /// An attribute of each span, besides those of the client.
    pub fn attribute(mut self, key: &str, value: impl ToValue + Send + Sync + 'static) -> Self {
        self.options.attributes.push((key.to_owned(), Box::new(value)));
        self
    }

    /// Whether there are spans and trace headers; as the client has it unless set.
    pub fn tracing(mut self, on: bool) -> Self {
        self.options.has_span = on;
        self
    }

    /// Whether sending it twice does no more than sending it once; unless set, its method
    /// says it. A `POST` with an idempotency key may be repeated, a `GET` that counts may not.
    pub fn idempotent(mut self, is_idempotent: bool) -> Self {
        self.options.is_idempotent = Some(is_idempotent);
        self
    }

    /// Does without the retries of the client.
    pub fn no_retry(mut self) -> Self {
        self.options.has_no_retry = true;
        self
    }

    /// Sends it, and again if the client retries, until there is a response.
    ///
    /// A response with status 404 or 500 is `Ok`; see
    /// [`error_for_status`](Response::error_for_status).
    ///
    /// # Errors
    ///
    /// There is no response. [`ClientErrorKind::Build`](crate::ClientErrorKind::Build) if
    /// the request was not sent at all: URL, header or body cannot be used.
    pub async fn send(self) -> Result<Response, ClientError> {
        let Self { client, method, url, builder, options } = self;
        let secrets = &client.settings().secret_parameters;
        let mut call = Call { method, url: url::readable(&url, secrets), redirected_to: None, attempts: 0 };
        let request = builder.build().map_err(|error| ClientError::of_attempt(error, &call))?;
        let mut shown_url = request.url().clone();
        if Url::parse(&url).is_ok_and(|url| url::has_credentials(&url)) {
            // By now they are a header. That there were some is no secret.
            let _ = shown_url.set_username("x");
        }
        call.url = url::sanitized(&shown_url, secrets);
        send::send(&client, request, call, &options).await
    }

    /// Sends it and parses the JSON of a response with a status below 400.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), [`error_for_status`](Response::error_for_status) and
    /// [`json`](Response::json).
    pub async fn send_json<T: DeserializeOwned>(self) -> Result<T, ClientError> {
        self.send().await?.error_for_status()?.json().await
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = url::readable(&self.url, &self.client.settings().secret_parameters);
        write!(f, "Request({} {url})", self.method)
    }
}
