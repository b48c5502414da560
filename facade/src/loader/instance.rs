//! What both kinds of instances have in common: panics counted, forks noticed, and
//! the questions that any of them may answer.
#![expect(unsafe_code, reason = "calls functions of a plugin")]

use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use spandrel_plugin_api::abi::{self, LendContext};
use spandrel_plugin_api::diagnostics::{Level, report};
use spandrel_plugin_api::{
    BranchStats, Carrier, CarrierMut, Error, ErrorKind, Extraction, SpanContext, SpanStart, Stats, panics,
};
use spandrel_recorder::fork;

use super::host;
use super::library::Library;
use crate::tracer::MAX_PANICS;

type Call = unsafe extern "C" fn(data: *mut c_void) -> i32;

/// The functions that exporters and live providers have alike.
#[derive(Clone, Copy)]
pub(super) struct Common {
    pub(super) destroy: Option<Call>,
    pub(super) after_fork_child: Option<Call>,
    pub(super) sample: Option<unsafe extern "C" fn(*mut c_void, *const abi::SpanStart, *mut u32) -> i32>,
    pub(super) extract:
        Option<unsafe extern "C" fn(*mut c_void, *const abi::Carrier, *mut c_void, Option<abi::Found>) -> i32>,
    pub(super) inject: Option<unsafe extern "C" fn(*mut c_void, *const abi::Context, *const abi::CarrierMut) -> i32>,
    pub(super) stats: Option<unsafe extern "C" fn(*mut c_void, *mut abi::Stats) -> i32>,
    pub(super) health: Option<unsafe extern "C" fn(*mut c_void, *mut abi::Error) -> i32>,
}

/// An instance of a plugin; destroyed when it is dropped.
pub(super) struct Instance {
    pub(super) library: &'static Library,
    /// The name under which it was configured.
    name: String,
    data: *mut c_void,
    common: Common,
    /// Header names that live for ever, as carriers want them.
    fields: Vec<&'static str>,
    generation: AtomicU64,
    /// The forked child that the plugin was last asked to follow into, and has answered for.
    asked: AtomicU64,
    answered: AtomicU64,
    panics: AtomicU32,
    /// Those of `panics` that came in calls of a recorder.
    recorder_panics: AtomicU32,
    /// What it said of its spans when it was taken out of service.
    last_stats: OnceLock<abi::Stats>,
}

/// Who called a plugin that panics.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// A recorder, which counts and tells the panics of its exporters itself.
    Recorder,
    Service,
    /// The question for what became of the spans.
    Stats,
}

// SAFETY: `data` means something to the plugin alone, whose functions may be called
// from any thread, by the rules of the boundary.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

impl Instance {
    pub(super) fn new(library: &'static Library, name: &str, made: &abi::Instance, common: Common) -> Self {
        fork::install();
        Self {
            library,
            name: name.to_owned(),
            data: made.data,
            common,
            // SAFETY: the plugin keeps them until `destroy`.
            fields: unsafe { fields(name, made) },
            generation: AtomicU64::new(fork::generation()),
            asked: AtomicU64::new(fork::generation()),
            answered: AtomicU64::new(fork::generation()),
            panics: AtomicU32::new(0),
            recorder_panics: AtomicU32::new(0),
            last_stats: OnceLock::new(),
        }
    }

    /// Calls the plugin with its `data`, unless it is out of service. `None` if it is, or if it panicked.
    #[inline]
    pub(super) fn call(&self, call: impl FnOnce(*mut c_void) -> i32) -> Option<i32> {
        self.call_as(Caller::Service, call)
    }

    #[inline]
    pub(super) fn call_as(&self, caller: Caller, call: impl FnOnce(*mut c_void) -> i32) -> Option<i32> {
        if self.panics.load(Ordering::Relaxed) >= MAX_PANICS {
            return None;
        }
        if self.generation.load(Ordering::Relaxed) != fork::generation() && !self.follow_fork(caller) {
            return None;
        }
        match call(self.data) {
            abi::PANICKED => {
                self.count_panic(caller);
                None
            }
            status => Some(status),
        }
    }

