use std::sync::Arc;

use serde_json::Value as Json;
use spandrel::InSpanExt;
use spandrel_api_client::Response;

use super::answer::ModelAnswer;
use super::client::{Connection, Protocol};
use super::parameters;
use super::stream::ModelStream;
use crate::{Error, ErrorKind, Operation, Running, answer_error, operation};

/// How much of the body of an error is read.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// A call of a model that was not sent yet.
#[derive(Debug, Clone)]
#[must_use = "a call does nothing until it is sent"]
pub struct ModelCall {
    connection: Arc<Connection>,
    operation: Operation,
    path: &'static str,
    body: Json,
    is_traced: bool,
}

impl ModelCall {
    pub(super) fn new(connection: &Arc<Connection>, operation: Operation, path: &'static str, body: Json) -> Self {
        Self { connection: Arc::clone(connection), operation, path, body, is_traced: true }
    }

    /// Whether there are spans; what it used and cost is counted all the same.
    pub fn trace(mut self, is_traced: bool) -> Self {
        self.is_traced = is_traced;
        self
    }

    /// Sends it, and waits for the whole answer.
    ///
    /// # Errors
    ///
    /// There is no answer; each kind of [`ErrorKind`] but [`Stream`](ErrorKind::Stream). The span has
    /// the status, or what else it was, as `error.type`.
    pub async fn send(self) -> Result<ModelAnswer, Error> {
        let mut running = self.begin(None);
        let outcome = self.exchange().in_span_mut(running.span()).await;
        match outcome {
            Ok(body) => {
                // Some answer with a status of 200; what they say may quote the request, or the key.
                if let Some((kind, _)) = answer_error::read(&body) {
                    let text = format!("{} failed: the answer is an error ({kind})", self.connection.name(self.path));
                    running.set_error(kind, text);
                }
                running.set_answer(&body);
                Ok(ModelAnswer::new(body, running.usage().copied()))
            }
            Err(error) => {
                running.set_error(error.error_type(), error.traced());
                Err(error)
            }
        }
    }

    /// Sends it, and gives the answer in parts as they come. The operation goes on until the
    /// stream ends, fails or is dropped; what came until then is in its span.
    ///
    /// The request gets `stream: true`, and with OpenAI's chat `stream_options.include_usage: true`
    /// unless it says otherwise, as usage is not told without.
    ///
    /// # Errors
    ///
    /// The stream did not begin, as with [`send`](Self::send).
    pub async fn stream(mut self) -> Result<ModelStream, Error> {
        self.ask_for_stream();
        let mut running = self.begin(Some(true));
        let outcome = self.open().in_span_mut(running.span()).await;
        match outcome {
            Ok(response) => Ok(ModelStream::new(running, response, Arc::clone(&self.connection), self.path)),
            Err(error) => {
                running.set_error(error.error_type(), error.traced());
                Err(error)
            }
        }
    }

    fn ask_for_stream(&mut self) {
        let Some(body) = self.body.as_object_mut() else { return };
        body.insert("stream".to_owned(), true.into());
        if self.path == "/chat/completions" && self.connection.protocol == Protocol::OpenAi {
            let options = body.entry("stream_options").or_insert_with(|| Json::Object(Default::default()));
            if let Some(options) = options.as_object_mut() {
                options.entry("include_usage").or_insert(true.into());
            }
        }
    }

    fn begin(&self, is_stream: Option<bool>) -> Running {
        let connection = &*self.connection;
        let model = self.body["model"].as_str().unwrap_or_default();
        let mut call =
            operation(self.operation, &connection.provider, model).base_url(&connection.base_url).trace(self.is_traced);
        if let Some((host, port)) = &connection.server {
            call = call.server(host, *port);
        }
        if let Some(is_stream) = is_stream {
            call = call.stream(is_stream);
        }
        parameters::described(call, &self.body).start()
    }

    async fn exchange(&self) -> Result<Json, Error> {
        let response = self.open().await?;
        let body = response.bytes().await.map_err(|error| Error::of_client(&error, false))?;
        serde_json::from_slice(&body).map_err(|_| {
            let name = self.connection.name(self.path);
            Error::of_call(ErrorKind::Decode, format!("{name} failed: the answer is not JSON; is the base URL right?"))
        })
    }

    /// A response with a status below 400.
    async fn open(&self) -> Result<Response, Error> {
        let mut request = self.connection.post(self.path, &self.body);
        if !self.is_traced {
            request = request.tracing(false);
        }
        let mut response = request.send().await.map_err(|error| Error::of_client(&error, false))?;
        let status = response.status().as_u16();
        if status < 400 {
            return Ok(response);
        }
        let mut body = Vec::new();
        // What cannot be read is left out: the status is what matters.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ERROR_BYTES {
                break;
            }
        }
        let error = Error::of_status(status, &body, &self.connection.name(self.path), &self.connection.key);
        Err(error.with_headers_of(&response))
    }
}
