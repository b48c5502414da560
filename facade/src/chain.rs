//! The spans and contexts that this thread is in, the innermost first.
//!
//! Entering a span moves its live half here and leaving moves it back; nothing
//! points into a borrowed span. So a guard that is forgotten costs attributes,
//! never soundness.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spandrel_plugin_api::{Attribute, SpanContext, SpanState, Timestamp, TraceFlags, suppression};
use spandrel_recorder::RunningSpan;

use crate::context::{self, Context, Extension, Scope};
use crate::tracer::Core;
use crate::{clock, id};

/// The live half of a span, or a context that was attached.
#[derive(Default)]
pub(crate) struct Live {
    /// Not valid where there is no span.
    pub(crate) context: SpanContext,
    pub(crate) tracer: Option<&'static Core>,
    pub(crate) recording: Recording,
    /// What the recorder keeps of the span, while it is recorded [here](Recording::Here).
    pub(crate) span: RunningSpan,
    /// What a provider keeps of it, while it is recorded [there](Recording::There).
    pub(crate) state: SpanState,
    /// What becomes current together with the span, if it brought something.
    pub(crate) scope: ScopeSwitch,
    /// Tells entered spans apart; unique in this process, and never 0. Odd if the span is recorded.
    key: u64,
    below: Option<Box<Live>>,
}

/// Where what is written to a span goes.
#[derive(Clone, Copy, PartialEq, Default)]
pub(crate) enum Recording {
    /// Nowhere: the span is not sampled, has ended, or is no span.
    #[default]
    Off,
    /// Into the live half itself; the tracer's backend is a recorder.
    Here,
    /// To a provider.
    There,
}

/// Ambient attributes, baggage and override of a span that came with a context.
#[derive(Default)]
pub(crate) enum ScopeSwitch {
    /// The span takes what is current.
    #[default]
    Keep,
    /// To be made current on entering.
    Set(Option<Arc<Scope>>),
    /// Entered: to be made current again on leaving.
    Restore(Option<Arc<Scope>>, Option<Arc<Scope>>),
}

impl ScopeSwitch {
    /// Hands a value down, before the span is entered.
    pub(crate) fn extend(&mut self, value: Extension) {
        let scope = match std::mem::take(self) {
            Self::Set(scope) => scope,
            Self::Keep | Self::Restore(..) => Context::root().scope_of_child(),
        };
        let mut scope = scope.as_deref().cloned().unwrap_or_default();
        scope.extend(value);
        *self = Self::Set(Some(Arc::new(scope)));
    }
}

thread_local! {
    /// Without a destructor, which would have to be looked after at each access.
    static THREAD: Thread = const { Thread { top: Slot::empty(), free: Slot::empty(), free_len: Cell::new(MAX_POOLED) } };
    static KEYS: Cell<u64> = const { Cell::new(0) };
    static END: ThreadEnd = const { ThreadEnd };
}

/// The live halves of a thread.
struct Thread {
    top: Slot,
    /// Those that are used again, one below the other.
    free: Slot,
    /// [`MAX_POOLED`] also while nobody looks after the thread's end, so that nothing is kept.
    free_len: Cell<usize>,
}

struct Slot(Cell<Option<ManuallyDrop<Box<Live>>>>);

impl Slot {
    const fn empty() -> Self {
        Self(Cell::new(None))
    }

    #[inline(always)]
    fn take(&self) -> Option<Box<Live>> {
        self.0.take().map(ManuallyDrop::into_inner)
    }

    #[inline(always)]
    fn set(&self, live: Option<Box<Live>>) {
        self.0.set(live.map(ManuallyDrop::new));
    }
}

const MAX_POOLED: usize = 64;

impl Thread {
    #[inline(always)]
    fn take_free(&self) -> Option<Box<Live>> {
        let mut live = self.free.take()?;
        self.free.set(live.below.take());
        self.free_len.set(self.free_len.get() - 1);
        Some(live)
    }
}

/// Ends what a thread has left in its chain.
struct ThreadEnd;

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        THREAD.with(|thread| {
            thread.free_len.set(MAX_POOLED);
            drop(thread.free.take());
            while let Some(mut live) = thread.top.take() {
                thread.top.set(live.below.take());
                drop(live);
            }
        });
    }
}

/// An empty live half from this thread's pool.
#[inline]
pub(crate) fn new_live() -> Box<Live> {
    THREAD.with(Thread::take_free).unwrap_or_else(first_live)
}

#[cold]
fn first_live() -> Box<Live> {
    look_after_end();
    Box::default()
}