    /// Calls a function that may answer with an error.
    pub(super) fn try_call(&self, call: impl FnOnce(*mut c_void, *mut abi::Error) -> i32) -> Result<(), Error> {
        self.try_call_as(Caller::Service, call)
    }

    pub(super) fn try_call_as(
        &self,
        caller: Caller,
        call: impl FnOnce(*mut c_void, *mut abi::Error) -> i32,
    ) -> Result<(), Error> {
        let mut error = abi::Error::EMPTY;
        let mut status = None;
        let called = self.call_as(caller, |data| *status.insert(call(data, &raw mut error)));
        match (called, status) {
            // SAFETY: the error was empty before the call.
            (_, Some(status)) => unsafe { abi::take_error(status, error) },
            (_, None) => Err(self.out_of_service()),
        }
    }

    /// The first call in a forked child: the plugin is asked once, and a no is for good.
    #[cold]
    fn follow_fork(&self, caller: Caller) -> bool {
        let process = fork::generation();
        if self.asked.swap(process, Ordering::Relaxed) == process {
            // Another thread of the child may be asking right now. No lock, as that of
            // the parent may have been held at the fork.
            while self.answered.load(Ordering::Acquire) != process {
                std::thread::yield_now();
            }
            return self.generation.load(Ordering::Relaxed) == process;
        }
        let status = match self.common.after_fork_child {
            // SAFETY: a function of the plugin with its data.
            Some(after_fork_child) => unsafe { after_fork_child(self.data) },
            None => abi::UNSUPPORTED,
        };
        match status {
            abi::OK => self.generation.store(process, Ordering::Relaxed),
            abi::PANICKED => self.count_panic(caller),
            _ => {}
        }
        self.answered.store(process, Ordering::Release);
        status == abi::OK
    }

    #[cold]
    fn count_panic(&self, caller: Caller) {
        // What the panicking call has suppressed stays so otherwise.
        host::resume_tracing();
        self.recorder_panics.fetch_add(u32::from(caller == Caller::Recorder), Ordering::Relaxed);
        let panics = self.panics.fetch_add(1, Ordering::Relaxed) + 1;
        if panics != MAX_PANICS {
            return;
        }
        if self.recorder_panics() < MAX_PANICS {
            let (name, path) = (&self.name, self.library.path().display());
            let text = format!("provider {name} panicked {panics} times and is out of service now (path: {path})");
            report(Level::Warning, &text);
        }
        // For the last time, so that its spans do not vanish from the counts with it.
        if caller != Caller::Stats
            && let (abi::OK, said) = self.ask_stats()
        {
            let _ = self.last_stats.set(said);
        }
    }

    fn ask_stats(&self) -> (i32, abi::Stats) {
        let mut said = abi::Stats { size: size_of::<abi::Stats>(), ..abi::Stats::default() };
        let status = match self.common.stats {
            // SAFETY: a function of the plugin with its data.
            Some(stats) => unsafe { stats(self.data, &raw mut said) },
            None => abi::UNSUPPORTED,
        };
        (status, said)
    }

    /// Destroys the instance, which is not called again; does nothing the second time.
    pub(super) fn destroy(&mut self, caller: Caller) {
        let destroy = self.common.destroy.take();
        // What a panic has left behind, or a fork, cannot be taken apart safely.
        if let (Some(destroy), true) = (destroy, self.is_ours() && self.panics() < MAX_PANICS) {
            // SAFETY: the last call with this data.
            if unsafe { destroy(self.data) } == abi::PANICKED {
                self.common.stats = None;
                self.count_panic(caller);
            }
        }
    }

    /// Whether the plugin works in this process, and not in the parent of it.
    pub(super) fn is_ours(&self) -> bool {
        self.generation.load(Ordering::Relaxed) == fork::generation()
    }

    pub(super) fn panics(&self) -> u32 {
        self.panics.load(Ordering::Relaxed)
    }

