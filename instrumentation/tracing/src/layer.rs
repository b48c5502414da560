use std::time::SystemTime;

use spandrel::bridge::{self, Moment};
use spandrel::{Context as Ambient, OwnedAttribute, Parent, Span, SpanContext, SpanKind, Status};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::fields::{Fields, WriteTo, decide_the_start, with_fields};
use crate::guests;
use crate::origin::Origin;
use crate::spans::{Late, Spans};
use crate::transport;

/// Turns the spans and events of `tracing` into spans and events of Spandrel.
///
/// ```
/// use tracing_subscriber::filter::LevelFilter;
/// use tracing_subscriber::layer::SubscriberExt;
/// use tracing_subscriber::util::SubscriberInitExt;
///
/// tracing_subscriber::registry().with(LevelFilter::INFO).with(spandrel_tracing::layer()).init();
/// ```
pub fn layer() -> SpandrelLayer {
    SpandrelLayer {
        spans: Spans::new(),
        span_origin: Origin::default(),
        event_origin: Origin { level: true, ..Origin::default() },
        events: true,
        error_events: true,
        chatter: false,
    }
}

/// The layer that [`layer`] makes.
#[derive(Debug)]
#[must_use = "a layer does nothing until it is part of a subscriber"]
pub struct SpandrelLayer {
    spans: Spans,
    span_origin: Origin,
    event_origin: Origin,
    events: bool,
    error_events: bool,
    chatter: bool,
}

impl SpandrelLayer {
    /// Whether spans have an attribute `level`. Not by default; events always have it.
    pub const fn with_level(mut self, level: bool) -> Self {
        self.span_origin.level = level;
        self
    }

    /// Whether spans and events have an attribute `target`. Not by default.
    pub const fn with_target(mut self, target: bool) -> Self {
        self.span_origin.target = target;
        self.event_origin.target = target;
        self
    }

    /// Whether spans and events say where they are in the code: `code.file.path`,
    /// `code.line.number`, `code.module.name`. Not by default.
    pub const fn with_location(mut self, location: bool) -> Self {
        self.span_origin.location = location;
        self.event_origin.location = location;
        self
    }

    /// Whether spans say which thread started them: `thread.id`, `thread.name`. Not
    /// by default.
    pub const fn with_threads(mut self, threads: bool) -> Self {
        self.span_origin.threads = threads;
        self
    }

    /// Whether events become span events. They do by default.
    pub const fn with_events(mut self, events: bool) -> Self {
        self.events = events;
        self
    }

    /// Whether an event of level `ERROR` makes the status of its span an error, with
    /// the text of its field `error` if it has one. It does by default.
    pub const fn with_error_events(mut self, error_events: bool) -> Self {
        self.error_events = error_events;
        self
    }

    /// Whether the crates that carry requests (`hyper`, `h2`, `reqwest`, `tonic`,
    /// `tower`, …) are heard below `WARN`. Not by default.
    ///
    /// An exporter with threads of its own would then trace its own requests.
    pub const fn with_transport(mut self, transport: bool) -> Self {
        self.chatter = transport;
        self
    }

    /// The ids of an open span.
    #[must_use]
    pub fn context(&self, id: &Id) -> Option<SpanContext> {
        self.spans.context(id)
    }

    #[inline]
    fn ignores(&self, metadata: &Metadata<'_>) -> bool {
        !self.chatter && transport::is_chatter(metadata)
    }