/// Makes sure that somebody ends what the thread leaves in its chain.
#[cold]
fn look_after_end() {
    if END.try_with(|_| ()).is_ok() {
        THREAD.with(|thread| match thread.free.take() {
            None => thread.free_len.set(0),
            pooled => thread.free.set(pooled),
        });
    }
}

/// Starts a span that has only a name, as a child of the current one.
///
/// For the usual case alone, in which nothing has to be asked or called for it and
/// nobody can come in between; `None` is any other case, with nothing done yet.
/// `builder` has the whole of it.
#[inline(always)]
pub(crate) fn start_usual(tracer: &'static Core, name: &str) -> Option<Box<Live>> {
    let sampler = tracer.usual_sampler()?;
    if context::has_ambient() {
        return None;
    }
    let mut live = THREAD.with(Thread::take_free)?;
    let top = take_top();
    let parent = top.as_ref().map(|live| &live.context).filter(|context| context.is_valid());
    let (trace_id, span_id, flags) = match parent {
        Some(parent) => (parent.trace_id(), id::child(), parent.flags()),
        None => {
            let (trace_id, span_id) = id::root();
            (trace_id, span_id, TraceFlags::RANDOM)
        }
    };
    let is_sampled = sampler.should_sample(parent, trace_id);
    live.context = SpanContext::new(trace_id, span_id, flags.with_sampled(is_sampled));
    if let Some(parent) = parent
        && !parent.trace_state().is_empty()
    {
        live.inherit_trace_state(parent);
    }
    live.tracer = Some(tracer);
    if is_sampled {
        live.record_usual(tracer, name, parent);
    }
    set_top(top);
    Some(live)
}

/// Leaves and ends a span, if nobody has to be told but the recorder and nothing is
/// above it; false is any other case, with nothing done yet.
#[inline(always)]
pub(crate) fn end_usual(key: u64) -> bool {
    let Some(mut live) = take_top() else { return false };
    if live.key != key || live.wants_brackets() {
        set_top(Some(live));
        return false;
    }
    set_top(live.below.take());
    if live.is_recording() {
        live.end(None);
    }
    live.context = SpanContext::default();
    live.tracer = None;
    keep_free(live);
    true
}

/// Makes it the innermost one, and says its key.
#[inline]
pub(crate) fn enter(mut live: Box<Live>) -> u64 {
    if live.wants_brackets() {
        live.on_enter();
    }
    // It may have been started on another thread.
    if THREAD.with(|thread| thread.free_len.get()) == MAX_POOLED {
        look_after_end();
    }
    enter_usual(live)
}

/// As [`enter`], if nobody has to be told.
#[inline(always)]
pub(crate) fn enter_usual(mut live: Box<Live>) -> u64 {
    let key = KEYS.with(next_key) | u64::from(live.is_recording());
    live.key = key;
    live.below = take_top();
    set_top(Some(live));
    key
}

/// Whether the innermost one is a span, or the context of one.
#[inline]
pub(crate) fn has_span() -> bool {
    let top = take_top();
    let has_span = top.as_ref().is_some_and(|live| live.context.is_valid());
    set_top(top);
    has_span
}

/// Takes it out, wherever it is: guards may be dropped out of order.
#[inline]
pub(crate) fn leave(key: u64) -> Option<Box<Live>> {
    let mut top = take_top()?;
    if top.key != key {
        set_top(Some(top));
        return leave_from_below(key);
    }
    set_top(top.below.take());
    if top.wants_brackets() {
        top.on_leave();
    }
    Some(top)
}

#[cold]
fn leave_from_below(key: u64) -> Option<Box<Live>> {
    let mut top = take_top()?;
    let mut found = None;
    let mut above = 0;
    let mut at = &mut top;
    while at.below.is_some() {
        above += 1;
        if at.below.as_ref().is_some_and(|below| below.key == key) {
            found = at.below.take();
            if let Some(found) = &mut found {
                at.below = found.below.take();
            }
            break;
        }
        let Some(below) = &mut at.below else { break };
        at = below;
    }
    if let Some(found) = &mut found {
        found.bequeath_scope(&mut top, above);
    }
    set_top(Some(top));
    if let Some(found) = &mut found {
        found.on_leave();
    }
    found
}

/// Takes it out with all that is above it, whose guards were forgotten: for
/// closures and polls, which nest.
#[inline]
pub(crate) fn leave_scope(key: u64) -> Option<Box<Live>> {
    let mut top = take_top()?;
    if top.key != key {
        set_top(Some(top));
        end_above(key);
        return leave(key);
    }
    set_top(top.below.take());
    if top.wants_brackets() {
        top.on_leave();
    }
    Some(top)
}

