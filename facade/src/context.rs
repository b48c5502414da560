use std::any::Any;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use spandrel_plugin_api::{Attribute, OwnedAttribute, OwnedValue, SpanContext, ToValue, Value};
use spandrel_propagation::Baggage;

use crate::Error;
use crate::chain::{self, ScopeSwitch};
use crate::global;
use crate::tracer::Core;

/// What a piece of work belongs to: the current span, ambient attributes and baggage.
///
/// Captured where the work is ordered and attached where it is done; cheap to
/// clone. The parts that are not a span:
///
/// - **ambient attributes** are set on every span that starts within the context;
/// - **baggage** travels on with outgoing requests.
///
/// ```
/// use spandrel as tracing;
///
/// let context = tracing::Context::current().with_attribute("session.id", "s-1");
/// std::thread::spawn(move || {
///     context.within(|| tracing::with_span("work", |_| ()));
/// })
/// .join()
/// .unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct Context {
    span: Option<SpanContext>,
    scope: Option<Arc<Scope>>,
}

/// What a crate on top of this one hands down.
pub(crate) type Extension = Arc<dyn Any + Send + Sync>;

/// The parts of a context that are not a span.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Shared, as scopes within one have the same, nearly always.
    pub(crate) ambient: Arc<Ambient>,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) baggage: Baggage,
    /// The span of a caller that is not trusted: traces that begin here are linked to it.
    pub(crate) caller: Option<SpanContext>,
    /// Takes the place of the installed tracer.
    pub(crate) tracer: Option<&'static Core>,
}

/// Attributes that every span gets.
#[derive(Debug, Default)]
pub(crate) struct Ambient {
    pub(crate) attributes: Vec<OwnedAttribute>,
    /// The redaction that found no secret in them, which need not look again for each span.
    pub(crate) kept_by: AtomicU32,
}

impl Scope {
    /// One of each type; this one in place of another.
    pub(crate) fn extend(&mut self, value: Extension) {
        match self.extensions.iter_mut().find(|known| known.as_ref().type_id() == value.as_ref().type_id()) {
            Some(known) => *known = value,
            None => self.extensions.push(value),
        }
    }

    fn extension<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let found = self.extensions.iter().find(|known| known.as_ref().is::<T>());
        found.and_then(|known| Arc::clone(known).downcast().ok())
    }
}

impl Context {
    /// The context of this thread now.
    #[must_use]
    pub fn current() -> Self {
        Self { span: crate::current(), scope: current_scope() }
    }

    /// The context without a span: what starts within it begins a new trace.
    #[must_use]
    pub fn root() -> Self {
        Self { span: None, scope: current_scope() }
    }

    pub(crate) fn of_scope(scope: Scope) -> Self {
        Self { span: None, scope: Some(Arc::new(scope)) }
    }

    /// The same context with this span as the current one.
    #[must_use]
    pub fn with_span_context(mut self, span: SpanContext) -> Self {
        self.span = Some(span).filter(SpanContext::is_valid);
        self
    }

    /// The same context with an attribute that every span within it gets.
    #[must_use]
    pub fn with_attribute(self, key: &str, value: impl ToValue) -> Self {
        self.with_attributes(&[Attribute { key, value: value.to_value() }])
    }

    /// The same context with attributes that every span within it gets.
    #[must_use]
    pub fn with_attributes(self, attributes: &[Attribute<'_>]) -> Self {
        self.map_scope(|scope| {
            let mut ambient = scope.ambient.attributes.clone();
            for attribute in attributes {
                ambient.retain(|known| known.key != attribute.key);
                ambient.push(attribute.to_owned());
            }
            scope.ambient = Arc::new(Ambient { attributes: ambient, kept_by: AtomicU32::new(0) });
        })
    }

    /// The same context with a value for crates on top of this one: what they hand down to
    /// the work within. It takes the place of one of the same type, and no provider sees it.
    #[must_use]
    pub fn with_extension<T: Any + Send + Sync>(self, value: Arc<T>) -> Self {
        self.map_scope(|scope| scope.extend(value))
    }

    /// The value of this type that the context hands down.
    #[must_use]
    pub fn extension<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.scope.as_ref()?.extension()
    }

    /// The same context with this baggage in place of the old one.
    #[must_use]
    pub fn with_baggage(self, baggage: Baggage) -> Self {
        self.map_scope(|scope| scope.baggage = baggage)
    }

    /// The same context with one more baggage member.
    ///
    /// # Errors
    ///
    /// [`ConfigInvalid`](crate::ErrorKind::ConfigInvalid) if the key is not a
    /// token of HTTP or the limits of W3C Baggage are exceeded.
    pub fn with_baggage_member(self, key: &str, value: &str) -> Result<Self, Error> {
        let baggage = self.baggage().with(key, value)?;
        Ok(self.with_baggage(baggage))
    }

