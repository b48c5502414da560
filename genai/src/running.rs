use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use spandrel::{Context, InSpanExt, InSpanMut, Span, SpanContext};

use crate::record::Record;
use crate::sum::{Sum, Totals};

/// An operation that runs. It ends when it is dropped, with what is known then.
///
/// Written to as a [`Record`]; [`within`](Self::within) and [`run_async`](Self::run_async) make it
/// the parent of what happens inside.
#[must_use = "an operation that is dropped at once has no duration"]
#[derive(Debug)]
pub struct Running {
    /// It is large, and operations are moved.
    record: Box<Record>,
    span: Span,
    sum: Arc<Sum>,
    /// Hands the sum down where no span does it: tracing is off, or this one is not traced.
    ambient: Option<Box<Context>>,
    has_ended: bool,
}

impl Running {
    #[inline]
    pub(crate) fn new(record: Box<Record>, span: Span, sum: Arc<Sum>) -> Self {
        let ambient = if record.is_recording() { None } else { ambient(&span, &sum) };
        Self { record, span, sum, ambient, has_ended: false }
    }

    /// The ids of its span; `None` if tracing is off.
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        self.span.context()
    }

    /// Calls `f` within the operation.
    pub fn within<R>(&mut self, f: impl FnOnce(&mut Record) -> R) -> R {
        let Self { record, span, ambient, .. } = self;
        within_scope(ambient.as_deref(), || span.within(|_| f(record)))
    }

    /// Runs a future within the operation.
    pub async fn run_async<R>(&mut self, f: impl AsyncFnOnce(&mut Record) -> R) -> R {
        let (record, place) = self.parts();
        place.poll(f(record)).await
    }

    /// What the model calls within have used so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.sum.totals()
    }

    /// Ends it now, and says what the model calls within used, itself included.
    pub fn end(mut self) -> Totals {
        self.finish();
        self.sum.totals()
    }

    /// Both at once, for a body that writes to the record within the operation.
    pub(crate) fn parts(&mut self) -> (&mut Record, Place<'_>) {
        (&mut self.record, Place { span: &mut self.span, ambient: self.ambient.as_deref() })
    }

    /// Calls `f` with what it hands down where no span does it.
    pub(crate) fn within_ambient<R>(&self, f: impl FnOnce() -> R) -> R {
        within_scope(self.ambient.as_deref(), f)
    }

    pub(crate) fn span(&mut self) -> &mut Span {
        &mut self.span
    }

    fn finish(&mut self) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        if std::thread::panicking() {
            self.record.set_panicked();
        }
        self.record.end(&mut self.span, &self.sum);
        drop(std::mem::take(&mut self.span));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Deref for Running {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Record {
        &mut self.record
    }
}

/// What hands the sum down, if there is no span.
#[cold]
fn ambient(span: &Span, sum: &Arc<Sum>) -> Option<Box<Context>> {
    span.context().is_none().then(|| Box::new(Context::root().with_extension(Arc::clone(sum))))
}

fn within_scope<R>(ambient: Option<&Context>, f: impl FnOnce() -> R) -> R {
    match ambient {
        None => f(),
        Some(ambient) => ambient.within_scope(f),
    }
}

/// Where an operation's work happens.
#[derive(Debug)]
pub struct Place<'a> {
    span: &'a mut Span,
    ambient: Option<&'a Context>,
}

impl<'a> Place<'a> {
    /// A future there.
    pub fn poll<F: Future>(self, future: F) -> InPlace<'a, F> {
        InPlace { future: Some(future.in_span_mut(self.span)), ambient: self.ambient }
    }
}

pin_project_lite::pin_project! {
    /// A future within an operation.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are polled"]
    pub struct InPlace<'a, F> {
        #[pin]
        future: Option<InSpanMut<'a, F>>,
        ambient: Option<&'a Context>,
    }

    impl<F> PinnedDrop for InPlace<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            within_scope(*this.ambient, || this.future.set(None));
        }
    }
}

impl<F: Future> Future for InPlace<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // Emptied by nobody but the drop.
        let future = this.future.as_pin_mut();
        within_scope(*this.ambient, || future.map_or(Poll::Pending, |future| future.poll(cx)))
    }
}
