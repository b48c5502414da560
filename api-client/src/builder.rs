use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::dns::Resolve;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use spandrel::ToValue;

use crate::client::{ApiClient, Inner, Settings};
use crate::connect::{SystemResolver, TimedLayer, TimedResolver};
use crate::error::{ClientError, causes};
use crate::retry::Retry;
use crate::{headers, metrics, url};

/// Settings of an [`ApiClient`]. See [`ApiClient::builder`].
#[must_use = "there is no client before `build`"]
pub struct ApiClientBuilder {
    /// `None`: that of reqwest as it is.
    http: Option<reqwest::ClientBuilder>,
    resolver: Option<Arc<dyn Resolve>>,
    base_url: Option<String>,
    headers: Vec<(String, String)>,
    captured_request_headers: Vec<String>,
    captured_response_headers: Vec<String>,
    timeout: Option<Duration>,
    settings: Settings,
}

impl ApiClientBuilder {
    pub(crate) fn new() -> Self {
        Self {
            http: None,
            resolver: None,
            base_url: None,
            headers: Vec::new(),
            captured_request_headers: Vec::new(),
            captured_response_headers: Vec::new(),
            timeout: None,
            settings: Settings::default(),
        }
    }

    /// What relative URLs are appended to, its path included.
    pub fn base_url(mut self, url: &str) -> Self {
        self.base_url = Some(url.to_owned());
        self
    }

    /// How long one attempt may take, the body included; no limit unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// A header that each request has unless it sets its own. When a redirect leads to
    /// another host, that one gets only `accept`, `accept-encoding`, `accept-language` and
    /// `user-agent` of them.
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

    /// The hosts that get trace headers and baggage: all unless set. Names without a port;
    /// `*.shop.internal` is what is below it, and an empty list is none.
    pub fn propagate_to(mut self, hosts: &[&str]) -> Self {
        let hosts = hosts.iter().map(|host| host.trim_matches(['[', ']']).to_ascii_lowercase());
        self.settings.propagation = Some(hosts.collect());
        self
    }

