#![expect(unsafe_code, reason = "calls functions of a plugin")]

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use spandrel_plugin_api::abi::{self, LendContext, ProviderTable, Text};
use spandrel_plugin_api::{
    Attribute, BranchStats, Carrier, CarrierMut, Error, ErrorKind, Event, Extraction, Link, SpanContext, SpanStart,
    SpanState, Stats, Status, Timestamp, TracingProvider, suppression,
};

use super::exporter::nanos;
use super::instance::{Common, Instance};
use super::library::Library;

/// A live provider in a plugin.
struct LoadedProvider {
    instance: Arc<Instance>,
    table: ProviderTable,
    calls: Calls,
    /// Tells the spans of this instance from those of others.
    id: u32,
    records: bool,
    lost: Lost,
    flushes: Overdue,
    shutdowns: Overdue,
}

/// Spans that the plugin has not taken, or whose end it has not heard of.
#[derive(Default)]
struct Lost {
    /// In a panic, or after three.
    panicked: AtomicU64,
    /// In a child that the plugin has not followed into.
    forked: AtomicU64,
    /// It said so.
    after_shutdown: AtomicU64,
    /// It said something else.
    refused: AtomicU64,
}

/// Calls that have not returned in time, and still have not.
type Overdue = Arc<AtomicU32>;

/// The functions without which there are no spans.
#[derive(Clone, Copy)]
struct Calls {
    start_span: unsafe extern "C" fn(*mut c_void, *const abi::SpanStart, *mut u64) -> i32,
    end_span: unsafe extern "C" fn(*mut c_void, u64, u64) -> i32,
}

pub(super) fn provider(
    library: &'static Library,
    name: &str,
    made: &abi::Instance,
) -> Result<Box<dyn TracingProvider>, Error> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    // SAFETY: the plugin keeps its table until `destroy`, and says how long it is.
    let table = unsafe { abi::copy_prefix(made.provider) };
    let table = table.ok_or_else(|| library.broken("is a live provider, but hands out no table of one"))?;
    let common = Common {
        destroy: table.destroy,
        after_fork_child: table.after_fork_child,
        sample: table.sample,
        extract: table.extract,
        inject: table.inject,
        stats: table.stats,
        health: table.health,
    };
    let instance = Arc::new(Instance::new(library, name, made, common));
    let (Some(start_span), Some(end_span)) = (table.start_span, table.end_span) else {
        return Err(library.broken("has no functions `start_span` and `end_span`"));
    };
    Ok(Box::new(LoadedProvider {
        instance,
        table,
        calls: Calls { start_span, end_span },
        id: NEXT.fetch_add(1, Ordering::Relaxed),
        records: made.flags & abi::INSTANCE_RECORDS_NOTHING == 0,
        lost: Lost::default(),
        flushes: Overdue::default(),
        shutdowns: Overdue::default(),
    }))
}

impl LoadedProvider {
    /// Calls the plugin about a span, if it is one of its own.
    #[inline]
    fn on_span(&self, span: &SpanState, call: impl FnOnce(*mut c_void, u64) -> i32) {
        if let Some(handle) = span.as_handle(self.id) {
            self.instance.call(|data| call(data, handle));
        }
    }

