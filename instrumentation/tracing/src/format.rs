use std::fmt;

use spandrel::SpanContext;
use tracing_core::{Event, Subscriber, dispatcher};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::layer::SpandrelLayer;

/// Adds the ids of its span to each line of `tracing_subscriber::fmt`.
///
/// A line that is a JSON object gets them as its first members, `trace_id`, `span_id` and
/// `trace_flags`; any other line ends with `trace_id=… span_id=… trace_flags=01`. With colours,
/// for which the line is out of reach, they come before it. Lines outside of spans stay as they are.
///
/// ```
/// use spandrel_tracing::WithIds;
/// use tracing_subscriber::layer::SubscriberExt;
/// # use tracing_subscriber::util::SubscriberInitExt;
///
/// let lines = tracing_subscriber::fmt::layer().json().map_event_format(WithIds::new);
/// let subscriber = tracing_subscriber::registry().with(spandrel_tracing::layer()).with(lines);
/// # subscriber.init();
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct WithIds<F> {
    inner: F,
}

impl<F> WithIds<F> {
    /// The ids, and what `inner` writes.
    pub const fn new(inner: F) -> Self {
        Self { inner }
    }
}

impl<S, N, F> FormatEvent<S, N> for WithIds<F>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(span) = span_of(event) else {
            return self.inner.format_event(ctx, writer, event);
        };
        if writer.has_ansi_escapes() {
            const DIM: &str = "\u{1b}[2m";
            const END: &str = "\u{1b}[0m";
            write!(writer, "{DIM}{}{END} ", Text(&span))?;
            return self.inner.format_event(ctx, writer, event);
        }
        let mut line = String::new();
        self.inner.format_event(ctx, Writer::new(&mut line), event)?;
        match line.strip_prefix('{') {
            Some(members) => {
                let comma = if members.starts_with('}') { "" } else { "," };
                write!(writer, "{{{}{comma}{members}", Json(&span))
            }
            None => {
                let text = line.trim_end_matches('\n');
                write!(writer, "{text} {}{}", Text(&span), &line[text.len()..])
            }
        }
    }
}

/// The span that an event belongs to, whichever API started it.
fn span_of(event: &Event<'_>) -> Option<SpanContext> {
    if event.is_contextual() {
        return spandrel::current();
    }
    // Rather no ids than wrong ones: with a subscriber that is not the global
    // default, the layer cannot be found.
    let id = event.parent()?;
    dispatcher::get_default(|dispatch| dispatch.downcast_ref::<SpandrelLayer>()?.context(id))
}

struct Text<'a>(&'a SpanContext);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace_id, span_id, flags) = (self.0.trace_id(), self.0.span_id(), self.0.flags().bits());
        write!(f, "trace_id={trace_id} span_id={span_id} trace_flags={flags:02x}")
    }
}

struct Json<'a>(&'a SpanContext);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace_id, span_id, flags) = (self.0.trace_id(), self.0.span_id(), self.0.flags().bits());
        write!(f, r#""trace_id":"{trace_id}","span_id":"{span_id}","trace_flags":"{flags:02x}""#)
    }
}