    /// The current span, if there is one.
    #[must_use]
    pub const fn span_context(&self) -> Option<&SpanContext> {
        self.span.as_ref()
    }

    /// The baggage.
    #[must_use]
    pub fn baggage(&self) -> Baggage {
        self.scope.as_ref().map(|scope| scope.baggage.clone()).unwrap_or_default()
    }

    /// Makes it the context of this thread until the guard is dropped.
    ///
    /// Spans of the context cannot be written to here: they belong to whoever
    /// started them.
    #[must_use = "the context is left at once if the guard is dropped"]
    pub fn attach(&self) -> ContextGuard {
        ContextGuard { key: self.enter(self.keeper()), _not_send: PhantomData }
    }

    /// Calls `f` within the context.
    pub fn within<R>(&self, f: impl FnOnce() -> R) -> R {
        let _scope = ContextScope { key: self.enter(self.keeper()) };
        f()
    }

    /// Calls `f` with the ambient attributes, the baggage and the extensions of the context; the
    /// current span stays the current one, and can be written to.
    pub fn within_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let _before = ScopeBefore(swap_scope(self.scope.clone()));
        f()
    }

    /// As [`within`](Self::within), for the start of a span, of which no backend needs to hear twice.
    pub(crate) fn within_quietly<R>(&self, f: impl FnOnce() -> R) -> R {
        let _scope = ContextScope { key: self.enter(None) };
        f()
    }

    fn enter(&self, keeper: Option<&'static Core>) -> u64 {
        let mut live = chain::new_live();
        live.context = self.span.clone().unwrap_or_default();
        live.tracer = keeper;
        live.scope = ScopeSwitch::Set(self.scope.clone());
        chain::enter(live)
    }

    /// The tracer of the context, if its backend keeps a context of its own, which this
    /// one becomes the current one of. It hears nothing of no span in place of no span.
    fn keeper(&self) -> Option<&'static Core> {
        let own = self.scope.as_ref().and_then(|scope| scope.tracer);
        let keeper = own.or_else(global::installed_and_enabled).filter(|tracer| tracer.keeps_context)?;
        Some(keeper).filter(|_| self.span.is_some() || chain::has_span())
    }

    pub(crate) fn with_caller(self, caller: Option<SpanContext>) -> Self {
        if caller.is_none() && self.scope.as_ref().is_none_or(|scope| scope.caller.is_none()) {
            return self;
        }
        self.map_scope(|scope| scope.caller = caller)
    }

    pub(crate) fn scope(&self) -> Option<&Arc<Scope>> {
        self.scope.as_ref()
    }

    /// The scope of a span that starts as a child of the context. What is below the
    /// span is in its trace, and needs no link to the caller any more.
    pub(crate) fn scope_of_child(&self) -> Option<Arc<Scope>> {
        match self.scope.as_ref() {
            Some(scope) if scope.caller.is_some() => Some(Arc::new(Scope { caller: None, ..Scope::clone(scope) })),
            scope => scope.cloned(),
        }
    }

    fn map_scope(mut self, change: impl FnOnce(&mut Scope)) -> Self {
        let mut scope = self.scope.as_deref().cloned().unwrap_or_default();
        change(&mut scope);
        self.scope = Some(Arc::new(scope));
        self
    }
}

/// Restores the context that was current before.
///
/// Not `Send`, so it cannot be held over an `.await` of a spawned task; use
/// [`in_context`](crate::InSpanExt::in_context) there.
#[derive(Debug)]
#[must_use = "the context is left at once if the guard is dropped"]
pub struct ContextGuard {
    key: u64,
    _not_send: PhantomData<*const ()>,
}

impl Drop for ContextGuard {
    fn drop(&mut self) {
        if let Some(live) = chain::leave(self.key) {
            chain::end(live, None);
        }
    }
}

/// Leaves a context with all that was entered in it and forgotten.
struct ContextScope {
    key: u64,
}

impl Drop for ContextScope {
    fn drop(&mut self) {
        if let Some(live) = chain::leave_scope(self.key) {
            chain::end(live, None);
        }
    }
}

/// Calls `f` with the value of an ambient attribute of the current context, if there is one.
pub fn ambient_attribute<R>(key: &str, f: impl FnOnce(&OwnedValue) -> R) -> Option<R> {
    if !has_ambient() {
        return None;
    }
    let scope = current_scope()?;
    scope.ambient.attributes.iter().find(|ambient| ambient.key == key).map(|ambient| f(&ambient.value))
}

/// The value of this type that the current context hands down; see [`Context::with_extension`].
#[must_use]
pub fn extension<T: Any + Send + Sync>() -> Option<Arc<T>> {
    SCOPE.try_with(|scope| scope.borrow().as_ref()?.extension()).ok().flatten()
}

/// Makes the scope current again that was before.
struct ScopeBefore(Option<Arc<Scope>>);

impl Drop for ScopeBefore {
    fn drop(&mut self) {
        swap_scope(self.0.take());
    }
}

