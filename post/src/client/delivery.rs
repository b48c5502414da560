use spandrel_plugin_api::{Error, ErrorKind, SpanBatch, SpanView};

use super::{Client, Endpoint, Server};
use crate::progress::{Progress, Unfinished};
use crate::settings::Settings;

/// Makes requests of spans.
pub trait Encode {
    /// How many of these spans, from the first on, may go into one request: at least one.
    fn run(&self, spans: &[SpanView<'_>]) -> usize {
        spans.len()
    }

    /// The body of the request for these spans, and its type.
    fn body(&self, spans: &[SpanView<'_>]) -> (&'static str, Vec<u8>);
}

/// Sends batches to a server, each in as few requests as the limit allows.
#[derive(Debug)]
pub struct Delivery {
    server: Server,
    endpoint: Endpoint,
    settings: Settings,
    /// `None` in the child of a fork until the next batch, and after it was closed.
    client: Option<Client>,
    unfinished: Unfinished,
    limit: usize,
}

/// A request with more than one span has at most this many bytes.
const LIMIT: usize = 4 << 20;

impl Delivery {
    /// Reads the file of authorities; connects with the first batch.
    ///
    /// # Errors
    ///
    /// As [`Client::new`].
    pub fn new(server: Server, endpoint: Endpoint, settings: Settings) -> Result<Self, Error> {
        let client = Some(Client::new(server, endpoint.clone(), &settings)?);
        Ok(Self { server, endpoint, settings, client, unfinished: Unfinished::default(), limit: LIMIT })
    }

    /// The same with another limit for a request, in bytes.
    #[must_use]
    pub const fn with_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Sends a batch, in one attempt for each request. What was sent of a batch that comes
    /// again is not sent again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if it is to be tried again. Any other is final, and says
    /// how many spans were lost.
    pub fn send(&mut self, batch: &SpanBatch<'_>, encode: &dyn Encode) -> Result<(), Error> {
        let spans = batch.spans().collect::<Result<Vec<_>, _>>()?;
        let mut progress = self.unfinished.resume(batch);
        while let Some(rest) = spans.get(progress.done()..).filter(|rest| !rest.is_empty()) {
            let run = encode.run(rest).clamp(1, rest.len());
            if let Err(error) = self.send_some(&rest[..run], encode, &mut progress) {
                self.unfinished.keep(batch, progress);
                return Err(error);
            }
        }
        progress.finish(spans.len())
    }

    /// Leaves connections and unfinished batches to the parent, in the child of a fork.
    pub fn on_fork(&mut self) {
        if let Some(client) = self.client.take() {
            client.abandon();
        }
        self.unfinished = Unfinished::default();
    }

    /// Closes the connections. Nothing waits here: a batch has left when [`send`](Self::send) returns.
    pub fn close(&mut self) {
        self.client = None;
    }

    /// The client, for requests of another kind.
    ///
    /// # Errors
    ///
    /// As [`Client::new`], if there is none any more.
    pub fn client(&mut self) -> Result<&Client, Error> {
        Ok(match &mut self.client {
            Some(client) => client,
            none => none.insert(Client::new(self.server, self.endpoint.clone(), &self.settings)?),
        })
    }

    /// Sends the spans in one request if they fit; an error is to be tried again.
    fn send_some(&mut self, spans: &[SpanView<'_>], encode: &dyn Encode, progress: &mut Progress) -> Result<(), Error> {
        let (content_type, body) = encode.body(spans);
        if body.len() > self.limit {
            if spans.len() > 1 {
                let (left, right) = spans.split_at(spans.len() / 2);
                self.send_some(left, encode, progress)?;
                return self.send_some(right, encode, progress);
            }
            progress.lose(1, self.too_large(body.len()));
            return Ok(());
        }
        match self.client().and_then(|client| client.post(content_type, &body)) {
            Ok(_) => progress.took(spans.len()),
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
            Err(error) => progress.lose(spans.len(), error),
        }
        Ok(())
    }

    fn too_large(&self, bytes: usize) -> Error {
        let message = format!("a span of {bytes} bytes is too large for a request of {}", self.limit);
        Error::new(ErrorKind::SpansLost, message)
            .with_context("endpoint", self.endpoint.to_string())
            .with_context("remedy", "limit the length of its texts")
            .with_spans_lost(1)
    }
}
