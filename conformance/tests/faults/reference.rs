//! A provider as simple as the contract allows: one lock around everything, and
//! spans that are data from the start. It keeps a context and header names of its
//! own, and has any one fault on demand.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use spandrel_plugin_api::wire::field::FLAGS_IS_REMOTE;
use spandrel_plugin_api::{
    Attribute, BranchStats, Carrier, CarrierMut, Error, Event, Extraction, Link, OwnedAttribute, Resource, SpanContext,
    SpanData, SpanStart, SpanState, Stats, Status, StatusData, Timestamp, TraceFlags, TracingProvider,
};

use crate::Fault;
use crate::context::HEADER;
use crate::template::{event_of, link_of, span_of};

pub(crate) type Delivered = Arc<Mutex<Vec<SpanData>>>;

/// The provider; its span states are tokens.
pub(crate) struct Reference {
    pub(crate) instance: u64,
    pub(crate) fault: Option<Fault>,
    resource: Vec<OwnedAttribute>,
    delivered: Delivered,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    started: u64,
    open: HashMap<u64, SpanData>,
    ended: Vec<(ThreadId, SpanData)>,
    last_status: StatusData,
    recorded: u64,
    branch: BranchStats,
    is_retired: bool,
    is_closed: bool,
}

const LIMIT: usize = 500;

impl Reference {
    pub(crate) fn new(resource: &Resource, delivered: Delivered, fault: Option<Fault>) -> Self {
        static INSTANCES: AtomicU64 = AtomicU64::new(0);
        let instance = INSTANCES.fetch_add(1, Ordering::Relaxed);
        let resource = resource.attributes().map(|a| a.to_owned()).collect();
        let state = State::default();
        let reference = Self { instance, fault, resource, delivered, state: Mutex::new(state) };
        reference.lock().branch.name = "reference".to_owned();
        reference
    }

    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn with(&self, span: &SpanState, call: impl FnOnce(&mut SpanData)) {
        let mut state = self.lock();
        match span.as_token().and_then(|token| state.open.get_mut(&token)) {
            Some(span) => call(span),
            None => assert!(!self.has(Fault::PanicsOnForeignStates), "no such span"),
        }
    }

    fn set(&self, list: &mut Vec<OwnedAttribute>, dropped: &mut u32, attribute: &Attribute<'_>) {
        let attribute = self.spoil(attribute.to_owned());
        let known = list.iter().position(|a| a.key == attribute.key).filter(|_| !self.has(Fault::KeysTwice));
        match known {
            Some(known) if !self.has(Fault::KeepsFirstValue) => list[known] = attribute,
            Some(_) => {}
            None if list.len() >= LIMIT => *dropped += u32::from(!self.has(Fault::DropsSilently)),
            None => list.push(attribute),
        }
    }

    fn collected(&self, attributes: &[Attribute<'_>]) -> (Vec<OwnedAttribute>, u32) {
        let (mut list, mut dropped) = (Vec::new(), 0);
        attributes.iter().for_each(|attribute| self.set(&mut list, &mut dropped, attribute));
        (list, dropped)
    }

    /// Delivers what has ended.
    fn deliver(&self, state: &mut State) {
        let here = std::thread::current().id();
        let is_due = |thread: &ThreadId| !self.has(Fault::FlushesItsOwnThreadOnly) || *thread == here;
        let (due, rest): (Vec<_>, Vec<_>) = state.ended.drain(..).partition(|(thread, _)| is_due(thread));
        state.ended = rest;
        let mut delivered = lock(&self.delivered);
        for (_, span) in due {
            state.branch.exported += 1;
            if self.has(Fault::DeliversTwice) {
                state.branch.exported += 1;
                delivered.push(span.clone());
            }
            if !self.has(Fault::LosesOneInThousand) || state.branch.exported % 1000 != 999 {
                delivered.push(span);
            }
        }
    }
}

impl TracingProvider for Reference {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        let mut span = span_of(start);
        span.resource.clone_from(&self.resource);
        let (attributes, dropped) = self.collected(start.attributes);
        span.attributes = attributes;
        span.dropped_counts.0 = dropped;
        self.spoil_start(&mut span);

        let mut state = self.lock();
        if self.has(Fault::LeavesStatusBehind) {
            span.status.clone_from(&state.last_status);
        }
        state.started += 1;
        state.recorded += u64::from(self.has(Fault::CountsStarts));
        let token = state.started;
        state.open.insert(token, span);
        drop(state);
        let mut span = SpanState::token(token);
        start.links.iter().for_each(|link| self.add_span_link(&mut span, link));
        span
    }

