//! For crates that turn the spans of another tracing API into spans of this one.
//!
//! Such an API enters and leaves by two calls, without a guard in between, and its
//! spans may go to other threads together with what was current where they began.
//! Services need none of this.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spandrel_plugin_api::{Attribute, SpanKind, Timestamp};

use crate::builder::{Parent, span, start_named_with};
use crate::chain::ScopeSwitch;
use crate::context::{Context, current_scope};
use crate::span::Span;
use crate::{clock, global};

/// Starts a span that takes the ambient attributes and the baggage of this thread
/// along, wherever it is entered.
///
/// Nothing is copied from `attributes`; samplers see them only if they are given
/// here, which [`needs_attributes`] asks for.
pub fn start(name: &str, kind: SpanKind, parent: Parent<'_>, attributes: &[Attribute<'_>]) -> Span {
    if kind == SpanKind::Internal && attributes.is_empty() && matches!(parent, Parent::Current) {
        return start_child(name);
    }
    let ambient = match &parent {
        Parent::Context(_) => None,
        Parent::Current => Some(Context::current()),
        Parent::Root => Some(Context::root()),
        Parent::Span(context) => Some(Context::root().with_span_context(context.clone())),
    };
    let parent = match &ambient {
        Some(context) if context.scope().is_some() => Parent::Context(context),
        _ => parent,
    };
    span(name).kind(kind).parent(parent).attributes(attributes).start()
}

fn start_child(name: &str) -> Span {
    let Some(tracer) = global::active() else { return Span::none() };
    let mut live = start_named_with(tracer, name);
    if let (Some(live), Some(scope)) = (&mut live, current_scope()) {
        live.scope = ScopeSwitch::Set(Some(scope));
    }
    Span::of(live)
}

/// Whether somebody looks at the attributes of a span when it starts: a sampler, or
/// a provider that sees spans live. Otherwise they may as well be set afterwards,
/// and need not be evaluated for a span that is not recorded.
#[must_use]
pub fn needs_attributes() -> bool {
    global::active().is_some_and(|tracer| tracer.usual_sampler().is_none())
}

/// The context of this thread without its span, if there is more to it.
#[must_use]
pub fn ambient() -> Option<Context> {
    Some(Context::root()).filter(|context| context.scope().is_some())
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
    // The guard of a span that was entered, and whose guard is gone.
    drop(span.enter());
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
    use super::{Moment, end_at, enter, leave, start};
    use crate::{Context, Parent, SpanKind, assert_trace, testing, with_span};

    #[test]
    fn entering_without_a_guard_nests() {
        let trace = testing::capture(|| {
            let mut outer = start("outer", SpanKind::Internal, Parent::Current, &[]);
            enter(&mut outer);
            let mut inner = start("inner", SpanKind::Client, Parent::Current, &[]);
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
                let first = start("first", SpanKind::Internal, Parent::Current, &[]);
                let parent = first.context().map_or(Parent::Root, Parent::Span);
                [start("second", SpanKind::Server, parent, &[]), first]
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
            assert_eq!(span.attribute("session.id"), Some(&"s-1".into()), "{}", span.name);
        }
        assert_trace!(trace, "first" { "second" { "child" {} } "child" {} });
    }

    #[test]
    fn a_span_ends_at_the_moment_that_is_told() {
        let trace = testing::capture(|| {
            let span = start("span", SpanKind::Internal, Parent::Current, &[]);
            let moment = Moment::now();
            while Moment::now() == moment {}
            end_at(span, moment);
        });
        let end = std::time::SystemTime::from(Moment::now());
        assert!(trace.span("span").end < end.into());
    }
}
