use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use spandrel::ToValue;

use crate::error::ClientError;
use crate::request::Request;
use crate::url;

/// A traced HTTP client. Clones are cheap and share their connections.
#[derive(Clone)]
pub struct ApiClient {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    base_url: Option<String>,
    settings: Settings,
}

/// What requests need to know of their client.
#[derive(Default)]
pub(crate) struct Settings {
    /// Set on each span.
    pub(crate) attributes: Vec<(String, Box<dyn ToValue + Send + Sync>)>,
    pub(crate) has_no_spans: bool,
    pub(crate) retries: u32,
}

/// Settings of an [`ApiClient`]. See [`ApiClient::builder`].
#[must_use = "there is no client before `build`"]
pub struct ApiClientBuilder {
    http: reqwest::ClientBuilder,
    base_url: Option<String>,
    headers: Vec<(String, String)>,
    settings: Settings,
}

impl ApiClient {
    /// A client with no settings.
    ///
    /// # Panics
    ///
    /// If TLS cannot be set up; [`builder`](Self::builder) gives an error then.
    #[must_use]
    pub fn new() -> Self {
        Self { inner: Arc::new(Inner { http: reqwest::Client::new(), base_url: None, settings: Settings::default() }) }
    }

    /// Begins to describe a client.
    pub fn builder() -> ApiClientBuilder {
        ApiClientBuilder {
            http: reqwest::Client::builder(),
            base_url: None,
            headers: Vec::new(),
            settings: Settings::default(),
        }
    }

    /// A `GET` request.
    pub fn get(&self, url: &str) -> Request {
        self.request(Method::GET, url)
    }

    /// A `POST` request.
    pub fn post(&self, url: &str) -> Request {
        self.request(Method::POST, url)
    }

    /// A `PUT` request.
    pub fn put(&self, url: &str) -> Request {
        self.request(Method::PUT, url)
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

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.inner.http
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }
}

impl ApiClientBuilder {
    /// What relative URLs are appended to, its path included.
    pub fn base_url(mut self, url: &str) -> Self {
        self.base_url = Some(url.to_owned());
        self
    }

    /// How long one attempt may take, the body included; no limit unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.http = self.http.timeout(timeout);
        self
    }

    /// A header that each request has unless it sets its own.
    pub fn default_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// An attribute of each span.
    pub fn attribute(mut self, key: &str, value: impl ToValue + Send + Sync + 'static) -> Self {
        self.settings.attributes.push((key.to_owned(), Box::new(value)));
        self
    }

    /// Whether there are spans and trace headers; yes unless set.
    pub fn tracing(mut self, on: bool) -> Self {
        self.settings.has_no_spans = !on;
        self
    }

    /// How often a request that may be repeated is sent again at most; 0 unless set.
    pub fn retries(mut self, retries: u32) -> Self {
        self.settings.retries = retries;
        self
    }

    /// Everything else: proxies, certificates, redirects. Drops an earlier
    /// [`timeout`](Self::timeout).
    pub fn reqwest(mut self, builder: reqwest::ClientBuilder) -> Self {
        self.http = builder;
        self
    }

    /// The client.
    ///
    /// # Errors
    ///
    /// [`ClientErrorKind::Build`](crate::ClientErrorKind::Build) if the base URL or a
    /// default header cannot be used, or TLS cannot be set up.
    pub fn build(self) -> Result<ApiClient, ClientError> {
        let mut http = self.http;
        if let Some(url) = &self.base_url {
            url::check_base(url).map_err(ClientError::of_client)?;
        }
        if !self.headers.is_empty() {
            let headers = self.headers.iter().map(parse_header).collect::<Result<HeaderMap, _>>();
            http = http.default_headers(headers.map_err(ClientError::of_client)?);
        }
        let http = http.build().map_err(|error| ClientError::of_client(crate::error::causes(&error)))?;
        Ok(ApiClient { inner: Arc::new(Inner { http, base_url: self.base_url, settings: self.settings }) })
    }
}

/// The value may be a secret, so the message does without it.
fn parse_header((name, value): &(String, String)) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = HeaderName::try_from(name).map_err(|error| error.to_string());
    let parsed = parsed.and_then(|name| Ok((name, HeaderValue::try_from(value).map_err(|error| error.to_string())?)));
    parsed.map_err(|error| format!("default header `{name}`: {error}"))
}

impl Default for ApiClient {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ApiClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base_url = self.inner.base_url.as_deref().map(url::readable);
        f.debug_struct("ApiClient").field("base_url", &base_url).finish_non_exhaustive()
    }
}

impl fmt::Debug for ApiClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base_url = self.base_url.as_deref().map(url::readable);
        f.debug_struct("ApiClientBuilder").field("base_url", &base_url).finish_non_exhaustive()
    }
}
