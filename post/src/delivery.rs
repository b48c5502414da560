use std::hash::{DefaultHasher, Hasher};

use spandrel_plugin_api::{Error, ErrorKind, SpanBatch, SpanView};

use crate::Client;

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
    client: Client,
    /// What was done of a batch that is to be tried again.
    unfinished: Option<(u64, Progress)>,
    limit: usize,
}

/// How far a batch has come.
#[derive(Debug, Default)]
struct Progress {
    /// The first so many spans were sent, or given up.
    done: usize,
    lost: u64,
    /// Why the first of them were lost.
    error: Option<Error>,
}

/// A request with more than one span has at most this many bytes.
const LIMIT: usize = 4 << 20;

impl Delivery {
    /// Sends with this client.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client, unfinished: None, limit: LIMIT }
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
        let mut progress = match self.unfinished.take() {
            Some((of, progress)) if of == fingerprint(batch) => progress,
            _ => Progress::default(),
        };
        while let Some(rest) = spans.get(progress.done..).filter(|rest| !rest.is_empty()) {
            let run = encode.run(rest).clamp(1, rest.len());
            if let Err(error) = self.send_some(&rest[..run], encode, &mut progress) {
                if progress.done > 0 {
                    self.unfinished = Some((fingerprint(batch), progress));
                }
                return Err(error);
            }
        }
        progress.finish(spans.len())
    }

    /// Leaves connections and unfinished batches to the parent, in the child of a fork.
    pub fn abandon(self) {
        self.client.abandon();
    }

    /// The client, for requests of another kind.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Sends the spans in one request if they fit; an error is to be tried again.
    fn send_some(&self, spans: &[SpanView<'_>], encode: &dyn Encode, progress: &mut Progress) -> Result<(), Error> {
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
        match self.client.post(content_type, &body) {
            Ok(_) => progress.done += spans.len(),
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
            Err(error) => progress.lose(spans.len(), error),
        }
        Ok(())
    }

    fn too_large(&self, bytes: usize) -> Error {
        let message = format!("a span of {bytes} bytes is too large for a request of {}", self.limit);
        Error::new(ErrorKind::SpansLost, message)
            .with_context("endpoint", self.client.endpoint().to_string())
            .with_context("remedy", "limit the length of its texts")
    }
}

impl Progress {
    fn lose(&mut self, spans: usize, error: Error) {
        self.done += spans;
        self.lost += spans as u64;
        self.error.get_or_insert(error);
    }

    fn finish(self, spans: usize) -> Result<(), Error> {
        match self.error {
            None => Ok(()),
            Some(error) if self.lost == spans as u64 => Err(error.with_spans_lost(self.lost)),
            Some(error) => {
                let message = format!("{} of {spans} spans were not taken", self.lost);
                Err(Error::new(ErrorKind::SpansLost, message).with_spans_lost(self.lost).with_source(error))
            }
        }
    }
}

/// Tells batches apart; only those that were sent by halves need it.
fn fingerprint(batch: &SpanBatch<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    batch.parts().iter().for_each(|part| hasher.write(part));
    hasher.finish()
}
