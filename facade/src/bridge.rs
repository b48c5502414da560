//! For crates that turn the spans of another tracing API into spans of this one.
//!
//! Such an API enters and leaves by two calls, without a guard in between, and its
//! spans may go to other threads together with what was current where they began.
//! Services need none of this.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spandrel_plugin_api::{Attribute, SpanKind, Timestamp};

use crate::builder::{Parent, span, start_named_with};
use crate::context::Context;
use crate::span::Span;
use crate::{clock, global};

/// The context of this thread without its span, if there is more to it.
#[must_use]
#[inline]
pub fn ambient() -> Option<Context> {
    Some(Context::root()).filter(|context| context.scope().is_some())
}

/// Starts a span that takes what is [`ambient`] here along, wherever it is entered.
///
/// Samplers see attributes only if they are given here; [`needs_attributes`] says
/// whether they have to be. Otherwise they are better set afterwards, which copies
/// nothing and can be left out for a span that is not recorded.
#[inline]
pub fn start(
    name: &str,
    kind: SpanKind,
    parent: Parent<'_>,
    ambient: Option<&Context>,
    attributes: &[Attribute<'_>],
) -> Span {
    let is_plain = kind == SpanKind::Internal && attributes.is_empty() && ambient.is_none();
    if is_plain && matches!(parent, Parent::Current) {
        return global::active().map_or(Span::none(), |tracer| Span::of(start_named_with(tracer, name)));
    }
    start_any(name, kind, parent, ambient, attributes)
}

fn start_any(
    name: &str,
    kind: SpanKind,
    parent: Parent<'_>,
    ambient: Option<&Context>,
    attributes: &[Attribute<'_>],
) -> Span {
    let context = ambient.and_then(|ambient| match &parent {
        Parent::Context(_) => None,
        Parent::Root => Some(ambient.clone()),
        Parent::Current => Some(crate::current().into_iter().fold(ambient.clone(), Context::with_span_context)),
        Parent::Span(span) => Some(ambient.clone().with_span_context(span.clone())),
    });
    let parent = context.as_ref().map_or(parent, Parent::Context);
    span(name).kind(kind).parent(parent).attributes(attributes).start()
}

/// Whether somebody looks at the attributes of a span when it starts: a sampler, or
/// a provider that sees spans live. Otherwise they may as well be set afterwards,
/// and need not be evaluated for a span that is not recorded.
#[must_use]
pub fn needs_attributes() -> bool {
    global::active().is_some_and(|tracer| tracer.usual_sampler().is_none())
}

/// Makes the span the current one of this thread, until [`leave`] is called here.
#[inline]
pub fn enter(span: &mut Span) {
    span.move_in();
}

/// Makes current what was current before, also if it was left already. Must be
/// called on the thread that entered; elsewhere the rest of the span is lost.
#[inline]
pub fn leave(span: &mut Span) {
    span.move_out();
}

/// Ends the span at a moment that is past.
#[inline]
pub fn end_at(mut span: Span, moment: Moment) {
    span.finish(Some(moment.0));
}

/// A time of the clock that spans are measured with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Timestamp);

impl Moment {
    /// The present one.
    #[must_use]
    #[inline]
    pub fn now() -> Self {
        Self(clock::now())
    }
}

impl From<Moment> for SystemTime {
    fn from(moment: Moment) -> Self {
        UNIX_EPOCH + Duration::from_nanos(moment.0.unix_nanos())
    }
}

#[cfg(all(test, feature = "memory"))]
mod tests {
    use super::{Moment, ambient, end_at, enter, leave};
    use crate::{Context, Parent, Span, SpanKind, assert_trace, testing, with_span};

    fn start(name: &str, kind: SpanKind, parent: Parent<'_>) -> Span {
        super::start(name, kind, parent, ambient().as_ref(), &[])
    }

    #[test]
    fn entering_without_a_guard_nests() {
        let trace = testing::capture(|| {
            let mut outer = start("outer", SpanKind::Internal, Parent::Current);
            enter(&mut outer);
            let mut inner = start("inner", SpanKind::Client, Parent::Current);
            enter(&mut inner);
            crate::set_attribute("set", "inside");
            leave(&mut outer);
            with_span("in inner", |_| ());
            leave(&mut inner);
            leave(&mut inner);
            assert_eq!(crate::current(), None);
            enter(&mut outer);
            with_span("in outer", |_| ());
            leave(&mut outer);
        });
        assert_trace!(trace, "outer" { "inner" ("set" = "inside") { "in inner" {} } "in outer" {} });
    }

    #[test]
    fn what_is_ambient_goes_along_to_other_threads() {
        let trace = testing::capture(|| {
            let ambient = Context::current().with_attribute("session.id", "s-1");
            let spans = ambient.within(|| {
                let first = start("first", SpanKind::Internal, Parent::Current);
                let parent = first.context().map_or(Parent::Root, Parent::Span);
                [start("second", SpanKind::Server, parent), first]
            });
            let enter_all = move || {
                for mut span in spans {
                    enter(&mut span);
                    with_span("child", |_| ());
                    leave(&mut span);
                }
            };
            std::thread::spawn(enter_all).join().unwrap();
        });
        assert_eq!(trace.spans().len(), 4);
        for span in trace.spans() {
            assert!(span.attribute("session.id").is_some(), "{}", span.name);
        }
        assert_trace!(trace, "first" { "second" { "child" {} } "child" {} });
    }

    #[test]
    fn a_span_ends_at_the_moment_that_is_told() {
        let trace = testing::capture(|| {
            let span = start("span", SpanKind::Internal, Parent::Current);
            let moment = Moment::now();
            while Moment::now() == moment {}
            end_at(span, moment);
        });
        let end = std::time::SystemTime::from(Moment::now());
        assert!(trace.span("span").end < end.into());
    }
}
