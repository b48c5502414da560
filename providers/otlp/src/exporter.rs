use std::hash::{DefaultHasher, Hasher};
use std::time::{Duration, SystemTime};

use spandrel_plugin_api::diagnostics::RateLimit;
use spandrel_plugin_api::{Error, ErrorKind, Host, Provider, ProviderFactory, SpanBatch, SpanExporter, config};

use crate::answer::Taken;
use crate::config::{OtlpConfig, Protocol};
use crate::encode::{self, LIMIT};
use crate::endpoint::Endpoint;
use crate::split::split;
use crate::transport::Transport;
use crate::{grpc, http};

/// Makes the provider `otlp`.
#[derive(Debug, Clone, Copy, Default)]
pub struct OtlpFactory;

impl ProviderFactory for OtlpFactory {
    fn name(&self) -> &str {
        "otlp"
    }

    fn create(&self, config: &str, _host: &Host<'_>) -> Result<Provider, Error> {
        let exporter = OtlpExporter::new(config::parse(config)?)?;
        Ok(Provider::Exporter(Box::new(exporter)))
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        config::parse::<OtlpConfig>(config)?.check().map(drop)
    }
}

/// Sends finished spans to an OpenTelemetry collector, or whatever else takes OTLP.
///
/// Each call of [`export`](SpanExporter::export) tries once. An error of the kind
/// [`Unavailable`](ErrorKind::Unavailable) may be tried again, by the recorder, with the
/// same batch.
#[derive(Debug)]
pub struct OtlpExporter {
    config: OtlpConfig,
    endpoint: Endpoint,
    /// `None` in the child of a fork until the next batch, and after shutdown.
    transport: Option<Transport>,
    /// What was done of a batch that is to be tried again.
    unfinished: Option<(u64, Progress)>,
}

/// How far a batch has come that is sent in several requests.
#[derive(Debug, Default)]
struct Progress {
    /// The first so many spans were sent, or given up.
    done: usize,
    lost: u64,
    /// Why the first of them were lost.
    error: Option<Error>,
}

impl OtlpExporter {
    /// Reads the files of the configuration; connects with the first batch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ConfigInvalid`] with the key in the context `key`.
    pub fn new(config: OtlpConfig) -> Result<Self, Error> {
        let endpoint = config.check()?;
        let transport = Some(Transport::new(&config, &endpoint)?);
        Ok(Self { config, endpoint, transport, unfinished: None })
    }

    /// Sends what is not done yet of the spans from `first` on; an error is to be tried again.
    fn send(&mut self, batch: &SpanBatch<'_>, first: usize, progress: &mut Progress) -> Result<(), Error> {
        let spans = batch.span_count();
        if spans == 0 || first + spans <= progress.done {
            return Ok(());
        }
        let refused = match encode::body(&self.config, batch) {
            Ok(Some(body)) => match self.request(body) {
                Ok(taken) => {
                    progress.done += spans;
                    self.note(taken, spans, progress);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                Err(error) => error,
            },
            Ok(None) if spans > 1 => match split(batch, spans / 2) {
                Ok([left, right]) => {
                    let half = spans / 2;
                    self.send(&SpanBatch::new(&[&left], half), first, progress)?;
                    return self.send(&SpanBatch::new(&[&right], spans - half), first + half, progress);
                }
                Err(error) => error,
            },
            Ok(None) => too_large(),
            Err(error) => error,
        };
        progress.lose(spans, refused);
        Ok(())
    }

    fn request(&mut self, body: Vec<u8>) -> Result<Taken, Error> {
        let transport = match &mut self.transport {
            Some(transport) => transport,
            none => none.insert(Transport::new(&self.config, &self.endpoint)?),
        };
        let result = match transport.exchange(body) {
            Err(failure) => Err(failure.into_error(&self.config, &self.endpoint)),
            Ok(answer) if self.config.protocol == Protocol::Grpc => grpc::judge(&answer),
            Ok(answer) => http::judge(&answer, SystemTime::now()),
        };
        result.map_err(|error| error.with_context("endpoint", self.endpoint.to_string()))
    }

    /// Counts what an accepting server refused all the same. It must not be sent again.
    fn note(&self, taken: Taken, spans: usize, progress: &mut Progress) {
        let rejected = taken.rejected.min(spans as u64);
        let told = |kind, message: String| {
            let error = Error::new(kind, message).with_context("endpoint", self.endpoint.to_string());
            if taken.message.is_empty() { error } else { error.with_context("said", &taken.message) }
        };
        if rejected > 0 {
            progress.lost += rejected;
            let message = format!("the collector refused {rejected} of {spans} span(s)");
            progress.error.get_or_insert_with(|| told(ErrorKind::SpansLost, message));
        } else if !taken.message.is_empty() {
            static LIMIT: RateLimit = RateLimit::new();
            let message = "the collector took the spans and warns".to_owned();
            LIMIT.warn(|| told(ErrorKind::Internal, message).to_string());
        }
    }
}

impl SpanExporter for OtlpExporter {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        let mut progress = match self.unfinished.take() {
            Some((of, progress)) if of == fingerprint(batch) => progress,
            _ => Progress::default(),
        };
        if let Err(error) = self.send(batch, 0, &mut progress) {
            if progress.done > 0 {
                self.unfinished = Some((fingerprint(batch), progress));
            }
            return Err(error);
        }
        let Progress { lost, error, .. } = progress;
        match error {
            None => Ok(()),
            Some(error) if error.kind() == ErrorKind::SpansLost => Err(error.with_spans_lost(lost)),
            Some(error) if lost == batch.span_count() as u64 => Err(error),
            Some(error) => {
                let message = format!("{lost} of {} spans were not taken", batch.span_count());
                Err(Error::new(ErrorKind::SpansLost, message).with_spans_lost(lost).with_source(error))
            }
        }
    }

    fn on_idle(&mut self) {
        if let Some(transport) = &self.transport {
            transport.tend();
        }
    }

    fn on_fork(&mut self) {
        if let Some(transport) = self.transport.take() {
            transport.abandon();
        }
        self.unfinished = None;
    }

    fn shutdown(&mut self, _deadline: Duration) -> Result<(), Error> {
        // Nothing waits here: a batch has left when `export` returns.
        self.transport = None;
        Ok(())
    }
}

impl Progress {
    fn lose(&mut self, spans: usize, error: Error) {
        self.done += spans;
        self.lost += spans as u64;
        self.error.get_or_insert(error);
    }
}

fn too_large() -> Error {
    let message = format!("a span is too large for a request of less than {LIMIT} bytes");
    Error::new(ErrorKind::SpansLost, message).with_context("remedy", "limit the length of its texts")
}

/// Tells batches apart; only those that were sent by halves need it.
fn fingerprint(batch: &SpanBatch<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    batch.parts().iter().for_each(|part| hasher.write(part));
    hasher.finish()
}
