use std::marker::PhantomData;
use std::time::SystemTime;

use spandrel_plugin_api::{Attribute, SpanContext, Timestamp};

use crate::builder::span;
use crate::chain::{self, Live};
use crate::operations::span_operations;

/// Starts a span without entering it, as a child of the current one.
///
/// It ends when it is dropped. Most code is better served by
/// [`with_span`](crate::with_span) or [`in_span`](crate::InSpanExt::in_span).
///
/// ```
/// use spandrel as tracing;
///
/// let mut span = tracing::start_span("index");
/// {
///     let _entered = span.enter();
///     // While it is entered, it is written to as the current one.
///     tracing::set_attribute("documents", 17);
///     tracing::with_span("a child", |_| ());
/// }
/// let pages = span.within(|span| {
///     span.set_attribute("size", 4096);
///     3
/// });
/// // Whoever has it may write to it, on any thread.
/// std::thread::spawn(move || span.set_attribute("pages", pages)).join().unwrap();
/// ```
#[must_use = "a span that is dropped at once has no duration"]
pub fn start_span(name: &str) -> Span {
    span(name).start()
}

/// A running span. It has one writer at a time, and this is the one.
///
/// It can be sent to another thread; dropping it ends it. Off, it holds nothing.
#[derive(Default)]
#[must_use = "dropping a span ends it"]
pub struct Span {
    live: Option<Box<Live>>,
    /// Where the live half went, if the span was entered.
    entered: Option<u64>,
}

/// A span that this thread is in; writes to it.
///
/// Cannot leave the closure or the thread that it was given to. Each call looks
/// the span up, and does nothing if the span has ended.
#[derive(Clone, Copy)]
pub struct SpanRef<'a> {
    /// As in [`chain`]; 0 for none.
    key: u64,
    // Neither `Send` nor `Sync`: the key means something on this thread only.
    _scope: PhantomData<(&'a (), *const ())>,
}

/// Leaves the span when it is dropped; the span goes on. Until then it is the current
/// one: [`spandrel::set_attribute`](crate::set_attribute) and the like write to it.
///
/// Not `Send`: holding it over an `.await` of a spawned task does not compile,
/// because the task may continue on another thread.
///
/// ```compile_fail,E0277
/// async fn work() {}
/// fn spawn<F: Future + Send + 'static>(future: F) {}
///
/// spawn(async {
///     let mut span = spandrel::start_span("work");
///     let guard = span.enter();
///     work().await;
///     drop(guard);
/// });
/// ```
#[must_use = "the span is left at once if the guard is dropped"]
pub struct Entered<'a> {
    span: &'a mut Span,
    _not_send: PhantomData<*const ()>,
}

impl Span {
    /// A span that is not recorded and has no ids.
    pub const fn none() -> Self {
        Self { live: None, entered: None }
    }

    pub(crate) const fn of(live: Option<Box<Live>>) -> Self {
        Self { live, entered: None }
    }

    /// Its ids, also where it is not sampled; `None` if tracing is off.
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        self.read(|live| live.context.clone()).filter(SpanContext::is_valid)
    }

    /// Whether what is written to it goes anywhere.
    #[must_use]
    pub fn is_recording(&self) -> bool {
        self.read(Live::is_recording) == Some(true)
    }

    /// Makes it the current span of this thread until the guard is dropped.
    pub fn enter(&mut self) -> Entered<'_> {
        self.move_in();
        Entered { span: self, _not_send: PhantomData }
    }

    /// Calls `f` with the span as the current one.
    ///
    /// If `f` panics, the status becomes an error.
    pub fn within<R>(&mut self, f: impl FnOnce(SpanRef<'_>) -> R) -> R {
        let key = self.move_in();
        let mut scope = Within { span: self, completed: false };
        let result = f(SpanRef::of(key.unwrap_or(0)));
        scope.completed = true;
        result
    }

    /// Ends it now.
    pub fn end(self) {}

    /// Ends it at a time that is past already.
    pub fn end_at(mut self, time: SystemTime) {
        self.finish(Some(time.into()));
    }

    span_operations!(self: &mut self);

    fn put_attribute(&mut self, attribute: &Attribute<'_>) {
        self.put_attributes(std::slice::from_ref(attribute));
    }

    #[inline]
    const fn may_write(&self) -> bool {
        self.live.is_some() || self.entered.is_some()
    }

    fn write<R>(&mut self, f: impl FnOnce(&mut Live) -> R) -> Option<R> {
        match (&mut self.live, self.entered) {
            (Some(live), _) => Some(f(live)),
            (None, Some(key)) => chain::with(key, f),
            (None, None) => None,
        }
    }

    fn read<R>(&self, f: impl FnOnce(&Live) -> R) -> Option<R> {
        match (&self.live, self.entered) {
            (Some(live), _) => Some(f(live)),
            (None, Some(key)) => chain::with(key, |live| f(live)),
            (None, None) => None,
        }
    }

    /// Moves the live half into this thread's chain.
    #[inline]
    pub(crate) fn move_in(&mut self) -> Option<u64> {
        if self.entered.is_some() {
            // A guard was forgotten: entered again, the span becomes the innermost one.
            self.move_out();
        }
        let live = self.live.take()?;
        self.entered = Some(chain::enter(live));
        self.entered
    }

    /// Moves the live half back, from wherever it is.
    #[inline]
    pub(crate) fn move_out(&mut self) {
        if let Some(key) = self.entered.take() {
            self.live = chain::leave(key);
        }
    }

    /// Moves the live half back, and ends what was entered above it and forgotten.
    #[inline]
    pub(crate) fn move_out_of_scope(&mut self) {
        if let Some(key) = self.entered.take() {
            self.live = chain::leave_scope(key);
        }
    }

    pub(crate) fn finish(&mut self, time: Option<Timestamp>) {
        // The guard was forgotten: the live half still lies in the chain.
        self.move_out();
        if let Some(live) = self.live.take() {
            chain::end(live, time);
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        self.finish(None);
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.span.move_out();
    }
}

/// Leaves a scope, also by a panic.
struct Within<'a> {
    span: &'a mut Span,
    completed: bool,
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        self.span.move_out_of_scope();
        if !self.completed {
            self.span.set_status(crate::operations::PANICKED);
        }
    }
}

impl SpanRef<'_> {
    #[inline]
    pub(crate) const fn of(key: u64) -> Self {
        Self { key, _scope: PhantomData }
    }

    /// Its ids, also where it is not sampled; `None` if tracing is off.
    #[must_use]
    pub fn context(self) -> Option<SpanContext> {
        chain::with(self.key, |live| live.context.clone()).filter(SpanContext::is_valid)
    }

    /// Whether what is written to it goes anywhere.
    #[must_use]
    pub fn is_recording(self) -> bool {
        self.write(|live| live.is_recording()) == Some(true)
    }

    span_operations!(self: self);

    #[inline]
    fn put_attribute(self, attribute: &Attribute<'_>) {
        chain::set_attribute(self.key, attribute);
    }

    /// The key of a recorded span is odd.
    #[inline]
    pub(crate) const fn may_write(self) -> bool {
        self.key & 1 != 0
    }

    #[inline]
    fn write<R>(self, f: impl FnOnce(&mut Live) -> R) -> Option<R> {
        if self.may_write() { chain::with(self.key, f) } else { None }
    }
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Span({:?})", self.context())
    }
}

impl std::fmt::Debug for SpanRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SpanRef({:?})", self.context())
    }
}

impl std::fmt::Debug for Entered<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entered({:?})", self.span.context())
    }
}
