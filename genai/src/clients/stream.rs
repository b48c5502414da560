use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use serde_json::Value as Json;
use spandrel_api_client::{Event, Events, Response};
use spandrel_prices::Answer;

use super::answer::ModelAnswer;
use super::client::Connection;
use super::error;
use crate::assembly::Assembly;
use crate::content;
use crate::settings::lock;
use crate::{Error, ErrorKind, Running};

/// An answer in parts, as they come. See [`ModelCall::stream`](super::ModelCall::stream).
///
/// It is also a `Stream`. The operation ends with it: at its end, at its first error, or when it is
/// dropped; `spandrel.stream.outcome` says which it was.
#[must_use = "streams do nothing unless they are polled"]
pub struct ModelStream {
    parts: Pin<Box<dyn Stream<Item = Result<ModelChunk, Error>> + Send>>,
    so_far: Arc<Mutex<Assembly>>,
    connection: Arc<Connection>,
}

/// A part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelChunk {
    json: Json,
}

impl ModelStream {
    pub(super) fn new(mut running: Running, response: Response, connection: Arc<Connection>, path: &str) -> Self {
        let so_far = Arc::new(Mutex::new(Assembly::default()));
        let output = Arc::clone(&so_far);
        running.set_output_messages_at_end(move || content::outputs(lock(&output).body()));
        let chunks = Chunks {
            request_id: error::request_id(&response),
            events: response.events(),
            name: connection.name(path),
            connection: Arc::clone(&connection),
            is_complete: false,
            has_ended: false,
        };
        let assembly = Arc::clone(&so_far);
        let parts = running.stream_results(chunks, move |record, part: Result<&ModelChunk, &Error>| match part {
            Ok(chunk) => {
                record.add_chunk(&chunk.json);
                lock(&assembly).add(&chunk.json);
            }
            Err(error) => record.set_error(error.error_type(), error.traced()),
        });
        Self { parts: Box::pin(parts), so_far, connection }
    }

    /// The next part; `None` at the end.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Stream`] if it broke off, [`ErrorKind::Timeout`] if nothing came for too long. It ends then.
    pub async fn next(&mut self) -> Result<Option<ModelChunk>, Error> {
        std::future::poll_fn(|cx| self.parts.as_mut().poll_next(cx)).await.transpose()
    }

    /// The next piece of text, whatever comes between; `None` at the end.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn next_text(&mut self) -> Result<Option<String>, Error> {
        while let Some(chunk) = self.next().await? {
            if let Some(text) = chunk.text() {
                return Ok(Some(text.to_owned()));
            }
        }
        Ok(None)
    }

    /// Its texts alone, as a stream.
    pub fn texts(self) -> Texts {
        Texts(self)
    }

    /// The answer as far as it came: text, tools to call, usage.
    #[must_use]
    pub fn answer(&self) -> ModelAnswer {
        let body = lock(&self.so_far).body().clone();
        let usage = Answer::of(&self.connection.provider, &body).usage;
        ModelAnswer::new(body, usage)
    }

    /// Reads what is left of it, and gives the whole answer.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub async fn finish(mut self) -> Result<ModelAnswer, Error> {
        while self.next().await?.is_some() {}
        Ok(self.answer())
    }
}

impl ModelChunk {
    /// What the provider sent.
    #[must_use]
    pub const fn json(&self) -> &Json {
        &self.json
    }

    /// The text in it, of the first choice; `None` if it has another kind of part.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        let json = &self.json;
        let text = match json["type"].as_str() {
            Some("response.output_text.delta") => &json["delta"],
            Some("content_block_delta") => &json["delta"]["text"],
            Some(_) => return None,
            None => {
                let mut choices = json["choices"].as_array().into_iter().flatten();
                &choices.find(|choice| choice["index"].as_u64().unwrap_or(0) == 0)?["delta"]["content"]
            }
        };
        text.as_str().filter(|text| !text.is_empty())
    }
}

impl Stream for ModelStream {
    type Item = Result<ModelChunk, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.parts.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for ModelStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelStream").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// The texts of an answer, as they come. See [`ModelStream::texts`].
#[derive(Debug)]
#[must_use = "streams do nothing unless they are polled"]
pub struct Texts(ModelStream);

impl Stream for Texts {
    type Item = Result<String, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match ready!(self.0.parts.as_mut().poll_next(cx)) {
                Some(Ok(chunk)) => {
                    if let Some(text) = chunk.text() {
                        return Poll::Ready(Some(Ok(text.to_owned())));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

/// The events of a response, parsed.
struct Chunks {
    events: Events,
    request_id: Option<String>,
    /// What the request is called in errors.
    name: String,
    connection: Arc<Connection>,
    /// Whether the model came to an end.
    is_complete: bool,
    /// Whether nothing is to come.
    has_ended: bool,
}

impl Chunks {
    /// `None` if there is nothing in the event.
    fn read(&mut self, event: &Event) -> Option<Result<ModelChunk, Error>> {
        if event.data == "[DONE]" {
            (self.is_complete, self.has_ended) = (true, true);
            return None;
        }
        let Ok(json) = serde_json::from_str::<Json>(&event.data) else {
            let text = format!("{} failed: an event of the stream is not JSON", self.name);
            return Some(Err(self.with_id(Error::of_call(ErrorKind::Decode, text))));
        };
        match json["type"].as_str() {
            Some("ping") => return None,
            Some("error" | "response.failed") => return Some(Err(self.error(&json))),
            Some("message_stop" | "response.completed" | "response.incomplete") => {
                (self.is_complete, self.has_ended) = (true, true);
            }
            Some(_) => {}
            None if json["error"].is_object() => return Some(Err(self.error(&json))),
            None => {
                let choices = json["choices"].as_array();
                self.is_complete |= choices.into_iter().flatten().any(|choice| choice["finish_reason"].is_string());
            }
        }
        Some(Ok(ModelChunk { json }))
    }

    fn error(&self, event: &Json) -> Error {
        self.with_id(Error::of_event(event, &self.name, &self.connection.key))
    }

    fn with_id(&self, error: Error) -> Error {
        error.with_request_id(self.request_id.clone())
    }
}

impl Stream for Chunks {
    type Item = Result<ModelChunk, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let event = match Pin::new(&mut self.events).poll_next(cx) {
                // The end of the body lies there already, mostly: then the connection is used again.
                _ if self.has_ended => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(event) => event,
            };
            match event {
                Some(Ok(event)) => {
                    if let Some(chunk) = self.read(&event) {
                        return Poll::Ready(Some(chunk));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(self.with_id(Error::of_client(&error, true))))),
                None if self.is_complete => return Poll::Ready(None),
                None => {
                    let text = format!("{} failed: the stream ended before the answer did", self.name);
                    return Poll::Ready(Some(Err(self.with_id(Error::of_call(ErrorKind::Stream, text)))));
                }
            }
        }
    }
}
