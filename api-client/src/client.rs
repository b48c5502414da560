use std::fmt;
use std::sync::Arc;

use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use spandrel::ToValue;

use crate::attributes::SECRET_PARAMETERS;
use crate::budget::Budget;
use crate::builder::ApiClientBuilder;
use crate::error::{Call, ClientError};
use crate::request::{Options, Request};
use crate::response::Response;
use crate::retry::Retry;
use crate::{headers, send, url};

/// A traced HTTP client. Clones are cheap and share their connections.
#[derive(Clone)]
pub struct ApiClient {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) http: reqwest::Client,
    pub(crate) base_url: Option<String>,
    /// Ours and not those of reqwest, which would send them to any host.
    pub(crate) default_headers: HeaderMap,
    pub(crate) budget: Option<Budget>,
    pub(crate) settings: Settings,
}

pub(crate) type Attributes = Vec<(String, Box<dyn ToValue + Send + Sync>)>;

type StatusRule = dyn Fn(StatusCode) -> bool + Send + Sync;

type NameOf = dyn Fn(&reqwest::Request) -> Option<String> + Send + Sync;

/// What requests need to know of their client.
pub(crate) struct Settings {
    /// Set on each span.
    pub(crate) attributes: Attributes,
    pub(crate) has_no_spans: bool,
    /// Where trace headers go; `None`: everywhere.
    pub(crate) propagation: Option<Vec<String>>,
    pub(crate) retry: Option<Retry>,
    /// How many are followed.
    pub(crate) redirects: u32,
    /// Those that spans show.
    pub(crate) request_headers: Vec<HeaderName>,
    pub(crate) response_headers: Vec<HeaderName>,
    /// Parameters of the query.
    pub(crate) secret_parameters: Vec<String>,
    pub(crate) span_name: Option<Box<NameOf>>,
    pub(crate) is_error: Box<StatusRule>,
    pub(crate) is_transient: Box<StatusRule>,
}

impl ApiClient {
    /// A client with no settings.
    ///
    /// # Panics
    ///
    /// If TLS cannot be set up; [`builder`](Self::builder) gives an error then.
    #[must_use]
    pub fn new() -> Self {
        match Self::builder().build() {
            Ok(client) => client,
            Err(error) => panic!("{error}"),
        }
    }

    /// Begins to describe a client.
    pub fn builder() -> ApiClientBuilder {
        ApiClientBuilder::new()
    }

    /// A `GET` request.
    pub fn get(&self, url: &str) -> Request {
        self.request(Method::GET, url)
    }

    /// A `HEAD` request.
    pub fn head(&self, url: &str) -> Request {
        self.request(Method::HEAD, url)
    }

    /// A `POST` request.
    pub fn post(&self, url: &str) -> Request {
        self.request(Method::POST, url)
    }

    /// A `PUT` request.
    pub fn put(&self, url: &str) -> Request {
        self.request(Method::PUT, url)
    }

    /// A `PATCH` request.
    pub fn patch(&self, url: &str) -> Request {
        self.request(Method::PATCH, url)
    }

    /// A `DELETE` request.
    pub fn delete(&self, url: &str) -> Request {
        self.request(Method::DELETE, url)
    }

    /// A request to `url`, which may be relative to the base URL. One that cannot
    /// be used is an error when the request is sent.
    pub fn request(&self, method: Method, url: &str) -> Request {
        let url = url::resolved(self.inner.base_url.as_deref(), url);
        let builder = self.inner.http.request(method.clone(), url.as_str());
        Request::new(self.clone(), method, url, builder)
    }

    /// What a `GET` request gives back, parsed as JSON.
    ///
    /// # Errors
    ///
    /// As [`Request::send_json`].
    pub async fn get_json<T: DeserializeOwned>(&self, url: &str) -> Result<T, ClientError> {
        self.get(url).send_json().await
    }

    /// What a `POST` request with a body in JSON gives back, parsed as JSON.
    ///
    /// # Errors
    ///
    /// As [`Request::send_json`].
    pub async fn post_json<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        url: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        self.post(url).json(body).send_json().await
    }

    /// Sends a request that reqwest made, as [`Request::send`] does. The base URL is not for it.
    ///
    /// # Errors
    ///
    /// As [`Request::send`].
    pub async fn execute(&self, mut request: reqwest::Request) -> Result<Response, ClientError> {
        let shown_url = url::sanitized(request.url(), &self.settings().secret_parameters);
        let call = Call { method: request.method().clone(), url: shown_url, redirected_to: None, attempts: 0 };
        if url::has_credentials(request.url()) {
            // Reqwest makes a header of them only where it parses the URL itself.
            let parsed = self.http().get(request.url().clone()).build();
            let parsed = parsed.map_err(|error| ClientError::of_attempt(error, &call))?;
            *request.url_mut() = parsed.url().clone();
            headers::add_defaults(request.headers_mut(), parsed.headers());
        }
        let options = Options { has_span: !self.settings().has_no_spans, ..Options::default() };
        send::send(self, request, call, &options).await
    }

    /// The client of reqwest, for what is not offered here. What it sends is not traced,
    /// has no default headers, and its redirects are not followed.
    #[must_use]
    pub fn inner(&self) -> &reqwest::Client {
        &self.inner.http
    }

    pub(crate) fn of(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.inner.http
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn default_headers(&self) -> &HeaderMap {
        &self.inner.default_headers
    }

    pub(crate) fn budget(&self) -> Option<&Budget> {
        self.inner.budget.as_ref()
    }
}

impl Settings {
    /// Whether a host may know the trace.
    pub(crate) fn propagates_to(&self, host: &str) -> bool {
        self.propagation.as_ref().is_none_or(|list| headers::is_listed(list, host))
    }

    pub(crate) fn is_error(&self, status: StatusCode) -> bool {
        (self.is_error)(status)
    }

    pub(crate) fn is_transient(&self, status: StatusCode) -> bool {
        (self.is_transient)(status)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            attributes: Vec::new(),
            has_no_spans: false,
            propagation: None,
            retry: None,
            redirects: 10,
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            secret_parameters: SECRET_PARAMETERS.map(str::to_owned).to_vec(),
            span_name: None,
            is_error: Box::new(|status| status.is_client_error() || status.is_server_error()),
            is_transient: Box::new(|status| matches!(status.as_u16(), 408 | 429 | 502..=504)),
        }
    }
}

impl Default for ApiClient {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets = &self.settings().secret_parameters;
        let base_url = self.inner.base_url.as_deref().map(|url| url::readable(url, secrets));
        f.debug_struct("ApiClient").field("base_url", &base_url).finish_non_exhaustive()
    }
}