    #[inline]
    fn start<S>(&self, attributes: &Attributes<'_>, ambient: Option<&Ambient>, ctx: &Context<'_, S>) -> Span
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let metadata = attributes.metadata();
        let parent = match (attributes.is_contextual(), attributes.parent()) {
            (true, _) => Parent::Current,
            (false, Some(id)) => self.nearest(id, ctx).map_or(Parent::Root, Parent::Span),
            (false, None) => Parent::Root,
        };
        if attributes.fields().is_empty() && self.span_origin.is_empty() {
            return bridge::start(metadata.name(), SpanKind::Internal, parent, ambient, &[]);
        }
        if decide_the_start(attributes.fields()) || bridge::needs_attributes() {
            return self.start_with_fields(attributes, parent, ambient);
        }
        let mut span = bridge::start(metadata.name(), SpanKind::Internal, parent, ambient, &[]);
        if span.is_recording() {
            if !self.span_origin.is_empty() {
                with_fields(|fields| {
                    self.span_origin.record(metadata, fields);
                    fields.write_to(&mut span);
                });
            }
            attributes.record(&mut WriteTo(&mut span));
        }
        span
    }

    #[cold]
    fn start_with_fields(&self, attributes: &Attributes<'_>, parent: Parent<'_>, ambient: Option<&Ambient>) -> Span {
        let metadata = attributes.metadata();
        with_fields(|fields| {
            self.span_origin.record(metadata, fields);
            attributes.record(fields);
            let (name, kind) = (fields.name().unwrap_or(metadata.name()), fields.kind().unwrap_or_default());
            if bridge::needs_attributes() {
                let mut span =
                    fields.with_attributes(|attributes| bridge::start(name, kind, parent, ambient, attributes));
                fields.write_status_to(&mut span);
                return span;
            }
            let mut span = bridge::start(name, kind, parent, ambient, &[]);
            fields.write_to(&mut span);
            span
        })
    }

    /// The ids of a span, or of the first one above it that was not filtered away.
    fn nearest<S>(&self, id: &Id, ctx: &Context<'_, S>) -> Option<SpanContext>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        self.spans.context(id).or_else(|| ctx.span_scope(id)?.skip(1).find_map(|span| self.spans.context(&span.id())))
    }

    /// Calls `f` with what an event says, unless it is of no interest.
    #[inline]
    fn with_event(&self, event: &Event<'_>, f: impl FnOnce(&Fields, &str, Status<'static>)) {
        with_fields(|fields| {
            let metadata = event.metadata();
            fields.of_event();
            self.event_origin.record(metadata, fields);
            event.record(fields);
            if fields.is_chatter() && !self.chatter && *metadata.level() > Level::WARN {
                return;
            }
            let is_error = self.error_events && *metadata.level() == Level::ERROR;
            let status = if is_error { Status::Error("") } else { Status::Unset };
            f(fields, fields.event_name(metadata), status);
        });
    }

    #[inline]
    fn add_to_current(&self, event: &Event<'_>) {
        self.with_event(event, |fields, name, status| {
            fields.with_attributes(|attributes| spandrel::add_event(name, attributes));
            if let Status::Error(_) = status {
                spandrel::set_status(Status::Error(fields.error().unwrap_or("")));
            }
        });
    }

    #[cold]
    fn add_to(&self, id: &Id, event: &Event<'_>) {
        self.with_event(event, |fields, name, status| {
            let is_error = matches!(status, Status::Error(_));
            let now = |span: &mut Span| {
                fields.with_attributes(|attributes| span.add_event(name, attributes));
                if is_error {
                    span.set_status(Status::Error(fields.error().unwrap_or("")));
                }
            };
            let later = || -> Late {
                let time = SystemTime::from(Moment::now());
                let (name, error) = (name.to_owned(), fields.error().unwrap_or("").to_owned());
                let owned = fields.to_owned_attributes();
                Box::new(move |span| {
                    let attributes: Vec<_> = owned.iter().map(OwnedAttribute::as_attribute).collect();
                    span.add_event_at(&name, time, &attributes);
                    if is_error {
                        span.set_status(Status::Error(&error));
                    }
                })
            };
            self.spans.write(id, now, later);
        });
    }
}

impl<S> Layer<S> for SpandrelLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    #[inline]
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        if self.ignores(attributes.metadata()) {
            return;
        }
        let ambient = bridge::ambient();
        let span = self.start(attributes, ambient.as_ref(), &ctx);
        // None if tracing is off, or suppressed on this thread.
        if let Some(context) = span.context() {
            self.spans.insert(id, span, context, ambient);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        with_fields(|fields| {
            values.record(fields);
            self.spans.write(id, |span| fields.write_to(span), || fields.to_late());
        });
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, _: Context<'_, S>) {
        let Some(context) = self.spans.context(follows) else { return };
        let linked = context.clone();
        let later = || -> Late { Box::new(move |span| span.add_link(&linked, &[])) };
        self.spans.write(id, |span| span.add_link(&context, &[]), later);
    }

    #[inline]
    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        if !self.events || self.ignores(event.metadata()) {
            return;
        }
        if !event.is_contextual() {
            if let Some(id) = event.parent() {
                self.add_to(id, event);
            }
        } else if spandrel::is_recording() {
            // The innermost span here, whichever API started it.
            self.add_to_current(event);
        } else if guests::is_any()
            && let Some(id) = ctx.current_span().id()
            && self.spans.context(id) == spandrel::current()
        {
            self.add_to(id, event);
        }
    }

    #[inline]
    fn on_enter(&self, id: &Id, _: Context<'_, S>) {
        self.spans.enter(id);
    }

    #[inline]
    fn on_exit(&self, id: &Id, _: Context<'_, S>) {
        self.spans.exit(id);
    }

    #[inline]
    fn on_close(&self, id: Id, _: Context<'_, S>) {
        self.spans.close(&id);
    }
}
