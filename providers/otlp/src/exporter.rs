use std::time::{Duration, SystemTime};

use spandrel_plugin_api::diagnostics::RateLimit;
use spandrel_plugin_api::{Error, ErrorKind, Host, Provider, ProviderFactory, SpanBatch, SpanExporter, config};
use spandrel_post::{Progress, Taken, Unfinished};

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
    unfinished: Unfinished,
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
        Ok(Self { config, endpoint, transport, unfinished: Unfinished::default() })
    }

    /// Sends what is not done yet of the spans from `first` on; an error is to be tried again.
    fn send(&mut self, batch: &SpanBatch<'_>, first: usize, progress: &mut Progress) -> Result<(), Error> {
        let spans = batch.span_count();
        if spans == 0 || first + spans <= progress.done() {
            return Ok(());
        }
        let refused = match encode::body(&self.config, batch) {
            Ok(Some(body)) => match self.request(body) {
                Ok(taken) => {
                    progress.took(spans);
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
            let message = format!("the collector refused {rejected} of {spans} span(s)");
            progress.refuse(rejected, told(ErrorKind::SpansLost, message).with_spans_lost(rejected));
        } else if !taken.message.is_empty() {
            static LIMIT: RateLimit = RateLimit::new();
            let message = "the collector took the spans and warns".to_owned();
            LIMIT.warn(|| told(ErrorKind::Internal, message).to_string());
        }
    }
}

impl SpanExporter for OtlpExporter {
    fn destination(&self) -> String {
        self.endpoint.to_string()
    }

    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        let mut progress = self.unfinished.resume(batch);
        if let Err(error) = self.send(batch, 0, &mut progress) {
            self.unfinished.keep(batch, progress);
            return Err(error);
        }
        progress.finish(batch.span_count())
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
        self.unfinished = Unfinished::default();
    }

    fn shutdown(&mut self, _deadline: Duration) -> Result<(), Error> {
        // Nothing waits here: a batch has left when `export` returns.
        self.transport = None;
        Ok(())
    }
}

fn too_large() -> Error {
    let message = format!("a span is too large for a request of less than {LIMIT} bytes");
    Error::new(ErrorKind::SpansLost, message).with_context("remedy", "limit the length of its texts").with_spans_lost(1)
}