    /// How requests that may be repeated are sent again; they are not unless set.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.settings.retry = Some(retry);
        self
    }

    /// As [`retry`](Self::retry) with [`Retry::new`].
    pub fn retries(self, retries: u32) -> Self {
        self.retry(Retry::new(retries))
    }

    /// How many redirects a call follows; 10 unless set. One more is an error; with 0,
    /// a redirect is a response as any other.
    pub fn redirects(mut self, redirects: u32) -> Self {
        self.settings.redirects = redirects;
        self
    }

    /// Request headers that spans show, as `http.request.header.<name>`. Those with
    /// credentials are `REDACTED`.
    pub fn capture_request_headers(mut self, names: &[&str]) -> Self {
        self.captured_request_headers = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Response headers that spans show, as `http.response.header.<name>`. Cookies are
    /// `REDACTED`.
    pub fn capture_response_headers(mut self, names: &[&str]) -> Self {
        self.captured_response_headers = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Parameters of the query whose values are `REDACTED` wherever a URL is shown, in place
    /// of those of the conventions: `AWSAccessKeyId`, `Signature`, `X-Amz-Credential`,
    /// `X-Amz-Security-Token`, `X-Amz-Signature`, `X-Goog-Signature`, `sig`.
    pub fn sensitive_query_parameters(mut self, names: &[&str]) -> Self {
        self.settings.secret_parameters = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Names the span of each attempt; `None` leaves the name as it is. What the name holds
    /// is shown: no secrets, and few different names, as backends count by them.
    pub fn span_name(mut self, name: impl Fn(&reqwest::Request) -> Option<String> + Send + Sync + 'static) -> Self {
        self.settings.span_name = Some(Box::new(name));
        self
    }

    /// Which statuses make an error of a span; from 400 up unless set. What is retried and
    /// what is an error for the caller stays as it is.
    pub fn is_error(mut self, is_error: impl Fn(StatusCode) -> bool + Send + Sync + 'static) -> Self {
        self.settings.is_error = Box::new(is_error);
        self
    }

    /// After which statuses a request is sent again, if it may be; 408, 429, 502, 503 and 504 unless set. A server
    /// decides otherwise with `x-should-retry`.
    pub fn is_transient(mut self, is_transient: impl Fn(StatusCode) -> bool + Send + Sync + 'static) -> Self {
        self.settings.is_transient = Box::new(is_transient);
        self
    }

    /// Who looks up host names, in place of the system or what [`reqwest`](Self::reqwest) was given.
    pub fn dns_resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Everything else: proxies, certificates, connections.
    ///
    /// Its redirect policy is replaced, see [`redirects`](Self::redirects). Retries of its own would be
    /// seen by nobody. Its resolver stays, and what that takes is not known unless
    /// [`dns_resolver`](Self::dns_resolver) names one. Its default headers go to every host,
    /// so that [`build`](Self::build) refuses credentials in them.
    pub fn reqwest(mut self, builder: reqwest::ClientBuilder) -> Self {
        self.http = Some(builder);
        self
    }

    /// The client.
    ///
    /// # Errors
    ///
    /// [`ClientErrorKind::Build`](crate::ClientErrorKind::Build) if the base URL or a
    /// header cannot be used, or TLS cannot be set up.
    pub fn build(self) -> Result<ApiClient, ClientError> {
        let mut settings = self.settings;
        if let Some(url) = &self.base_url {
            url::check_base(url, &settings.secret_parameters).map_err(ClientError::of_client)?;
        }
        let headers = self.headers.iter().map(parse_header).collect::<Result<Vec<_>, _>>();
        let mut default_headers = HeaderMap::new();
        for (name, value) in headers.map_err(ClientError::of_client)? {
            default_headers.append(name, value);
        }
        settings.request_headers = parse_names(&self.captured_request_headers)?;
        settings.response_headers = parse_names(&self.captured_response_headers)?;
        let resolver = match &self.http {
            None => Some(self.resolver.unwrap_or_else(|| Arc::new(SystemResolver))),
            Some(_) => self.resolver,
        };
        let mut http = self.http.unwrap_or_default();
        if headers::holds_credentials(&http) {
            let text = "the default headers of the reqwest client hold credentials, which would go to other hosts \
                        with redirects: set them with `default_header`";
            return Err(ClientError::of_client(text));
        }
        if let Some(resolver) = resolver {
            http = http.dns_resolver(TimedResolver(resolver));
        }
        if let Some(timeout) = self.timeout {
            http = http.timeout(timeout);
        }
        let http = http.redirect(reqwest::redirect::Policy::none()).connector_layer(TimedLayer).build();
        let http = http.map_err(|error| ClientError::of_client(causes(&error)))?;
        metrics::describe();
        let budget = settings.retry.as_ref().and_then(Retry::new_budget);
        Ok(ApiClient::of(Inner { http, base_url: self.base_url, default_headers, budget, settings }))
    }
}

/// The value may be a secret, so the message does without it.
fn parse_header((name, value): &(String, String)) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = HeaderName::try_from(name).map_err(|error| error.to_string());
    let parsed = parsed.and_then(|name| Ok((name, HeaderValue::try_from(value).map_err(|error| error.to_string())?)));
    parsed.map_err(|error| format!("default header `{name}`: {error}"))
}

fn parse_names(names: &[String]) -> Result<Vec<HeaderName>, ClientError> {
    let parse =
        |name: &String| HeaderName::try_from(name).map_err(|error| format!("captured header `{name}`: {error}"));
    names.iter().map(parse).collect::<Result<_, _>>().map_err(ClientError::of_client)
}

impl fmt::Debug for ApiClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets = &self.settings.secret_parameters;
        let base_url = self.base_url.as_deref().map(|url| url::readable(url, secrets));
        f.debug_struct("ApiClientBuilder").field("base_url", &base_url).finish_non_exhaustive()
    }
}
