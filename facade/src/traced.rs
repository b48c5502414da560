//! What `#[traced]` expands to; nobody else calls it.

use std::fmt::{self, Debug, Display, Write};

use spandrel_plugin_api::{SpanKind, panics};

use crate::builder::{span, start_named_with};
use crate::closures::{leave_and_end, start_and_enter};
use crate::future::{InSpan, InSpanExt, InSpanMut};
use crate::global;
use crate::operations::is_nameless;
use crate::span::{Span, SpanRef};

/// The key of a captured result: a word that no argument can have for a name.
pub const RETURN: &str = "return";

/// How long the text of a captured value may be unless the user says otherwise.
pub const MAX_BYTES: usize = 256;

const ERROR_TYPE: &str = "error.type";

/// What semantic conventions put where an error has no type worth telling.
const OTHER: &str = "_OTHER";

/// The call of a traced function: its span is the current one until this is
/// dropped, also by a panic, and ends then.
pub struct Call {
    /// 0 if there is no span.
    key: u64,
    /// A panic that was there before is not one of this function.
    was_panicking: bool,
}

impl Call {
    /// Starts a span and enters it.
    #[inline]
    #[must_use]
    pub fn start(name: &str) -> Self {
        Self::of(global::active().map_or(0, |tracer| start_and_enter(tracer, name)))
    }

    /// Starts a span of this kind and enters it.
    #[inline]
    #[must_use]
    pub fn start_as(name: &str, kind: SpanKind) -> Self {
        Self::of(global::active().map_or(0, |_| enter_as(name, kind)))
    }

    /// The span, if what is written to it goes anywhere.
    #[inline]
    pub fn recording(&self) -> Option<SpanRef<'_>> {
        Some(SpanRef::of(self.key)).filter(|span| span.may_write())
    }

    #[inline]
    fn of(key: u64) -> Self {
        Self { key, was_panicking: key != 0 && std::thread::panicking() }
    }
}

impl Drop for Call {
    #[inline]
    fn drop(&mut self) {
        if self.key != 0 {
            leave_and_end(self.key, self.was_panicking || !std::thread::panicking());
        }
    }
}

// Out of line, so that a traced function has but two calls more.
#[inline(never)]
fn enter_as(name: &str, kind: SpanKind) -> u64 {
    let mut span = span(name).kind(kind).start();
    let key = span.move_in().unwrap_or(0);
    // What was in it lies in the chain now, and ends from there.
    std::mem::forget(span);
    key
}

/// Starts the span of a future.
#[inline]
pub fn start(name: &str) -> Span {
    Span::of(global::active().and_then(|tracer| start_named_with(tracer, name)))
}

/// Starts the span of a future, of this kind.
#[inline]
pub fn start_as(name: &str, kind: SpanKind) -> Span {
    global::active().map(|_| span(name).kind(kind).start()).unwrap_or_default()
}

/// Calls `f` within the span, if what is written to it goes anywhere.
#[inline]
pub fn record(span: &mut Span, f: impl FnOnce(SpanRef<'_>)) {
    if span.is_recording() {
        span.within(f);
    }
}

/// Calls a body. That it is called once lets it give away what it was given.
#[inline]
pub fn call<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// Never there: only tells the compiler a type.
#[inline]
#[must_use]
pub const fn expected<T>() -> Option<T> {
    None
}

/// A future within its span.
#[inline]
pub fn in_span<F: Future>(span: Span, future: F) -> InSpan<F> {
    future.in_span(span)
}

/// A future within a span that outlives it.
#[inline]
pub fn in_span_mut<F: Future>(span: &mut Span, future: F) -> InSpanMut<'_, F> {
    future.in_span_mut(span)
}

/// What `err` can look at.
#[diagnostic::on_unimplemented(
    message = "`err` looks at a `Result`, and this function returns `{Self}`",
    label = "not a `Result`",
    note = "remove `err`, or return a `Result`"
)]
pub trait Outcome {
    /// Makes the span an error if this is one.
    fn record_in(&self, span: SpanRef<'_>);
}

impl<T, E: Display> Outcome for Result<T, E> {
    #[inline]
    fn record_in(&self, span: SpanRef<'_>) {
        if let Err(error) = self {
            let kind = std::any::type_name::<E>();
            span.set_attribute(ERROR_TYPE, if is_nameless(kind) { OTHER } else { kind });
            span.record_error(error);
        }
    }
}

/// Records what `Debug` says of a value, up to a length.
pub fn capture(span: SpanRef<'_>, key: &str, value: &dyn Debug, max_bytes: usize) {
    span.set_attribute(key, debug_text(value, max_bytes));
}

/// At most `max_bytes` of what `Debug` says, with `…` at the end if that is not all.
///
/// Formatting stops there, and never more than that is allocated.
#[must_use]
pub fn debug_text(value: &dyn Debug, max_bytes: usize) -> String {
    let mut text = Limited { text: String::new(), max_bytes };
    // Nobody asked for this `Debug` but the one who traces: its panics end here.
    let written = panics::contained(|| write!(text, "{value:?}"));
    if !matches!(written, Some(Ok(()))) {
        text.cut();
    }
    text.text
}

struct Limited {
    text: String,
    max_bytes: usize,
}

const CUT: char = '…';

impl Write for Limited {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.max_bytes - self.text.len();
        let fits = &more[..boundary(more, room)];
        let needed = self.text.len() + fits.len();
        if needed > self.text.capacity() {
            let wanted = needed.max(self.text.capacity() * 2).max(32).min(self.max_bytes);
            self.text.reserve_exact(wanted - self.text.len());
        }
        self.text.push_str(fits);
        if fits.len() < more.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

impl Limited {
    fn cut(&mut self) {
        if let Some(room) = self.max_bytes.checked_sub(CUT.len_utf8()) {
            self.text.truncate(boundary(&self.text, room));
            self.text.reserve_exact(CUT.len_utf8());
            self.text.push(CUT);
        }
    }
}

/// The last boundary of characters at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{MAX_BYTES, debug_text};
    use std::cell::Cell;
    use std::fmt;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(debug_text(&"äöü", 8), "\"äöü\"");
        assert_eq!(debug_text(&"äöü", 7), "\"ä…");
        assert_eq!(debug_text(&"äöü", 6), "\"ä…");
        assert_eq!(debug_text(&"äöü", 5), "\"…");
        assert_eq!(debug_text(&"äöü", 3), "…");
        assert_eq!(debug_text(&"äöü", 2), "\"");
        assert_eq!(debug_text(&(), 1), "(");
        for max in 1..40 {
            let text = debug_text(&["€", "😀", "ab", "ß"], max);
            assert!(text.len() <= max && text.capacity() <= max, "{text} in {max}");
        }
    }

    /// Formats for ever, unless it is told to stop.
    struct Endless<'a>(&'a Cell<u32>);

    impl fmt::Debug for Endless<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            loop {
                self.0.set(self.0.get() + 1);
                f.write_str("0123456789")?;
            }
        }
    }

    #[test]
    fn formatting_stops_at_the_limit() {
        let pieces = Cell::new(0);
        let text = debug_text(&Endless(&pieces), MAX_BYTES);
        assert_eq!((text.len(), pieces.get()), (MAX_BYTES, 26));
        assert!(text.capacity() <= MAX_BYTES && text.ends_with("012…"), "{text}");
    }

    struct Broken;

    impl fmt::Debug for Broken {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            panic!("by intention");
        }
    }

    #[test]
    fn a_panic_in_debug_ends_here() {
        assert_eq!(debug_text(&Broken, 64), "half…");
        assert_eq!(debug_text(&Broken, 5), "ha…");
    }
}
