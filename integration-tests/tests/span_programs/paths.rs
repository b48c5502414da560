//! The ways that spans go, from the facade to a store.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::time::Duration;

use spandrel::{Builder, Sampler, SpanExporter, SpanLimits, TracingProvider, builder};
use spandrel_plugin_api::{
    Attribute, Error, Event, Link, Resource, SpanContext, SpanStart, SpanState, Stats, Status, Timestamp,
};
use spandrel_provider_memory::{MemoryExporter, MemoryStore};
use spandrel_recorder::{Recorder, RecorderConfig};

use crate::model::Rules;
use crate::run::Path;

const RULES: Rules = Rules { has_extra: false, samples: true, limit: 128 };

/// Recorded in the span itself.
pub(crate) fn recorder() -> (Path, Rules) {
    over_exporter(builder(), RULES)
}

/// As [`recorder`], but each span is described by a builder.
pub(crate) fn with_builder() -> (Path, Rules) {
    over_exporter(builder(), Rules { has_extra: true, ..RULES })
}

pub(crate) fn with_limits() -> (Path, Rules) {
    let mut limits = SpanLimits::default();
    (limits.attributes, limits.events, limits.links) = (2, 2, 2);
    over_exporter(builder().limits(limits), Rules { limit: 2, ..RULES })
}

pub(crate) fn unsampled() -> (Path, Rules) {
    let never = Sampler::ratio(0.0).expect("0 is a ratio");
    over_exporter(builder().sampler(never), Rules { samples: false, ..RULES })
}

/// Through a provider that is called for everything.
pub(crate) fn live() -> (Path, Rules) {
    over_provider(|recorder| recorder)
}

/// As [`live`], through one that wants to know what is current.
pub(crate) fn bracketed() -> (Path, Rules) {
    over_provider(Bracketed)
}

fn over_exporter(builder: Builder, rules: Rules) -> (Path, Rules) {
    let store = MemoryStore::new(NonZeroUsize::MAX);
    let exported = store.clone();
    let builder = builder.exporter("memory", move || MemoryExporter::new(exported.clone()));
    (Path { tracer: builder.build().expect("these settings are valid"), store, has_extra: rules.has_extra }, rules)
}

fn over_provider<P: TracingProvider + 'static>(wrap: fn(Recorder) -> P) -> (Path, Rules) {
    let store = MemoryStore::new(NonZeroUsize::MAX);
    let exported = store.clone();
    let make = move || {
        let exporter: Box<dyn SpanExporter> = Box::new(MemoryExporter::new(exported.clone()));
        wrap(Recorder::new(RecorderConfig::default(), &Resource::new(), vec![("memory".to_owned(), exporter)]))
    };
    let tracer = builder().provider("live", make).build().expect("these settings are valid");
    (Path { tracer, store, has_extra: false }, RULES)
}

static FAULTS: Mutex<Vec<&str>> = Mutex::new(Vec::new());

/// What was wrong with the brackets of [`bracketed`].
pub(crate) fn bracket_faults() -> Vec<&'static str> {
    FAULTS.lock().unwrap().clone()
}

struct Bracketed(Recorder);

/// A span and whether it is entered.
struct Bracket {
    state: SpanState,
    is_entered: bool,
}

impl Bracketed {
    fn with(&self, span: &mut SpanState, f: impl FnOnce(&Recorder, &mut SpanState)) {
        match span.downcast_mut::<Bracket>() {
            Some(bracket) => f(&self.0, &mut bracket.state),
            None => FAULTS.lock().unwrap().push("a span that is none of ours"),
        }
    }

    fn turn(span: &mut SpanState, enters: bool) {
        match span.downcast_mut::<Bracket>() {
            Some(bracket) if bracket.is_entered != enters => bracket.is_entered = enters,
            _ => FAULTS.lock().unwrap().push(if enters { "entered twice" } else { "left twice" }),
        }
    }
}

impl TracingProvider for Bracketed {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        SpanState::boxed(Box::new(Bracket { state: self.0.start_span(start), is_entered: false }))
    }

    fn end_span(&self, span: SpanState, end: Timestamp) {
        match span.downcast::<Bracket>() {
            Some(bracket) => self.0.end_span(bracket.state, end),
            None => FAULTS.lock().unwrap().push("the end of a span that is none of ours"),
        }
    }

    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>) {
        self.with(span, |recorder, span| recorder.set_span_status(span, status));
    }

    fn set_span_name(&self, span: &mut SpanState, name: &str) {
        self.with(span, |recorder, span| recorder.set_span_name(span, name));
    }

    fn add_span_attributes(&self, span: &mut SpanState, attributes: &[Attribute<'_>]) {
        self.with(span, |recorder, span| recorder.add_span_attributes(span, attributes));
    }

    fn add_span_event(&self, span: &mut SpanState, event: &Event<'_>) {
        self.with(span, |recorder, span| recorder.add_span_event(span, event));
    }

    fn add_span_link(&self, span: &mut SpanState, link: &Link<'_>) {
        self.with(span, |recorder, span| recorder.add_span_link(span, link));
    }

    fn keeps_context(&self) -> bool {
        true
    }

    fn enter_span(&self, span: &mut SpanState) {
        Self::turn(span, true);
    }

    fn exit_span(&self, span: &mut SpanState) {
        Self::turn(span, false);
    }

    fn current_context(&self) -> Option<SpanContext> {
        None
    }

    fn force_flush(&self, deadline: Duration) -> Result<(), Error> {
        self.0.force_flush(deadline)
    }

    fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        self.0.shutdown(deadline)
    }

    fn stats(&self) -> Stats {
        self.0.stats()
    }
}
