use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use spandrel_plugin_api::{Error, ErrorKind};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::config::WebhookConfig;

/// A thread with a runtime of its own.
///
/// That of the service, if there is one, has statics in another copy of tokio; and
/// in a program that links this crate, its threads must not be blocked.
pub(crate) struct Courier {
    bodies: UnboundedSender<Bytes>,
    /// One for each body; disconnected when the thread is at its end.
    results: Receiver<Result<(), Error>>,
}

impl Courier {
    pub(crate) fn start(config: &Arc<WebhookConfig>) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let (bodies, received) = unbounded_channel();
        let (done, results) = channel();
        let config = Arc::clone(config);
        thread::Builder::new().name("webhook".to_owned()).spawn(move || {
            runtime.block_on(work(&config, received, &done));
            // A host name that is still being looked up keeps nobody waiting.
            runtime.shutdown_background();
        })?;
        Ok(Self { bodies, results })
    }

    /// Returns within the time that the configuration allows for a request.
    pub(crate) fn deliver(&mut self, body: Vec<u8>) -> Result<(), Error> {
        let gone = || Error::new(ErrorKind::Panicked, "the thread of the webhook has panicked");
        self.bodies.send(body.into()).map_err(|_| gone())?;
        self.results.recv().unwrap_or_else(|_| Err(gone()))
    }

    pub(crate) fn stop(self, deadline: Duration) -> Result<(), Error> {
        drop(self.bodies);
        match self.results.recv_timeout(deadline) {
            Err(RecvTimeoutError::Timeout) => {
                Err(Error::new(ErrorKind::Timeout, "the webhook has not stopped in time"))
            }
            Err(RecvTimeoutError::Disconnected) | Ok(_) => Ok(()),
        }
    }
}

async fn work(config: &WebhookConfig, mut bodies: UnboundedReceiver<Bytes>, done: &Sender<Result<(), Error>>) {
    while let Some(body) = bodies.recv().await {
        let result = match tokio::time::timeout(config.timeout, post(config, body)).await {
            Ok(Ok(status)) if status.is_success() => Ok(()),
            Ok(Ok(status)) => {
                let is_passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
                let kind = if is_passing { ErrorKind::Unavailable } else { ErrorKind::SpansLost };
                Err(Error::new(kind, "the endpoint has refused the batch").with_context("status", status.as_str()))
            }
            Ok(Err(error)) => Err(Error::new(ErrorKind::Unavailable, "cannot post to the endpoint").with_source(error)),
            Err(_) => Err(Error::new(ErrorKind::Timeout, "the endpoint has not answered in time")
                .with_context("timeout", format!("{:?}", config.timeout))),
        };
        // Without its query, which may have a key in it.
        let endpoint = || config.endpoint.to_string().split('?').next().unwrap_or_default().to_owned();
        let _ = done.send(result.map_err(|error| error.with_context("endpoint", endpoint())));
    }
}

async fn post(config: &WebhookConfig, body: Bytes) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    let host = config.endpoint.host().unwrap_or_default().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, config.endpoint.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);

    let path = config.endpoint.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::try_from(path)?;
    *request.headers_mut() = config.headers.clone();
    Ok(sender.send_request(request).await?.status())
}
