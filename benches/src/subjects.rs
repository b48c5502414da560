//! What is measured, one file each: the same workloads, written as the documentation of the
//! subject tells one to write them, and with the settings that it comes with.

mod closure;
mod fastrace;
mod floor;
mod log;
mod otel;
mod spandrel;
mod tracing;
mod tracing_otel;
mod tracing_spans;

use crate::Failure;
use crate::cell::Cell;
use crate::workloads::Workload;

pub(crate) use fastrace::Fastrace;
pub(crate) use otel::Otel;
pub(crate) use spandrel::full as spandrel_full;
pub(crate) use tracing_otel::TracingOtel;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Closure,
    Log,
    Floor,
    Spandrel,
    SpandrelPlugin,
    SpandrelLive,
    SpandrelNoop,
    Fastrace,
    FastraceRaw,
    Otel,
    OtelRaw,
    Tracing,
    TracingOtel,
    TracingOtelLean,
    TracingRegistry,
    SpandrelTracing,
}

impl Subject {
    pub(crate) const ALL: [Self; 16] = [
        Self::Closure,
        Self::Log,
        Self::Floor,
        Self::Spandrel,
        Self::SpandrelPlugin,
        Self::SpandrelLive,
        Self::SpandrelNoop,
        Self::Fastrace,
        Self::FastraceRaw,
        Self::Otel,
        Self::OtelRaw,
        Self::Tracing,
        Self::TracingOtel,
        Self::TracingOtelLean,
        Self::TracingRegistry,
        Self::SpandrelTracing,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Closure => "closure",
            Self::Log => "log",
            Self::Floor => "floor",
            Self::Spandrel => "spandrel",
            Self::SpandrelPlugin => "spandrel-plugin",
            Self::SpandrelLive => "spandrel-live",
            Self::SpandrelNoop => "spandrel-noop",
            Self::Fastrace => "fastrace",
            Self::FastraceRaw => "fastrace-raw",
            Self::Otel => "otel",
            Self::OtelRaw => "otel-raw",
            Self::Tracing => "tracing",
            Self::TracingOtel => "tracing-otel",
            Self::TracingOtelLean => "tracing-otel-lean",
            Self::TracingRegistry => "tracing-registry",
            Self::SpandrelTracing => "spandrel-tracing",
        }
    }

    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Closure => "what is traced, without tracing",
            Self::Log => "log 0.4, max level off",
            Self::Floor => "clock reads, an id and a copy of as many bytes, and nothing else",
            Self::Spandrel => "a recorder over a linked exporter that discards",
            Self::SpandrelPlugin => "the same exporter in a loaded library",
            Self::SpandrelLive => "a live provider that only counts: the facade alone",
            Self::SpandrelNoop => "switched off by configuration: type = \"noop\"",
            Self::Fastrace => "fastrace 0.7.19, spans made the local parent",
            Self::FastraceRaw => "fastrace, spans not made current",
            Self::Otel => "opentelemetry 0.33.1, in_span",
            Self::OtelRaw => "opentelemetry, spans not made current",
            Self::Tracing => "tracing 0.1.44 without a subscriber",
            Self::TracingOtel => "tracing-opentelemetry 0.34.0 as it comes",
            Self::TracingOtelLean => "the same without location, threads, target and inactivity",
            Self::TracingRegistry => "tracing-subscriber without a layer: what each layer has to pay",
            Self::SpandrelTracing => "the same with our layer, spandrel-tracing",
        }
    }

    /// Whether it is one that others publish, and makes its spans current as we do.
    pub(crate) const fn is_peer(self) -> bool {
        matches!(self, Self::Fastrace | Self::Otel | Self::Tracing | Self::TracingOtel | Self::TracingOtelLean)
    }

    /// Whether it is one that others publish, and saves that work.
    pub(crate) const fn is_raw_peer(self) -> bool {
        matches!(self, Self::FastraceRaw | Self::OtelRaw)
    }

    /// Operations of one thread between two looks at the clock. Those that keep nothing have
    /// nothing to flush, and are so short that the clock would be seen.
    pub(crate) const fn operations(self, workload: Workload) -> u64 {
        match (self, workload) {
            (_, Workload::Off | Workload::OffAttrs) => workload.operations(),
            (Self::Closure | Self::Log, _) => 50 * workload.operations(),
            (Self::Floor, _) => 10 * workload.operations(),
            _ => workload.operations(),
        }
    }

    pub(crate) const fn workloads(self) -> &'static [Workload] {
        match self {
            Self::Closure => closure::WORKLOADS,
            Self::Log => log::WORKLOADS,
            Self::Floor => floor::WORKLOADS,
            Self::Spandrel | Self::SpandrelPlugin => spandrel::WORKLOADS,
            Self::SpandrelLive => spandrel::LIVE_WORKLOADS,
            Self::SpandrelNoop => spandrel::NOOP_WORKLOADS,
            Self::Fastrace => fastrace::WORKLOADS,
            Self::FastraceRaw => fastrace::RAW_WORKLOADS,
            Self::Otel => otel::WORKLOADS,
            Self::OtelRaw => otel::RAW_WORKLOADS,
            Self::Tracing => tracing::WORKLOADS,
            Self::TracingOtel | Self::TracingOtelLean => tracing_otel::WORKLOADS,
            Self::TracingRegistry | Self::SpandrelTracing => tracing_spans::WORKLOADS,
        }
    }

    /// Whether there is such a cell. The loaded library has no part in what is not recorded.
    pub(crate) fn has(self, workload: Workload) -> bool {
        self.workloads().contains(&workload) && (self != Self::SpandrelPlugin || workload.spans() > 0)
    }

    /// Sets it up in this process, once, and measures.
    pub(crate) fn run(self, cell: &mut Cell) -> Result<(), Failure> {
        if !self.has(cell.workload()) {
            let (subject, workload) = (self.name(), cell.workload().name());
            return Err(format!("the subject `{subject}` has no workload `{workload}`").into());
        }
        match self {
            Self::Closure => closure::run(cell),
            Self::Log => log::run(cell),
            Self::Floor => floor::run(cell),
            Self::Spandrel => spandrel::run(cell, spandrel::Side::Linked),
            Self::SpandrelPlugin => spandrel::run(cell, spandrel::Side::Loaded),
            Self::SpandrelLive => spandrel::run(cell, spandrel::Side::Live),
            Self::SpandrelNoop => spandrel::run(cell, spandrel::Side::Noop),
            Self::Fastrace => fastrace::run(cell),
            Self::FastraceRaw => fastrace::run_raw(cell),
            Self::Otel => otel::run(cell),
            Self::OtelRaw => otel::run_raw(cell),
            Self::Tracing => tracing::run(cell),
            Self::TracingOtel => tracing_otel::run(cell, tracing_otel::Settings::Default),
            Self::TracingOtelLean => tracing_otel::run(cell, tracing_otel::Settings::Lean),
            Self::TracingRegistry => tracing_spans::run_registry(cell),
            Self::SpandrelTracing => tracing_spans::run_bridge(cell),
        }
    }
}
