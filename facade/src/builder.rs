use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use spandrel_plugin_api::{
    Attribute, InstrumentationScope, Link, OwnedAttribute, SpanContext, SpanId, SpanKind, SpanStart, Timestamp,
    ToValue, TraceFlags, TraceId,
};

use crate::chain::{self, Live, Recording, ScopeSwitch};
use crate::closures::{run, try_run};
use crate::context::{self, Context, Extension, with_ambient};
use crate::sampler::SamplingInput;
use crate::span::{Span, SpanRef};
use crate::tracer::Core;
use crate::{clock, global, id};

/// Begins to describe a span that needs more than a name.
///
/// ```
/// use spandrel::{self as tracing, SpanKind};
///
/// let rows = tracing::span("SELECT orders")
///     .kind(SpanKind::Client)
///     .attribute("db.system.name", "postgresql")
///     .run(|span| {
///         span.set_attribute("db.response.returned_rows", 2);
///         vec!["a", "b"]
///     });
/// # assert_eq!(rows.len(), 2);
/// ```
pub fn span(name: &str) -> SpanBuilder<'_> {
    SpanBuilder {
        name,
        tracer: global::active(),
        kind: SpanKind::Internal,
        parent: Parent::Current,
        attributes: Vec::new(),
        links: Vec::new(),
        time: None,
        scope: SCOPE,
        extension: None,
    }
}

/// A span that has not started.
#[derive(Debug)]
#[must_use = "a span does nothing until it is started or run"]
pub struct SpanBuilder<'a> {
    name: &'a str,
    tracer: Option<&'static Core>,
    kind: SpanKind,
    parent: Parent<'a>,
    attributes: Vec<OwnedAttribute>,
    links: Vec<(SpanContext, Vec<OwnedAttribute>)>,
    time: Option<Timestamp>,
    scope: InstrumentationScope<'a>,
    extension: Option<Extension>,
}

/// What a span is a child of.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Parent<'a> {
    /// The current span of this thread.
    Current,
    /// Nothing: the span begins a trace.
    Root,
    /// A context: captured elsewhere, or extracted from a request. Its ambient
    /// attributes and baggage become current together with the span.
    Context(&'a Context),
    /// A span somewhere.
    Span(SpanContext),
}

impl<'a> SpanBuilder<'a> {
    /// Its role; internal unless set.
    pub const fn kind(mut self, kind: SpanKind) -> Self {
        self.kind = kind;
        self
    }

    /// What it is a child of; the current span unless set.
    pub fn parent(mut self, parent: impl Into<Parent<'a>>) -> Self {
        self.parent = parent.into();
        self
    }

    /// An attribute that is there from the start, so that samplers see it.
    pub fn attribute(mut self, key: &str, value: impl ToValue) -> Self {
        if self.copies() {
            self.attributes.retain(|known| known.key != key);
            self.attributes.push(OwnedAttribute::new(key, value));
        }
        self
    }