    pub(super) fn recorder_panics(&self) -> u32 {
        self.recorder_panics.load(Ordering::Relaxed)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Why the plugin is not called any more.
    pub(super) fn out_of_service(&self) -> Error {
        let (kind, message) = match self.panics() {
            0..MAX_PANICS => (ErrorKind::Unsupported, "the plugin does not work in a forked process"),
            _ => (ErrorKind::Panicked, "the plugin is out of service, as it panicked three times"),
        };
        Error::new(kind, message).with_context("provider", &self.name)
    }

    pub(super) fn common(&self) -> &Common {
        &self.common
    }

    pub(super) fn fields(&self) -> &[&'static str] {
        &self.fields
    }

    pub(super) fn sample(&self, start: &SpanStart<'_>) -> bool {
        let Some(sample) = self.common.sample else { return true };
        let mut decision = abi::SAMPLE_NO_OPINION;
        let status = abi::lend_span_start(start, |start| {
            // SAFETY: a function of the plugin with its data; the rest lives during the call.
            self.call(|data| unsafe { sample(data, start, &raw mut decision) })
        });
        (status, decision) != (Some(abi::OK), abi::SAMPLE_DROP)
    }

    pub(super) fn extract(&self, carrier: &dyn Carrier) -> Extraction {
        let extract = self.common.extract.filter(|_| !self.fields.is_empty());
        let Some(extract) = extract else { return Extraction::UseConfigured };
        let mut carrier = carrier;
        let carrier = abi::Carrier {
            size: size_of::<abi::Carrier>(),
            data: (&raw mut carrier).cast(),
            for_each_value: Some(for_each_value),
        };
        let (status, context) = self.find(|data, user, found| {
            // SAFETY: as in `sample`.
            unsafe { extract(data, &raw const carrier, user, found) }
        });
        match (status, context) {
            (Some(abi::OK), Some(context)) => Extraction::Context(context),
            (Some(abi::OK), None) => Extraction::Nothing,
            _ => Extraction::UseConfigured,
        }
    }

    pub(super) fn inject(&self, context: &SpanContext, carrier: &mut dyn CarrierMut) -> bool {
        // What it may not write it cannot have written.
        let Some(inject) = self.common.inject.filter(|_| !self.fields.is_empty()) else { return false };
        let mut writing = Writing { carrier: RefCell::new(carrier), fields: &self.fields };
        let carrier = abi::CarrierMut {
            size: size_of::<abi::CarrierMut>(),
            data: (&raw mut writing).cast(),
            set: Some(set),
            remove: Some(remove),
        };
        let context = context.lend();
        // SAFETY: as in `sample`.
        let status = self.call(|data| unsafe { inject(data, &raw const context, &raw const carrier) });
        status == Some(abi::OK)
    }

    pub(super) fn health(&self) -> Result<(), Error> {
        match self.common.health {
            // SAFETY: as in `sample`.
            Some(health) => self.try_call(|data, error| unsafe { health(data, error) }),
            None if self.panics() >= MAX_PANICS => Err(self.out_of_service()),
            None => Ok(()),
        }
    }

    /// What the plugin says of its spans, as the one branch of them.
    pub(super) fn stats(&self) -> Stats {
        let mut said = None;
        self.call_as(Caller::Stats, |_| {
            let (status, stats) = self.ask_stats();
            said = (status == abi::OK).then_some(stats);
            status
        });
        // A forked child has spans of its own.
        let said = said.or_else(|| self.last_stats.get().copied().filter(|_| self.is_ours()));
        let mut stats = Stats::default();
        stats.panics = u64::from(self.panics());
        let Some(said) = said else { return stats };
        stats.recorded = said.recorded;
        stats.panics += said.panics;
        let mut branch = BranchStats::default();
        branch.name.clone_from(&self.name);
        branch.exported = said.exported;
        branch.pending = said.pending;
        branch.dropped.queue_full = said.dropped_queue_full;
        branch.dropped.too_large = said.dropped_too_large;
        branch.dropped.export_failed = said.dropped_export_failed;
        branch.dropped.panicked = said.dropped_panicked;
        branch.dropped.after_shutdown = said.dropped_after_shutdown;
        branch.dropped.forked = said.dropped_forked;
        stats.branches.push(branch);
        stats
    }

    /// Calls a function that hands over a context.
    pub(super) fn find(
        &self,
        call: impl FnOnce(*mut c_void, *mut c_void, Option<abi::Found>) -> i32,
    ) -> (Option<i32>, Option<SpanContext>) {
        let mut context: Option<SpanContext> = None;
        let user = (&raw mut context).cast();
        (self.call(|data| call(data, user, Some(found))), context)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.destroy(Caller::Service);
    }
}

/// The names of headers that a plugin declares. Some carriers panic at what is not one.
unsafe fn fields(plugin: &str, made: &abi::Instance) -> Vec<&'static str> {
    if made.propagation_fields.is_null() {
        return Vec::new();
    }
    // SAFETY: as the caller promises.
    let texts = unsafe { std::slice::from_raw_parts(made.propagation_fields, made.propagation_fields_len) };
    // SAFETY: as the caller promises.
    let names = texts.iter().map(|text| unsafe { abi::read_text(*text) });
    let (names, others): (Vec<_>, Vec<_>) = names.partition(|name| is_header_name(name));
    if !others.is_empty() {
        let text = format!("plugin {plugin} declares names of headers that are none in lower case: {others:?}");
        report(Level::Warning, &text);
    }
    names.iter().map(|name| interned(name)).collect()
}

