//! The spans and contexts that this thread is in, the innermost first.
//!
//! Entering a span moves its live half here and leaving moves it back; nothing
//! points into a borrowed span. So a guard that is forgotten costs attributes,
//! never soundness.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use spandrel_plugin_api::{SpanContext, SpanState, Timestamp, suppression};

use crate::clock;
use crate::context::{self, Scope};
use crate::tracer::Core;

/// The live half of a span, or a context that was attached.
#[derive(Default)]
pub(crate) struct Live {
    /// Not valid where there is no span.
    pub(crate) context: SpanContext,
    pub(crate) tracer: Option<&'static Core>,
    /// `Some` while the span is recorded.
    pub(crate) state: Option<SpanState>,
    /// What becomes current together with the span, if it brought something.
    pub(crate) scope: ScopeSwitch,
    /// Tells entered spans apart; unique in this process.
    key: u64,
    below: Option<Box<Live>>,
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

thread_local! {
    static TOP: Cell<Option<Box<Live>>> = const { Cell::new(None) };
    static KEYS: Cell<u64> = const { Cell::new(0) };
    #[expect(clippy::vec_box, reason = "the boxes travel in and out, their contents stay")]
    static POOL: RefCell<Vec<Box<Live>>> = const { RefCell::new(Vec::new()) };
}

/// An empty live half from this thread's pool.
#[inline]
pub(crate) fn new_live() -> Box<Live> {
    let pooled = POOL.try_with(|pool| pool.try_borrow_mut().ok()?.pop());
    pooled.ok().flatten().unwrap_or_default()
}

/// Makes it the innermost one. `Err` gives it back while the thread is ending.
#[inline]
pub(crate) fn enter(mut live: Box<Live>) -> Result<u64, Box<Live>> {
    let Ok(key) = KEYS.try_with(next_key) else { return Err(live) };
    live.key = key;
    live.on_enter();
    let mut live = Some(live);
    let entered = TOP.try_with(|top| {
        if let Some(mut live) = live.take() {
            live.below = top.take();
            top.set(Some(live));
        }
    });
    match (entered, live) {
        (Err(_), Some(live)) => Err(live),
        _ => Ok(key),
    }
}

/// Takes it out, wherever it is: guards may be dropped out of order.
#[inline]
pub(crate) fn leave(key: u64) -> Option<Box<Live>> {
    let mut top = take_top()?;
    if top.key == key {
        set_top(top.below.take());
        top.on_leave();
        return Some(top);
    }
    let mut found = None;
    let mut at = &mut top;
    while at.below.is_some() {
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
    let top = take_top()?;
    let is_within = std::iter::successors(Some(&top), |live| live.below.as_ref()).any(|live| live.key == key);
    let mut top_key = top.key;
    set_top(Some(top));
    while is_within && top_key != key {
        end(leave(top_key)?, None);
        let top = take_top()?;
        top_key = top.key;
        set_top(Some(top));
    }
    leave(key)
}

/// Ends the span, if it is one, and pools the live half.
pub(crate) fn end(mut live: Box<Live>, time: Option<Timestamp>) {
    live.end(time);
    live.context = SpanContext::default();
    live.tracer = None;
    live.scope = ScopeSwitch::Keep;
    let _ = POOL.try_with(|pool| {
        if let Ok(mut pool) = pool.try_borrow_mut()
            && pool.len() < MAX_POOLED
        {
            pool.push(live);
        }
    });
}

const MAX_POOLED: usize = 64;

/// Calls `f` with the innermost one. What `f` calls finds an empty chain, and
/// inside a provider there is none.
#[inline]
pub(crate) fn with_top<R>(f: impl FnOnce(&mut Live) -> R) -> Option<R> {
    if suppression::is_active() {
        return None;
    }
    TakenChain::take().top.as_deref_mut().map(f)
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
    #[inline]
    fn drop(&mut self) {
        if self.top.is_some() {
            set_top(self.top.take());
        }
    }
}

#[inline]
fn take_top() -> Option<Box<Live>> {
    TOP.try_with(Cell::take).ok().flatten()
}

#[inline]
fn set_top(live: Option<Box<Live>>) {
    let _ = TOP.try_with(|top| top.set(live));
}

/// A number for each entering: the thread in the upper bits.
#[inline]
fn next_key(keys: &Cell<u64>) -> u64 {
    static THREADS: AtomicU64 = AtomicU64::new(1);
    let mut key = keys.get();
    if key == 0 {
        key = THREADS.fetch_add(1, Ordering::Relaxed) << 40;
    }
    keys.set(key + 1);
    key + 1
}

impl Live {
    /// Ends a recorded span at `time`, or now.
    pub(crate) fn end(&mut self, time: Option<Timestamp>) {
        let (Some(state), Some(tracer)) = (self.state.take(), self.tracer) else { return };
        tracer.end(state, time.unwrap_or_else(clock::now));
        if let Some(open) = &tracer.open_spans {
            open.remove(self.context.span_id());
        }
    }

    #[inline]
    fn on_enter(&mut self) {
        if let ScopeSwitch::Set(scope) = &mut self.scope {
            let scope = scope.take();
            let before = context::swap_scope(scope.clone());
            self.scope = ScopeSwitch::Restore(before, scope);
        }
        if let Some(tracer) = self.tracer.filter(|tracer| tracer.keeps_context) {
            tracer.call(|provider| match &mut self.state {
                Some(state) => provider.enter_span(state),
                None => provider.enter_unsampled(&self.context),
            });
        }
    }

    #[inline]
    fn on_leave(&mut self) {
        if let Some(tracer) = self.tracer.filter(|tracer| tracer.keeps_context) {
            tracer.call(|provider| match &mut self.state {
                Some(state) => provider.exit_span(state),
                None => provider.exit_unsampled(&self.context),
            });
        }
        if let ScopeSwitch::Restore(before, scope) = &mut self.scope {
            let (before, scope) = (before.take(), scope.take());
            context::swap_scope(before);
            self.scope = ScopeSwitch::Set(scope);
        }
    }
}

impl Drop for Live {
    /// A live half that nobody took back, at the end of its thread.
    fn drop(&mut self) {
        self.end(None);
    }
}