    fn end_span(&self, span: SpanState, end: Timestamp) {
        let mut state = self.lock();
        let Some(mut span) = span.as_token().and_then(|token| state.open.remove(&token)) else {
            assert!(!self.has(Fault::PanicsOnForeignStates), "no such span");
            return;
        };
        span.end = if self.has(Fault::NegativeDuration) { end } else { end.max(span.start) };
        self.spoil_end(&mut span);
        if self.has(Fault::EndsChildren) {
            state.open.retain(|_, child| child.parent_span_id != Some(span.span_id));
        }
        state.last_status.clone_from(&span.status);
        state.recorded += u64::from(!self.has(Fault::CountsStarts));
        if state.is_closed {
            state.branch.dropped.after_shutdown += u64::from(!self.has(Fault::ForgetsAfterShutdown));
            if self.has(Fault::DeliversAfterShutdown) {
                lock(&self.delivered).push(span);
            }
            return;
        }
        let is_lost = self.has(Fault::DeafOnceRetired) && state.is_retired;
        if !is_lost {
            state.ended.push((std::thread::current().id(), span));
        }
        if state.is_retired && !self.has(Fault::WaitsOnceRetired) {
            self.deliver(&mut state);
        }
    }

    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>) {
        let is_ignored = |known: &StatusData| match (known, status) {
            (StatusData::Ok, _) => !self.has(Fault::OkIsNotFinal),
            (_, Status::Unset) => !self.has(Fault::UnsetCounts),
            _ => false,
        };
        self.with(span, |span| {
            if !is_ignored(&span.status) {
                span.status = status.into();
            }
        });
    }

    fn set_span_name(&self, span: &mut SpanState, name: &str) {
        self.with(span, |span| {
            if !self.has(Fault::KeepsFirstName) {
                span.name = name.to_owned();
            }
        });
    }

    fn add_span_attributes(&self, span: &mut SpanState, attributes: &[Attribute<'_>]) {
        self.with(span, |span| {
            attributes.iter().for_each(|a| self.set(&mut span.attributes, &mut span.dropped_counts.0, a));
        });
    }

    fn add_span_event(&self, span: &mut SpanState, event: &Event<'_>) {
        self.with(span, |span| {
            if span.events.len() >= LIMIT {
                span.dropped_counts.1 += 1;
                return;
            }
            let mut added = event_of(event);
            (added.attributes, added.dropped_attributes) = self.collected(event.attributes);
            span.events.push(added);
        });
    }

    fn add_span_link(&self, span: &mut SpanState, link: &Link<'_>) {
        self.with(span, |span| {
            if span.links.len() >= LIMIT {
                span.dropped_counts.2 += 1;
                return;
            }
            let mut added = link_of(link);
            if self.has(Fault::ForgetsRemote) {
                added.flags &= !FLAGS_IS_REMOTE;
            }
            (added.attributes, added.dropped_attributes) = self.collected(link.attributes);
            span.links.push(added);
        });
    }

    fn keeps_context(&self) -> bool {
        true
    }

    fn enter_span(&self, span: &mut SpanState) {
        self.with(span, |span| self.enter(SpanContext::new(span.trace_id, span.span_id, TraceFlags::SAMPLED)));
    }

    fn exit_span(&self, span: &mut SpanState) {
        self.with(span, |span| self.exit(span.span_id));
    }

    fn propagation_fields(&self) -> &[&str] {
        &[HEADER]
    }

    fn extract_context(&self, carrier: &dyn Carrier) -> Extraction {
        self.extract(carrier)
    }

    fn inject_context(&self, context: &SpanContext, carrier: &mut dyn CarrierMut) -> bool {
        self.inject(context, carrier);
        true
    }

    fn current_context(&self) -> Option<SpanContext> {
        self.current()
    }

    fn enter_unsampled(&self, context: &SpanContext) {
        self.enter(context.clone());
    }

    fn exit_unsampled(&self, context: &SpanContext) {
        self.exit(context.span_id());
    }

    fn force_flush(&self, deadline: Duration) -> Result<(), Error> {
        if self.has(Fault::FlushHangs) {
            hang();
        }
        if self.has(Fault::AddsDeadlines) {
            let _ = Instant::now() + deadline;
        }
        if !self.has(Fault::FlushDoesNothing) {
            self.deliver(&mut self.lock());
        }
        Ok(())
    }

    fn retire(&self) {
        self.lock().is_retired = true;
    }

    fn shutdown(&self, _: Duration) -> Result<(), Error> {
        let mut state = self.lock();
        if !self.has(Fault::ShutdownForgets) {
            self.deliver(&mut state);
        }
        state.is_closed = true;
        Ok(())
    }

    fn stats(&self) -> Stats {
        let state = self.lock();
        let mut stats = Stats::default();
        stats.recorded = state.recorded;
        let mut branch = state.branch.clone();
        branch.pending = state.ended.len() as u64;
        stats.branches.push(branch);
        stats
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        if self.has(Fault::DropHangs) {
            hang();
        }
        let mut state = self.lock();
        if self.has(Fault::DropDeliversRunningSpans) {
            let running: Vec<_> = state.open.drain().map(|(_, span)| (std::thread::current().id(), span)).collect();
            state.ended.extend(running);
        }
        self.deliver(&mut state);
    }
}

fn hang() {
    loop {
        std::thread::park();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