    /// Attributes that are there from the start; see [`attrs!`](crate::attrs).
    pub fn attributes(mut self, attributes: &[Attribute<'_>]) -> Self {
        for attribute in attributes {
            self = self.attribute(attribute.key, attribute.value);
        }
        self
    }

    /// Where nothing is recorded, nothing is copied.
    fn copies(&self) -> bool {
        self.tracer.is_some_and(|tracer| !tracer.only_forwards)
    }

    /// A relation to a span that is not the parent.
    pub fn link(mut self, context: &SpanContext, attributes: &[Attribute<'_>]) -> Self {
        if self.copies() {
            self.links.push((context.clone(), attributes.iter().map(Attribute::to_owned).collect()));
        }
        self
    }

    /// When it began, if that is past already.
    pub fn start_time(mut self, time: SystemTime) -> Self {
        self.time = Some(time.into());
        self
    }

    /// The library that makes the span; `spandrel` unless set.
    pub const fn instrumentation_scope(mut self, scope: InstrumentationScope<'a>) -> Self {
        self.scope = scope;
        self
    }

    /// A value for crates on top of this one, which the work within the span finds by
    /// [`extension`](crate::extension); see [`Context::with_extension`].
    pub fn extension<T: Any + Send + Sync>(mut self, value: Arc<T>) -> Self {
        self.extension = Some(value);
        self
    }

    /// Starts it without entering it.
    pub fn start(self) -> Span {
        Span::of(self.start_live())
    }

    /// As [`start`](Self::start), with attributes besides those of
    /// [`attribute`](Self::attribute), which are not copied. No key may be in both.
    pub fn start_with(self, attributes: &[Attribute<'_>]) -> Span {
        Span::of(self.start_live_with(attributes))
    }

    /// Starts it, calls `f` within it and ends it. If `f` panics, the status
    /// becomes an error.
    pub fn run<R>(self, f: impl FnOnce(SpanRef<'_>) -> R) -> R {
        run(self.start_live(), f)
    }

    /// As [`run`](Self::run); an `Err` becomes an error status and an `exception` event.
    ///
    /// # Errors
    ///
    /// Those of `f`.
    pub fn try_run<T, E: std::fmt::Display>(self, f: impl FnOnce(SpanRef<'_>) -> Result<T, E>) -> Result<T, E> {
        try_run(self.start_live(), f)
    }

    fn start_live(self) -> Option<Box<Live>> {
        self.start_live_with(&[])
    }

    fn start_live_with(self, borrowed: &[Attribute<'_>]) -> Option<Box<Live>> {
        let tracer = self.tracer?;
        let copied = self.attributes.iter().map(OwnedAttribute::as_attribute);
        let attributes: Cow<'_, [Attribute<'_>]> = match self.attributes.len() {
            0 => Cow::Borrowed(borrowed),
            _ => Cow::Owned(copied.chain(borrowed.iter().copied()).collect()),
        };
        let links: Vec<Vec<Attribute<'_>>> = self
            .links
            .iter()
            .map(|(_, attributes)| attributes.iter().map(OwnedAttribute::as_attribute).collect())
            .collect();
        let links: Vec<Link<'_>> =
            self.links.iter().zip(&links).map(|((context, _), attributes)| Link { context, attributes }).collect();
        let start = Start {
            tracer,
            name: self.name,
            kind: self.kind,
            attributes: &attributes,
            links: &links,
            time: self.time,
            scope: self.scope,
        };
        let mut live = start.begin(&self.parent)?;
        if let Some(extension) = self.extension {
            live.scope.extend(extension);
        }
        Some(live)
    }
}

/// Starts a span that has only a name.
pub(crate) fn start_named(name: &str) -> Option<Box<Live>> {
    start_named_with(global::active()?, name)
}

#[inline]
pub(crate) fn start_named_with(tracer: &'static Core, name: &str) -> Option<Box<Live>> {
    chain::start_usual(tracer, name).or_else(|| start_any(tracer, name))
}

/// As above, where more is to be done than usual.
#[cold]
pub(crate) fn start_any(tracer: &'static Core, name: &str) -> Option<Box<Live>> {
    let start = Start { tracer, name, kind: SpanKind::Internal, attributes: &[], links: &[], time: None, scope: SCOPE };
    start.begin(&Parent::Current)
}

/// The library that makes a span, unless the span says otherwise.
pub(crate) static SCOPE: InstrumentationScope<'static> =
    InstrumentationScope { name: "spandrel", version: env!("CARGO_PKG_VERSION") };

struct Start<'a> {
    tracer: &'static Core,
    name: &'a str,
    kind: SpanKind,
    attributes: &'a [Attribute<'a>],
    links: &'a [Link<'a>],
    time: Option<Timestamp>,
    scope: InstrumentationScope<'a>,
}

/// What is chosen for a span before its texts are looked at.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    parent: Option<&'a SpanContext>,
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
}

// What is called for every span is always inlined: into the start of a span that
// has only a name, where little is left of it, and into that of a builder.
impl Start<'_> {
    /// Chooses the parent, then what is ambient, and starts.
    #[inline(always)]
    fn begin(&self, parent: &Parent<'_>) -> Option<Box<Live>> {
        let mut live = chain::new_live();
        live.tracer = Some(self.tracer);
        let begun = match parent {
            Parent::Root => self.start_child(&mut live, None),
            Parent::Span(context) => self.start_child(&mut live, Some(context)),
            Parent::Context(context) => {
                live.scope = ScopeSwitch::Set(context.scope_of_child());
                // Its ambient attributes count for the span itself, too.
                context.within_quietly(|| self.start_child(&mut live, context.span_context()))
            }
            Parent::Current => match self.tracer.backend_context() {
                Some(context) => self.start_child(&mut live, Some(&context)),
                None => chain::with_current(|current| self.start_child(&mut live, current)),
            },
        };
        if begun {
            return Some(live);
        }
        chain::end(live, None);
        None
    }

    /// False if there is no span.
    #[inline(always)]
    fn start_child(&self, live: &mut Live, parent: Option<&SpanContext>) -> bool {
        let parent = parent.filter(|parent| parent.is_valid());
        if self.tracer.only_forwards {
            live.context = parent.cloned().unwrap_or_default();
            return parent.is_some();
        }
        let chosen = match parent {
            Some(context) => {
                Chosen { parent, trace_id: context.trace_id(), span_id: id::child(), flags: context.flags() }
            }
            None => {
                let (trace_id, span_id) = id::root();
                let chosen = Chosen { parent, trace_id, span_id, flags: TraceFlags::RANDOM };
                if let Some(caller) = context::caller() {
                    self.start_linked(live, chosen, &caller);
                    return true;
                }
                chosen
            }
        };
        self.start_chosen(live, chosen);
        true
    }

    /// Starts a trace with a link to a caller that is not trusted.
    #[cold]
    fn start_linked(&self, live: &mut Live, chosen: Chosen<'_>, caller: &SpanContext) {
        let caller = Link { context: caller, attributes: &[] };
        let links: Vec<Link<'_>> = std::iter::once(caller).chain(self.links.iter().copied()).collect();
        Start { links: &links, ..*self }.start_chosen(live, chosen);
    }

