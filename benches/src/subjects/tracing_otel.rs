//! tracing with tracing-opentelemetry over the SDK of `otel.rs`. The subscriber is the
//! registry, a static level filter at INFO (as a service has it, and so that the SDK does not
//! trace itself) and the layer: with all that it adds to a span by default, or lean, with
//! only what was asked for.

use std::hint::black_box;

use ::tracing::{Span, info_span};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, SpanExporter};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::otel::{Discard, Otel, sampler};
use super::tracing_spans::{self, full};
use crate::Failure;
use crate::cell::{Cell, Peer};
use crate::workloads::{KEYS, Workload, work};

pub(super) const WORKLOADS: &[Workload] = &[
    Workload::SampledOut,
    Workload::SampledOutAttrs,
    Workload::Root,
    Workload::Full,
    Workload::Children10,
    Workload::Children100,
    Workload::Full2Threads,
    Workload::Poll1,
    Workload::Poll10,
    Workload::TracedFn,
    Workload::CurrentAttribute,
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settings {
    Default,
    Lean,
}

pub(super) fn run(cell: &mut Cell, settings: Settings) -> Result<(), Failure> {
    let peer = TracingOtel::install_with(Discard, sampler(cell.workload()), settings)?;
    match cell.workload() {
        Workload::CurrentAttribute => cell.measure(&peer, current_attribute),
        _ => tracing_spans::measure(cell, &peer),
    }
    Ok(())
}

fn current_attribute() {
    info_span!("checkout").in_scope(|| {
        for key in KEYS {
            Span::current().set_attribute(key, black_box(3_i64));
        }
        work();
    });
}

/// The subscriber over the SDK.
pub(crate) struct TracingOtel {
    otel: Otel,
}

impl TracingOtel {
    /// With the settings that it comes with.
    pub(crate) fn install(exporter: impl SpanExporter + 'static) -> Result<Self, Failure> {
        Self::install_with(exporter, Sampler::ParentBased(Box::new(Sampler::AlwaysOn)), Settings::Default)
    }

    fn install_with(
        exporter: impl SpanExporter + 'static,
        sampler: Sampler,
        settings: Settings,
    ) -> Result<Self, Failure> {
        let otel = Otel::install(exporter, sampler);
        let layer = tracing_opentelemetry::layer().with_tracer(otel.tracer.clone());
        let layer = match settings {
            Settings::Default => layer,
            Settings::Lean => {
                layer.with_location(false).with_threads(false).with_target(false).with_tracked_inactivity(false)
            }
        };
        let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(layer);
        ::tracing::subscriber::set_global_default(subscriber)?;
        Ok(Self { otel })
    }

    pub(crate) fn provider(&self) -> &SdkTracerProvider {
        &self.otel.provider
    }

    /// One operation of the workload `full`.
    pub(crate) fn full(&self) {
        full();
    }
}

impl Peer for TracingOtel {
    fn flush(&self) {
        self.otel.flush();
    }

    fn delivered(&self) -> Option<u64> {
        self.otel.delivered()
    }
}