/// Calls `f`; every span that starts meanwhile gets the attributes.
///
/// For a future, use [`in_context`](crate::InSpanExt::in_context) with
/// [`Context::with_attributes`].
pub fn with_attributes<R>(attributes: &[Attribute<'_>], f: impl FnOnce() -> R) -> R {
    Context::current().with_attributes(attributes).within_scope(f)
}

thread_local! {
    static SCOPE: RefCell<Option<Arc<Scope>>> = const { RefCell::new(None) };
}

/// How many threads are in a scope with a tracer of its own. While it is 0,
/// nobody needs to look.
static OVERRIDES: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn current_scope() -> Option<Arc<Scope>> {
    SCOPE.try_with(|scope| scope.borrow().clone()).ok().flatten()
}

thread_local! {
    /// Whether the current scope has ambient attributes, or a caller to link to.
    static HAS_AMBIENT: Cell<bool> = const { Cell::new(false) };
}

/// Makes `scope` current and says which one was.
pub(crate) fn swap_scope(scope: Option<Arc<Scope>>) -> Option<Arc<Scope>> {
    let is_override = |scope: &Option<Arc<Scope>>| scope.as_ref().is_some_and(|scope| scope.tracer.is_some());
    // Rare, and what all threads write to is slow.
    if is_override(&scope) {
        OVERRIDES.fetch_add(1, Ordering::Relaxed);
    }
    HAS_AMBIENT.set(scope.as_ref().is_some_and(|scope| !scope.ambient.attributes.is_empty() || scope.caller.is_some()));
    let before = SCOPE.try_with(|current| current.replace(scope)).ok().flatten();
    if is_override(&before) {
        OVERRIDES.fetch_sub(1, Ordering::Relaxed);
    }
    before
}

/// The tracer that takes the place of the installed one on this thread.
#[inline]
pub(crate) fn override_tracer() -> Option<&'static Core> {
    if OVERRIDES.load(Ordering::Relaxed) == 0 {
        return None;
    }
    own_tracer()
}

#[cold]
fn own_tracer() -> Option<&'static Core> {
    SCOPE.try_with(|scope| scope.borrow().as_ref().and_then(|scope| scope.tracer)).ok().flatten()
}

/// Whether spans that start now get attributes of the context, or a link.
#[inline]
pub(crate) fn has_ambient() -> bool {
    HAS_AMBIENT.get()
}

/// The span that a trace which begins now is linked to.
#[inline]
pub(crate) fn caller() -> Option<SpanContext> {
    if has_ambient() { own_caller() } else { None }
}

#[cold]
fn own_caller() -> Option<SpanContext> {
    SCOPE.try_with(|scope| scope.borrow().as_ref().and_then(|scope| scope.caller.clone())).ok().flatten()
}

/// How many of a span's attributes, the first ones, are a scope's.
#[derive(Clone, Copy)]
pub(crate) struct FromScope<'a> {
    pub(crate) count: usize,
    pub(crate) ambient: &'a Ambient,
}

/// Calls `f` with a span's own attributes and, before them, those of this thread, which stand
/// back where keys are equal. What `f` calls finds no scope.
#[inline]
pub(crate) fn with_ambient<R>(
    own: &[Attribute<'_>],
    f: impl FnOnce(&[Attribute<'_>], Option<FromScope<'_>>) -> R,
) -> R {
    if has_ambient() { with_both(own, f) } else { f(own, None) }
}

#[cold]
fn with_both<R>(own: &[Attribute<'_>], f: impl FnOnce(&[Attribute<'_>], Option<FromScope<'_>>) -> R) -> R {
    let scope = TakenScope(SCOPE.try_with(RefCell::take).ok().flatten());
    let Some(Scope { ambient: shared, .. }) = scope.0.as_deref() else { return f(own, None) };
    let ambient = &shared.attributes;
    let is_own = |attribute: &&OwnedAttribute| own.iter().any(|o| o.key == attribute.key);
    let all = ambient.iter().filter(|a| !is_own(a)).map(OwnedAttribute::as_attribute).chain(own.iter().copied());
    // Few enough for the stack, nearly always.
    let mut few = [Attribute { key: "", value: Value::Bool(false) }; 24];
    let many: Vec<Attribute<'_>>;
    let all = if ambient.len() + own.len() > few.len() {
        many = all.collect();
        &many
    } else {
        let len = few.iter_mut().zip(all).map(|(place, attribute)| *place = attribute).count();
        &few[..len]
    };
    f(all, Some(FromScope { count: all.len() - own.len(), ambient: shared }))
}

/// The scope while somebody works with it; put back at the end, also by a panic.
struct TakenScope(Option<Arc<Scope>>);

impl Drop for TakenScope {
    fn drop(&mut self) {
        let _ = SCOPE.try_with(|scope| scope.replace(self.0.take()));
    }
}
