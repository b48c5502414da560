use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use spandrel::{InSpanExt, Span, SpanContext};

use crate::record::Record;
use crate::sum::{Sum, Totals};

/// An operation that runs. It ends when it is dropped, with what is known then.
///
/// Written to as a [`Record`]; [`within`](Self::within) and [`run_async`](Self::run_async) make it
/// the parent of what happens inside.
#[must_use = "an operation that is dropped at once has no duration"]
#[derive(Debug)]
pub struct Running {
    record: Record,
    span: Span,
    sum: Arc<Sum>,
    has_ended: bool,
}

impl Running {
    pub(crate) fn new(record: Record, span: Span, sum: Arc<Sum>) -> Self {
        Self { record, span, sum, has_ended: false }
    }

    /// The ids of its span; `None` if tracing is off.
    #[must_use]
    pub fn context(&self) -> Option<SpanContext> {
        self.span.context()
    }

    /// Calls `f` within the operation.
    pub fn within<R>(&mut self, f: impl FnOnce(&mut Record) -> R) -> R {
        let Self { record, span, .. } = self;
        span.within(|_| f(record))
    }

    /// Runs a future within the operation.
    pub async fn run_async<R>(&mut self, f: impl AsyncFnOnce(&mut Record) -> R) -> R {
        let Self { record, span, .. } = self;
        f(record).in_span_mut(span).await
    }

    /// What the model calls within have used so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.sum.totals()
    }

    /// Ends it now, and says what the model calls within used, itself included.
    pub fn end(mut self) -> Totals {
        self.finish()
    }

    /// Both at once, for a body that writes to the record within the span.
    pub(crate) fn parts(&mut self) -> (&mut Record, &mut Span) {
        (&mut self.record, &mut self.span)
    }

    pub(crate) fn span(&mut self) -> &mut Span {
        &mut self.span
    }

    fn finish(&mut self) -> Totals {
        if std::mem::replace(&mut self.has_ended, true) {
            return self.sum.totals();
        }
        let sum = &self.sum;
        self.record.end(&mut self.span, |own| sum.end(own));
        drop(std::mem::take(&mut self.span));
        self.sum.totals()
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
