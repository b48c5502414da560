mod parser;

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;

use crate::error::{ClientError, ClientErrorKind};
use crate::response::Response;
use parser::Parser;

/// One event that a server sent.
///
/// Source: WHATWG HTML, section 9.2 Server-sent events.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Its type: `message` unless the server says another.
    pub event: String,
    /// Its lines, with `\n` between.
    pub data: String,
    /// The last id that the server gave, to this event or an earlier one; for the header
    /// `last-event-id` of the next request.
    pub id: String,
    /// How long to wait before connecting again, if the server said so with this event or
    /// an earlier one.
    pub retry: Option<Duration>,
}

/// The events of a response, as they come. See [`Response::events`].
///
/// Nothing connects again when the response ends. An event that was not complete then is
/// lost, as the standard has it.
pub struct Events {
    response: Response,
    parser: Parser,
    ready: VecDeque<Event>,
}

impl Events {
    pub(crate) fn new(response: Response) -> Self {
        Self { response, parser: Parser::new(1 << 20), ready: VecDeque::new() }
    }

    /// How large an event may be; 1 MiB unless set. A larger one ends the events with an error.
    #[must_use]
    pub fn max_event_bytes(mut self, bytes: usize) -> Self {
        self.parser.set_limit(bytes);
        self
    }

    /// The next event; `None` at the end of the response.
    ///
    /// # Errors
    ///
    /// As [`Response::chunk`], and [`ClientErrorKind::Decode`] if an event is too large.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await.transpose()
    }

    /// The response that they come with.
    #[must_use]
    pub const fn response(&self) -> &Response {
        &self.response
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Event, ClientError>>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(event)));
            }
            match ready!(self.response.poll_chunk(cx)) {
                Some(Ok(chunk)) => {
                    if let Err(text) = self.parser.feed(&chunk, &mut self.ready) {
                        let error = ClientError::of_call(ClientErrorKind::Decode, text, self.response.call());
                        return Poll::Ready(Some(Err(self.response.fail(error))));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl Stream for Events {
    type Item = Result<Event, ClientError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Events({:?})", self.response)
    }
}