/// Source: RFC 9110, section 5.6.2, `token`; RFC 9113, section 8.2: in lower case.
fn is_header_name(name: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(is_allowed)
}

/// The same text, living for ever; each is leaked once.
fn interned(text: &str) -> &'static str {
    static INTERNED: std::sync::Mutex<Vec<&'static str>> = std::sync::Mutex::new(Vec::new());
    let mut known = INTERNED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(found) = known.iter().find(|known| **known == text) {
        return found;
    }
    let leaked: &'static str = Box::leak(text.to_owned().into_boxed_str());
    known.push(leaked);
    leaked
}

unsafe extern "C" fn found(user: *mut c_void, context: *const abi::Context) {
    // SAFETY: `user` is the slot of `find`, valid during the call; the plugin passes a context or null.
    unsafe {
        if let Some(context) = context.as_ref() {
            *user.cast::<Option<SpanContext>>() = Some(abi::read_context(context));
        }
    }
}

unsafe extern "C" fn for_each_value(
    data: *mut c_void,
    name: abi::Text,
    user: *mut c_void,
    each: Option<unsafe extern "C" fn(*mut c_void, abi::Text)>,
) {
    let Some(each) = each else { return };
    // The carrier may be the service's own; its panics stay on this side.
    panics::contained(|| {
        // SAFETY: `data` is the carrier of `extract`, valid during that call; the name lives during this one.
        let (carrier, name) = unsafe { (&*data.cast::<&dyn Carrier>(), abi::read_text(name)) };
        // SAFETY: the plugin's function with the plugin's data.
        carrier.for_each_value(&name, &mut |value| unsafe { each(user, abi::Text::new(value)) });
    });
}

/// A carrier that is being written to, and the headers that may be.
struct Writing<'a> {
    carrier: RefCell<&'a mut dyn CarrierMut>,
    fields: &'a [&'static str],
}

unsafe fn write(data: *mut c_void, name: abi::Text, write: impl FnOnce(&mut dyn CarrierMut, &'static str)) {
    panics::contained(|| {
        // SAFETY: `data` is what `inject` passed, valid during that call; the name lives during this one.
        let (writing, name) = unsafe { (&*data.cast::<Writing<'_>>(), abi::read_text(name)) };
        if let Some(name) = writing.fields.iter().find(|field| **field == name) {
            write(&mut **writing.carrier.borrow_mut(), name);
        }
    });
}

unsafe extern "C" fn set(data: *mut c_void, name: abi::Text, value: abi::Text) {
    // SAFETY: as in `write`; the value lives during the call.
    unsafe { write(data, name, |carrier, name| carrier.set(name, &abi::read_text(value))) }
}

unsafe extern "C" fn remove(data: *mut c_void, name: abi::Text) {
    // SAFETY: as in `write`.
    unsafe { write(data, name, |carrier, name| carrier.remove(name)) }
}