#[cold]
fn end_above(key: u64) {
    let Some(top) = take_top() else { return };
    let is_within = std::iter::successors(Some(&top), |live| live.below.as_ref()).any(|live| live.key == key);
    let mut top_key = top.key;
    set_top(Some(top));
    while is_within && top_key != key {
        let Some(live) = leave(top_key) else { return };
        end(live, None);
        let Some(top) = take_top() else { return };
        top_key = top.key;
        set_top(Some(top));
    }
}

/// Ends the span, if it is one, and pools the live half.
#[inline]
pub(crate) fn end(mut live: Box<Live>, time: Option<Timestamp>) {
    if live.is_recording() {
        live.end(time);
    }
    live.context = SpanContext::default();
    live.tracer = None;
    if !matches!(live.scope, ScopeSwitch::Keep) {
        live.scope = ScopeSwitch::Keep;
    }
    keep_free(live);
}

/// Calls `f` with the innermost one. What `f` calls finds an empty chain, and
/// inside a provider there is none.
#[inline]
pub(crate) fn with_top<R>(f: impl FnOnce(&mut Live) -> R) -> Option<R> {
    if suppression::is_active() {
        return None;
    }
    let mut top = take_top()?;
    if top.recording != Recording::Here {
        set_top(Some(top));
        return TakenChain::take().top.as_deref_mut().map(f);
    }
    // The recorder is ours and calls nobody, so that nothing can come in between.
    let result = f(&mut top);
    set_top(Some(top));
    Some(result)
}

/// Calls `f` with the ids of the current span, if there is one.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(Option<&SpanContext>) -> R) -> R {
    f(TakenChain::take().top.as_ref().map(|live| &live.context))
}

/// Calls `f` with the one that has this key, if this thread is in it.
#[inline]
pub(crate) fn with<R>(key: u64, f: impl FnOnce(&mut Live) -> R) -> Option<R> {
    if suppression::is_active() {
        return None;
    }
    let mut top = take_top()?;
    if top.key != key || top.recording != Recording::Here {
        set_top(Some(top));
        return with_any(key, f);
    }
    // The recorder is ours and calls nobody, so that nothing can come in between.
    let result = f(&mut top);
    set_top(Some(top));
    Some(result)
}

/// Sets an attribute of the one that has this key, in as few steps as there can be.
#[inline(never)]
pub(crate) fn set_attribute(key: u64, attribute: &Attribute<'_>) {
    if suppression::is_active() {
        return;
    }
    let Some(mut top) = take_top() else { return };
    if top.key == key && top.keeps_attribute(attribute) {
        top.span.set_attribute(attribute);
        return set_top(Some(top));
    }
    set_top(Some(top));
    set_attribute_any(key, attribute);
}

#[cold]
fn set_attribute_any(key: u64, attribute: &Attribute<'_>) {
    with(key, |live| live.set_attributes(std::slice::from_ref(attribute)));
}

#[cold]
fn with_any<R>(key: u64, f: impl FnOnce(&mut Live) -> R) -> Option<R> {
    let mut chain = TakenChain::take();
    let mut at = chain.top.as_mut();
    while let Some(live) = at {
        if live.key == key {
            return Some(f(live));
        }
        at = live.below.as_mut();
    }
    None
}

/// The chain while somebody works on it; put back at the end, also by a panic.
struct TakenChain {
    top: Option<Box<Live>>,
}

impl TakenChain {
    #[inline]
    fn take() -> Self {
        Self { top: take_top() }
    }
}

impl Drop for TakenChain {
    #[inline(always)]
    fn drop(&mut self) {
        if self.top.is_some() {
            set_top(self.top.take());
        }
    }
}

#[inline(always)]
fn take_top() -> Option<Box<Live>> {
    THREAD.with(|thread| thread.top.take())
}

#[inline(always)]
fn set_top(live: Option<Box<Live>>) {
    // What is moved in has no destructor, so that nothing is left of the closure.
    let live = live.map(ManuallyDrop::new);
    THREAD.with(|thread| thread.top.0.set(live));
}

#[inline(always)]
fn keep_free(mut live: Box<Live>) {
    let len = THREAD.with(|thread| thread.free_len.get());
    if len < MAX_POOLED {
        live.below = THREAD.with(|thread| thread.free.take());
        let live = Some(ManuallyDrop::new(live));
        THREAD.with(|thread| {
            thread.free.0.set(live);
            thread.free_len.set(len + 1);
        });
    }
}