    /// Calls a function that may take longer than it should, and waits no longer
    /// than `deadline`. A plugin that never returns keeps its thread, but not many.
    fn within(
        &self,
        deadline: Duration,
        overdue: &Overdue,
        call: Option<unsafe extern "C" fn(*mut c_void, u64, *mut abi::Error) -> i32>,
    ) -> Result<(), Error> {
        /// For a plugin that keeps to the deadline, to say so itself.
        const GRACE: Duration = Duration::from_millis(20);
        const MAX_OVERDUE: u32 = 3;
        let Some(call) = call else { return Ok(()) };
        let late = |what| Error::new(ErrorKind::Timeout, what).with_context("provider", self.instance.name());
        if overdue.load(Ordering::Relaxed) >= MAX_OVERDUE {
            return Err(late("the plugin has not returned from earlier calls"));
        }
        let (done, returned) = mpsc::channel();
        // Of the call and the one who waits for it, the second to be through knows.
        let one_is_through = Arc::new(AtomicBool::new(false));
        let work = {
            let (instance, overdue) = (Arc::clone(&self.instance), Arc::clone(overdue));
            let one_is_through = Arc::clone(&one_is_through);
            move || {
                let _suppressed = suppression::enter();
                // SAFETY: a function of the plugin with its data.
                let result = instance.try_call(|data, error| unsafe { call(data, nanos(deadline), error) });
                // Whoever waits may drop the provider, and expects the instance to end with it.
                drop(instance);
                let _ = done.send(result);
                if one_is_through.swap(true, Ordering::Relaxed) {
                    overdue.fetch_sub(1, Ordering::Relaxed);
                }
            }
        };
        if thread::Builder::new().name("spandrel-plugin-flush".to_owned()).spawn(work).is_err() {
            return Err(Error::new(ErrorKind::Io, "cannot start a thread to flush the plugin in"));
        }
        returned.recv_timeout(deadline.saturating_add(GRACE)).unwrap_or_else(|_| {
            overdue.fetch_add(1, Ordering::Relaxed);
            if one_is_through.swap(true, Ordering::Relaxed) {
                overdue.fetch_sub(1, Ordering::Relaxed);
            }
            Err(late("the plugin has not returned in time"))
        })
    }

    #[cold]
    fn lose(&self, status: Option<i32>) {
        let lost = match status {
            None if self.instance.is_ours() => &self.lost.panicked,
            None => &self.lost.forked,
            Some(abi::SHUT_DOWN) => &self.lost.after_shutdown,
            Some(_) => &self.lost.refused,
        };
        lost.fetch_add(1, Ordering::Relaxed);
    }
}

