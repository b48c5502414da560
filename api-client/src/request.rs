use std::fmt;

use reqwest::Method;
use serde::Serialize;
use spandrel::InSpanExt;

use crate::client::ApiClient;
use crate::error::{Call, ClientError};
use crate::response::Response;
use crate::{retry, span, url};

/// A request that was not sent yet. See [`ApiClient::request`].
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    client: ApiClient,
    method: Method,
    url: String,
    builder: reqwest::RequestBuilder,
    template: Option<String>,
    has_span: bool,
}

impl Request {
    pub(crate) fn new(client: ApiClient, method: Method, url: String, builder: reqwest::RequestBuilder) -> Self {
        let has_span = !client.settings().has_no_spans;
        Self { client, method, url, builder, template: None, has_span }
    }

    /// A body in JSON, with its `content-type`.
    pub fn json<T: Serialize + ?Sized>(mut self, body: &T) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    /// A header, besides those of the same name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// Parameters of the query, added to those of the URL: `&[("page", 2)]`.
    pub fn query<T: Serialize + ?Sized>(mut self, parameters: &T) -> Self {
        self.builder = self.builder.query(parameters);
        self
    }

    /// The URL with names in place of values, for the name of the span: `/orders/{id}`.
    pub fn url_template(mut self, template: &str) -> Self {
        self.template = Some(template.to_owned());
        self
    }

    /// Whether there are spans and trace headers; as the client has it unless set.
    pub fn tracing(mut self, on: bool) -> Self {
        self.has_span = on;
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
        let Self { client, method, url, builder, template, has_span } = self;
        let mut call = Call { method, url: url::readable(&url), attempts: 0 };
        let mut request = builder.build().map_err(|error| ClientError::of_call(error, &call))?;
        call.url = url::sanitized(request.url());
        let retries = if retry::may_repeat(&call.method) { client.settings().retries } else { 0 };
        loop {
            // A body that can be sent only once is sent only once.
            let again = if call.attempts < retries { request.try_clone() } else { None };
            call.attempts += 1;
            let outcome = if has_span {
                send_traced(&client, request, &call, template.as_deref()).await
            } else {
                send_once(&client, request, &call).await
            };
            match again.filter(|_| retry::is_worthwhile(&outcome)) {
                Some(again) => request = again,
                None => return outcome.map(|response| Response::new(response, call)),
            }
            tokio::time::sleep(retry::delay(call.attempts, &outcome)).await;
        }
    }
}

async fn send_traced(
    client: &ApiClient,
    mut request: reqwest::Request,
    call: &Call,
    template: Option<&str>,
) -> Result<reqwest::Response, ClientError> {
    let mut span = span::start(client.settings(), &request, call, template);
    span.within(|_| spandrel::inject(request.headers_mut()));
    let outcome = send_once(client, request, call).in_span_mut(&mut span).await;
    span::record(&mut span, &outcome);
    outcome
}

async fn send_once(
    client: &ApiClient,
    request: reqwest::Request,
    call: &Call,
) -> Result<reqwest::Response, ClientError> {
    client.http().execute(request).await.map_err(|error| ClientError::of_call(error, call))
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} {})", self.method, url::readable(&self.url))
    }
}