/// An even number for each entering: the thread in the upper bits.
#[inline]
fn next_key(keys: &Cell<u64>) -> u64 {
    static THREADS: AtomicU64 = AtomicU64::new(1);
    let mut key = keys.get();
    if key == 0 {
        key = THREADS.fetch_add(1, Ordering::Relaxed) << 40;
    }
    keys.set(key + 2);
    key + 2
}

impl Live {
    #[inline]
    pub(crate) const fn is_recording(&self) -> bool {
        !matches!(self.recording, Recording::Off)
    }

    /// Ends a recorded span at `time`, or now.
    #[inline(never)]
    fn end(&mut self, time: Option<Timestamp>) {
        let Some(tracer) = self.tracer else { return };
        let time = time.unwrap_or_else(clock::now);
        match (std::mem::take(&mut self.recording), tracer.recorder()) {
            (Recording::Here, Some(recorder)) => recorder.end(&mut self.span, time),
            _ => tracer.end(std::mem::take(&mut self.state), time),
        }
        if let Some(open) = tracer.open_spans() {
            open.remove(self.context.span_id());
        }
    }

    #[inline(never)]
    fn record_usual(&mut self, tracer: &'static Core, name: &str, parent: Option<&SpanContext>) {
        let name = tracer.redaction.text(name);
        if let Some(recorder) = tracer.recorder() {
            recorder.start_named(&mut self.span, &name, &self.context, parent, clock::now());
            self.recording = Recording::Here;
        }
    }

    /// Whether it is recorded here, and an attribute as it is.
    #[inline(always)]
    fn keeps_attribute(&self, attribute: &Attribute<'_>) -> bool {
        self.recording == Recording::Here
            && self.tracer.is_some_and(|tracer| tracer.redaction.keeps_attribute(attribute))
    }

    #[cold]
    fn inherit_trace_state(&mut self, parent: &SpanContext) {
        self.context = self.context.clone().with_trace_state(parent.trace_state().clone());
    }

    /// Whether something is to be done on entering and leaving.
    #[inline]
    fn wants_brackets(&self) -> bool {
        !matches!(self.scope, ScopeSwitch::Keep) || self.tracer.is_some_and(|tracer| tracer.keeps_context)
    }

    #[cold]
    fn on_enter(&mut self) {
        if let ScopeSwitch::Set(scope) = &mut self.scope {
            let scope = scope.take();
            let before = context::swap_scope(scope.clone());
            self.scope = ScopeSwitch::Restore(before, scope);
        }
        if let Some(tracer) = self.tracer.filter(|tracer| tracer.keeps_context) {
            tracer.call(|provider| match self.recording {
                Recording::There => provider.enter_span(&mut self.state),
                _ => provider.enter_unsampled(&self.context),
            });
        }
    }

    #[cold]
    fn on_leave(&mut self) {
        if let Some(tracer) = self.tracer.filter(|tracer| tracer.keeps_context) {
            tracer.call(|provider| match self.recording {
                Recording::There => provider.exit_span(&mut self.state),
                _ => provider.exit_unsampled(&self.context),
            });
        }
        if let ScopeSwitch::Restore(before, scope) = &mut self.scope {
            let (before, scope) = (before.take(), scope.take());
            context::swap_scope(before);
            self.scope = ScopeSwitch::Set(scope);
        }
    }
}

impl Live {
    /// Left before those `above` it: what it was to restore is restored by the next
    /// of them, whose scope stays current until then.
    fn bequeath_scope(&mut self, top: &mut Live, above: usize) {
        let ScopeSwitch::Restore(before, scope) = &mut self.scope else { return };
        let mut heir = None;
        let mut at = Some(top);
        for _ in 0..above {
            let Some(live) = at else { break };
            if let ScopeSwitch::Restore(before, _) = &mut live.scope {
                heir = Some(before);
            }
            at = live.below.as_deref_mut();
        }
        if let Some(heir) = heir {
            *heir = before.take();
            self.scope = ScopeSwitch::Set(scope.take());
        }
    }
}

impl Drop for Live {
    /// A live half that nobody took back, at the end of its thread. One after the
    /// other: there may be more of them than the stack is deep.
    fn drop(&mut self) {
        if self.is_recording() {
            self.end(None);
        }
        let mut next = self.below.take();
        while let Some(mut live) = next {
            next = live.below.take();
        }
    }
}