impl TracingProvider for LoadedProvider {
    #[inline]
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        let mut handle = 0;
        let status = abi::lend_span_start(start, |start| {
            // SAFETY: a function of the plugin with its data; the start lives during the call.
            self.instance.call(|data| unsafe { (self.calls.start_span)(data, start, &raw mut handle) })
        });
        match status {
            Some(abi::OK) => SpanState::handle(self.id, handle),
            status => {
                self.lose(status);
                SpanState::none()
            }
        }
    }

    #[inline]
    fn end_span(&self, span: SpanState, end: Timestamp) {
        let Some(handle) = span.as_handle(self.id) else { return };
        // SAFETY: as above; the last call with this handle.
        let ended = self.instance.call(|data| unsafe { (self.calls.end_span)(data, handle, end.unix_nanos()) });
        if ended.is_none() {
            self.lose(None);
        }
    }

    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>) {
        let (status, text) = match status {
            Status::Unset => (abi::STATUS_UNSET, ""),
            Status::Ok => (abi::STATUS_OK, ""),
            Status::Error(text) => (abi::STATUS_ERROR, text),
        };
        if let Some(set_span_status) = self.table.set_span_status {
            // SAFETY: as above.
            self.on_span(span, |data, span| unsafe { set_span_status(data, span, status, Text::new(text)) });
        }
    }

    fn set_span_name(&self, span: &mut SpanState, name: &str) {
        if let Some(set_span_name) = self.table.set_span_name {
            // SAFETY: as above.
            self.on_span(span, |data, span| unsafe { set_span_name(data, span, Text::new(name)) });
        }
    }

    fn add_span_attributes(&self, span: &mut SpanState, attributes: &[Attribute<'_>]) {
        if let Some(add_span_attributes) = self.table.add_span_attributes {
            abi::lend_attributes(attributes, |attributes| {
                let (ptr, len) = (attributes.as_ptr(), attributes.len());
                // SAFETY: as above.
                self.on_span(span, |data, span| unsafe { add_span_attributes(data, span, ptr, len) });
            });
        }
    }

    fn add_span_event(&self, span: &mut SpanState, event: &Event<'_>) {
        if let Some(add_span_event) = self.table.add_span_event {
            abi::lend_event(event, |event| {
                // SAFETY: as above.
                self.on_span(span, |data, span| unsafe { add_span_event(data, span, event) });
            });
        }
    }

    fn add_span_link(&self, span: &mut SpanState, link: &Link<'_>) {
        if let Some(add_span_link) = self.table.add_span_link {
            // SAFETY: as above.
            abi::lend_link(link, |link| self.on_span(span, |data, span| unsafe { add_span_link(data, span, link) }));
        }
    }

    fn records(&self) -> bool {
        self.records
    }

    fn keeps_context(&self) -> bool {
        let ProviderTable { enter_span, exit_span, current_context, enter_unsampled, .. } = self.table;
        enter_span.is_some() || exit_span.is_some() || current_context.is_some() || enter_unsampled.is_some()
    }

    fn enter_span(&self, span: &mut SpanState) {
        if let Some(enter_span) = self.table.enter_span {
            // SAFETY: as above.
            self.on_span(span, |data, span| unsafe { enter_span(data, span) });
        }
    }

    fn exit_span(&self, span: &mut SpanState) {
        if let Some(exit_span) = self.table.exit_span {
            // SAFETY: as above.
            self.on_span(span, |data, span| unsafe { exit_span(data, span) });
        }
    }

    fn propagation_fields(&self) -> &[&str] {
        self.instance.fields()
    }

    fn extract_context(&self, carrier: &dyn Carrier) -> Extraction {
        self.instance.extract(carrier)
    }

    fn inject_context(&self, context: &SpanContext, carrier: &mut dyn CarrierMut) -> bool {
        self.instance.inject(context, carrier)
    }

    fn current_context(&self) -> Option<SpanContext> {
        let current_context = self.table.current_context?;
        // SAFETY: as above.
        self.instance.find(|data, user, found| unsafe { current_context(data, user, found) }).1
    }

    fn enter_unsampled(&self, context: &SpanContext) {
        if let Some(enter_unsampled) = self.table.enter_unsampled {
            let context = context.lend();
            // SAFETY: as above.
            self.instance.call(|data| unsafe { enter_unsampled(data, &raw const context) });
        }
    }

    fn exit_unsampled(&self, context: &SpanContext) {
        if let Some(exit_unsampled) = self.table.exit_unsampled {
            let context = context.lend();
            // SAFETY: as above.
            self.instance.call(|data| unsafe { exit_unsampled(data, &raw const context) });
        }
    }

    fn samples(&self) -> bool {
        self.instance.common().sample.is_some()
    }

    fn sample(&self, start: &SpanStart<'_>) -> bool {
        self.instance.sample(start)
    }

    fn health(&self) -> Result<(), Error> {
        self.instance.health()
    }

    fn force_flush(&self, deadline: Duration) -> Result<(), Error> {
        self.within(deadline, &self.flushes, self.table.flush)
    }

    fn retire(&self) {
        if let Some(retire) = self.table.retire {
            // SAFETY: as above.
            self.instance.call(|data| unsafe { retire(data) });
        }
    }

    fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        self.within(deadline, &self.shutdowns, self.table.shutdown)
    }

    fn stats(&self) -> Stats {
        let mut stats = self.instance.stats();
        let Lost { panicked, forked, after_shutdown, refused } = &self.lost;
        let [panicked, forked, after_shutdown, refused] =
            [panicked, forked, after_shutdown, refused].map(|lost| lost.load(Ordering::Relaxed));
        let lost = panicked + forked + after_shutdown + refused;
        stats.recorded += lost;
        if stats.branches.is_empty() && lost > 0 {
            let mut branch = BranchStats::default();
            branch.name = self.instance.name().to_owned();
            stats.branches.push(branch);
        }
        for branch in &mut stats.branches {
            branch.dropped.panicked += panicked;
            branch.dropped.forked += forked;
            branch.dropped.after_shutdown += after_shutdown;
            branch.dropped.export_failed += refused;
        }
        stats
    }
}
