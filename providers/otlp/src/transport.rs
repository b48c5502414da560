use std::time::Duration;

use http_body_util::BodyExt;
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Body, Client, StatusCode, redirect, retry};
use spandrel_plugin_api::{Error, ErrorKind};
use spandrel_post::text::quoted;
use tokio::runtime::{Builder, Runtime};

use crate::config::{OtlpConfig, Protocol};
use crate::encode;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::tls;

/// Carries requests to the collector.
///
/// It has a runtime of its own, which runs only while one of its methods does: no thread,
/// and nothing depends on the runtime of the program or on there being one.
#[derive(Debug)]
pub(crate) struct Transport {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    client: Client,
    endpoint: Endpoint,
    headers: HeaderMap,
    timeout: Duration,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    /// The headers of the request.
    pub(crate) sent: &'a HeaderMap,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: HeaderMap,
}

/// Source: OTLP specification 1.x, "OTLP/HTTP Response".
const MOST_BYTES: usize = 4 << 20;

impl Transport {
    pub(crate) fn new(config: &OtlpConfig, endpoint: &Endpoint) -> Result<Self, Error> {
        let client = Client::builder().redirect(redirect::Policy::none()).retry(retry::never()).referer(false);
        let client = match config.protocol {
            Protocol::Grpc => client.http2_prior_knowledge(),
            _ => client.http1_only(),
        };
        let client = match config.proxy()? {
            Some(proxy) => client.proxy(proxy),
            None if config.proxy.is_some() => client.no_proxy(),
            None => client,
        };
        let client = tls::configure(client, config, endpoint)?;
        let client = client.build().map_err(|error| {
            Error::new(ErrorKind::Internal, "cannot set up the HTTP client").with_source(error.without_url())
        })?;
        // Names are looked up on threads of their own. One of them may hang, and an
        // attempt is given up before that.
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(4).build()?;
        Ok(Self {
            runtime: Some(runtime),
            client,
            endpoint: endpoint.clone(),
            headers: encode::headers(config),
            timeout: Duration::from_millis(config.timeout_ms),
        })
    }

    /// Sends one request and waits for its answer.
    pub(crate) fn exchange(&self, body: Vec<u8>) -> Result<Answer<'_>, Failure> {
        let Some(runtime) = &self.runtime else { return Err(Failure::Timeout) };
        runtime.block_on(async {
            notice_closed_connections().await;
            let exchanged = tokio::time::timeout(self.timeout, self.exchange_now(body)).await;
            exchanged.unwrap_or(Err(Failure::Timeout))
        })
    }

    async fn exchange_now(&self, body: Vec<u8>) -> Result<Answer<'_>, Failure> {
        let request = self.client.post(self.endpoint.url().clone()).headers(self.headers.clone()).body(body);
        let response = request.send().await.map_err(Failure::Transport)?;
        // The response itself does not give its trailers away.
        let (head, mut stream) = ::http::Response::<Body>::from(response).into_parts();
        let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
        while let Some(frame) = stream.frame().await {
            match frame.map_err(Failure::Transport)?.into_data() {
                Ok(data) if body.len() + data.len() > MOST_BYTES => return Err(Failure::AnswerTooLarge(head.status)),
                Ok(data) => body.extend_from_slice(&data),
                Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            }
        }
        Ok(Answer { sent: &self.headers, status: head.status, headers: head.headers, body, trailers })
    }

    /// Lets the connections do their work: answer pings, notice that they were closed.
    pub(crate) fn tend(&self) {
        if let Some(runtime) = &self.runtime {
            runtime.block_on(notice_closed_connections());
        }
    }

    /// Leaves everything to the parent, in the child of a fork. Closing the connections
    /// would take them out of the parent's epoll instance, which both have.
    pub(crate) fn abandon(mut self) {
        std::mem::forget(self.runtime.take());
        std::mem::forget(self);
    }
}

impl Answer<'_> {
    /// A header as text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What stands behind the body, or, of an answer that has none, in the headers.
    pub(crate) fn trailer(&self, name: &'static str) -> Option<&str> {
        self.trailers.get(name).or_else(|| self.headers.get(name))?.to_str().ok()
    }

    /// What the server said, without what it may have repeated of the headers sent to it.
    pub(crate) fn quoted(&self, said: &str) -> String {
        quoted(said.as_bytes(), self.sent)
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        // Waits for nothing, so that it may be dropped on any thread, one of a runtime included.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// While nothing is sent, nobody looks at the connections. One that the server has closed
/// since must not get the next request.
async fn notice_closed_connections() {
    // Each time the events that are there are taken in, and then the tasks that wait for them run.
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}