    #[inline(always)]
    fn start_chosen(&self, live: &mut Live, chosen: Chosen<'_>) {
        match self.tracer.id_sampler {
            Some(sampler) if sampler.should_sample(chosen.parent, chosen.trace_id) => {
                self.start_clean(live, chosen, false);
            }
            Some(_) => chosen.put_context(live, false),
            None => self.start_clean(live, chosen, true),
        }
    }

    /// Starts with the ambient attributes of this thread, and without secrets.
    #[inline(always)]
    fn start_clean(&self, live: &mut Live, chosen: Chosen<'_>, asks_sampler: bool) {
        let redaction = &self.tracer.redaction;
        let name = redaction.text(self.name);
        with_ambient(self.attributes, |attributes, from_scope| {
            redaction.attributes_of_span(attributes, from_scope, |attributes| {
                redact_links(self.tracer, self.links, |links| {
                    let start = Start { name: &name, attributes, links, ..*self };
                    let is_sampled = (!asks_sampler || start.samples(chosen))
                        && (!self.tracer.samples || start.provider_samples(chosen));
                    chosen.put_context(live, is_sampled);
                    if is_sampled {
                        start.record(live, chosen.parent);
                    }
                });
            });
        });
    }

    #[cold]
    fn samples(&self, chosen: Chosen<'_>) -> bool {
        let Self { name, kind, attributes, links, .. } = *self;
        let Chosen { parent, trace_id, .. } = chosen;
        self.tracer.sampler().should_sample(&SamplingInput { name, kind, parent, trace_id, attributes, links })
    }

    #[inline(always)]
    fn record(&self, live: &mut Live, parent: Option<&SpanContext>) {
        let tracer = self.tracer;
        let start = SpanStart {
            name: self.name,
            context: &live.context,
            parent,
            kind: self.kind,
            time: self.time.unwrap_or_else(clock::now),
            attributes: self.attributes,
            links: self.links,
            scope: self.scope,
        };
        if tracer.start_here(&mut live.span, &start) {
            live.recording = Recording::Here;
        } else if let Some(state) = tracer.start(|provider| provider.start_span(&start)) {
            live.recording = Recording::There;
            live.state = state;
        }
        if let (Some(open), true) = (tracer.open_spans(), live.is_recording()) {
            open.insert(self.name, &live.context, parent);
        }
    }
}

impl Chosen<'_> {
    #[inline(always)]
    fn put_context(&self, live: &mut Live, sampled: bool) {
        live.context = SpanContext::new(self.trace_id, self.span_id, self.flags.with_sampled(sampled));
        if let Some(parent) = self.parent
            && !parent.trace_state().is_empty()
        {
            live.context = live.context.clone().with_trace_state(parent.trace_state().clone());
        }
    }
}

impl Start<'_> {
    /// Asks the provider, where a trace begins or comes in: what follows in this
    /// process follows that decision, so that traces are whole.
    #[cold]
    fn provider_samples(&self, chosen: Chosen<'_>) -> bool {
        if chosen.parent.is_some_and(|parent| !parent.is_remote()) {
            return true;
        }
        let context = SpanContext::new(chosen.trace_id, SpanId::INVALID, chosen.flags);
        let start = SpanStart {
            name: self.name,
            context: &context,
            parent: chosen.parent,
            kind: self.kind,
            time: self.time.unwrap_or_else(clock::now),
            attributes: self.attributes,
            links: self.links,
            scope: self.scope,
        };
        self.tracer.call(|provider| provider.sample(&start)).unwrap_or(true)
    }
}

/// Calls `f` with the links, the secrets in their attributes replaced.
#[inline(always)]
fn redact_links<R>(tracer: &Core, links: &[Link<'_>], f: impl FnOnce(&[Link<'_>]) -> R) -> R {
    if links.is_empty() { f(links) } else { redact_some_links(tracer, links, f) }
}

#[cold]
fn redact_some_links<R>(tracer: &Core, links: &[Link<'_>], f: impl FnOnce(&[Link<'_>]) -> R) -> R {
    let clean: Vec<Vec<OwnedAttribute>> = links
        .iter()
        .map(|link| tracer.redaction.attributes(link.attributes, |a| a.iter().map(Attribute::to_owned).collect()))
        .collect();
    let clean: Vec<Vec<Attribute<'_>>> =
        clean.iter().map(|owned| owned.iter().map(OwnedAttribute::as_attribute).collect()).collect();
    let links: Vec<Link<'_>> =
        links.iter().zip(&clean).map(|(link, attributes)| Link { context: link.context, attributes }).collect();
    f(&links)
}

impl<'a> From<&'a Context> for Parent<'a> {
    fn from(context: &'a Context) -> Self {
        Self::Context(context)
    }
}

impl From<SpanContext> for Parent<'_> {
    fn from(context: SpanContext) -> Self {
        Self::Span(context)
    }
}

impl From<&SpanContext> for Parent<'_> {
    fn from(context: &SpanContext) -> Self {
        Self::Span(context.clone())
    }
}

impl From<Option<SpanContext>> for Parent<'_> {
    /// `None` begins a trace.
    fn from(context: Option<SpanContext>) -> Self {
        context.map_or(Self::Root, Self::Span)
    }
}
