//! Those that send the burst, each in a process of its own.

use std::borrow::Cow;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::Sampler;
use serde_json::json;
use spandrel::{BatchConfig, OverflowPolicy, Stats};

use super::BurstResult;
use super::otlp_http::OtlpHttp;
use crate::Failure;
use crate::cell::Peer;
use crate::clock::{memory, process_nanos, thread_nanos};
use crate::subjects::{Fastrace, Otel, TracingOtel, spandrel_full};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    Spandrel,
    SpandrelBlock,
    Fastrace,
    Otel,
    OtelFlush,
    TracingOtel,
}

#[derive(Debug)]
pub(crate) struct BurstArguments {
    pub(crate) sender: Sender,
    /// Of the receiver: host and port.
    pub(crate) address: String,
    pub(crate) spans: u64,
}

impl Sender {
    pub(crate) const ALL: [Self; 6] =
        [Self::Spandrel, Self::SpandrelBlock, Self::Fastrace, Self::Otel, Self::OtelFlush, Self::TracingOtel];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Spandrel => "spandrel",
            Self::SpandrelBlock => "spandrel-block",
            Self::Fastrace => "fastrace",
            Self::Otel => "otel",
            Self::OtelFlush => "otel-flush",
            Self::TracingOtel => "tracing-otel",
        }
    }

    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Spandrel => "default settings: what does not fit the queue is dropped and counted",
            Self::SpandrelBlock => "on_full = \"block\": the thread waits for room",
            Self::Fastrace => "fastrace-opentelemetry 0.19.0 over opentelemetry-otlp 0.33.1, as they come",
            Self::Otel => "opentelemetry-otlp 0.33.1 as it comes",
            Self::OtelFlush => "the same, and the program flushes after every 1,024 spans",
            Self::TracingOtel => "tracing-opentelemetry over opentelemetry-otlp, as they come",
        }
    }

    /// Whether and how a program or its operator can know of the loss.
    pub(crate) const fn tells_loss(self) -> &'static str {
        match self {
            Self::Spandrel | Self::SpandrelBlock => "yes: counted by reason, in stats() and in the report of shutdown",
            Self::Fastrace => "no",
            Self::Otel | Self::OtelFlush | Self::TracingOtel => "a log line at shutdown, to those who listen; no API",
        }
    }

    /// What must hold of a run.
    pub(crate) fn check(self, result: &BurstResult) -> Result<(), Failure> {
        let (lost, told) = (result.lost(), result.told);
        match self {
            Self::SpandrelBlock if lost > 0 => Err(format!("`block` lost {lost} spans").into()),
            Self::Spandrel | Self::SpandrelBlock if told != Some(lost) => {
                Err(format!("{lost} spans were lost, but the report says {told:?}").into())
            }
            _ => Ok(()),
        }
    }
}

const DEADLINE: Duration = Duration::from_secs(60);
const FLUSH_EVERY: u64 = 1_024;

/// Sends the spans, shuts down and writes the figures to standard output.
pub(crate) fn send(arguments: BurstArguments) -> Result<(), Failure> {
    let BurstArguments { sender, address, spans } = arguments;
    let measured = match sender {
        Sender::Spandrel => spandrel(address, spans, OverflowPolicy::Drop)?,
        Sender::SpandrelBlock => spandrel(address, spans, OverflowPolicy::Block)?,
        Sender::Fastrace => {
            let resource = Resource::builder_empty().with_service_name("bench").build();
            let scope = InstrumentationScope::builder("bench").build();
            let reporter =
                fastrace_opentelemetry::OpenTelemetryReporter::new(exporter(&address)?, Cow::Owned(resource), scope);
            let fastrace = Fastrace::install(reporter);
            measure(spans, |_| fastrace.full(), || fastrace.flush())?
        }
        Sender::Otel | Sender::OtelFlush => {
            let otel = Otel::install(exporter(&address)?, Sampler::ParentBased(Box::new(Sampler::AlwaysOn)));
            let flushes = sender == Sender::OtelFlush;
            let each = |number: u64| {
                otel.full();
                if flushes && number.is_multiple_of(FLUSH_EVERY) {
                    otel.flush();
                }
            };
            measure(spans, each, || {
                // What did not arrive is counted at the other end.
                let _ = otel.provider.shutdown_with_timeout(DEADLINE);
            })?
        }
        Sender::TracingOtel => {
            let peer = TracingOtel::install(exporter(&address)?)?;
            measure(
                spans,
                |_| peer.full(),
                || {
                    let _ = peer.provider().shutdown_with_timeout(DEADLINE);
                },
            )?
        }
    };
    let Measured { caller_nanos, cpu_nanos, memory, told } = measured;
    println!("{}", json!({ "caller_nanos": caller_nanos, "cpu_nanos": cpu_nanos, "memory": memory, "told": told }));
    Ok(())
}

struct Measured {
    caller_nanos: u64,
    cpu_nanos: u64,
    memory: u64,
    told: Option<u64>,
}

fn measure(spans: u64, mut each: impl FnMut(u64), finish: impl FnOnce()) -> Result<Measured, Failure> {
    let (idle, _) = memory()?;
    let (process, thread) = (process_nanos(), thread_nanos());
    (1..=spans).for_each(&mut each);
    let caller_nanos = thread_nanos() - thread;
    finish();
    let cpu_nanos = process_nanos() - process;
    let (_, most) = memory()?;
    Ok(Measured { caller_nanos, cpu_nanos, memory: most.saturating_sub(idle), told: None })
}

fn spandrel(address: String, spans: u64, on_full: OverflowPolicy) -> Result<Measured, Failure> {
    let mut batch = BatchConfig::default();
    batch.on_full = on_full;
    let builder = spandrel::builder().service("bench").batch(batch);
    let guard = builder.exporter("otlp", move || OtlpHttp::new(&address)).install()?;
    let mut stats = Stats::default();
    let mut measured = measure(
        spans,
        |_| spandrel_full(),
        || {
            // An error says that spans were lost; the counts say how many.
            let _ = guard.shutdown(DEADLINE);
            stats = spandrel::stats();
        },
    )?;
    let accounted = stats.exported() + stats.dropped();
    if !stats.is_balanced() || stats.pending() > 0 || stats.recorded != spans || accounted != spans {
        return Err(format!("{spans} spans do not add up: {stats}").into());
    }
    measured.told = Some(stats.dropped());
    Ok(measured)
}

/// OTLP over HTTP with the blocking client, which is the default one.
fn exporter(address: &str) -> Result<SpanExporter, Failure> {
    let endpoint = format!("http://{address}/v1/traces");
    Ok(SpanExporter::builder().with_http().with_endpoint(endpoint).build()?)
}
