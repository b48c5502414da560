use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use spandrel_plugin_api::{panics, suppression};

use crate::ledger::{Ledger, Outcome};

/// Counts what an exporter delivers, and keeps its panics from ending the thread of the SDK.
pub(crate) struct CountedExporter<E> {
    pub(crate) exporter: E,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) branch: usize,
}

impl<E: SpanExporter> SpanExporter for CountedExporter<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len() as u64;
        let outcome = if self.ledger.begin_export(self.branch, spans) {
            match contained(|| self.exporter.export(batch)).await {
                Some(Ok(())) => Outcome::Exported,
                Some(Err(error)) => Outcome::Failed(error.to_string()),
                None => Outcome::Panicked,
            }
        } else {
            Outcome::Panicked
        };
        let result = match &outcome {
            Outcome::Exported => Ok(()),
            Outcome::Failed(why) => Err(OTelSdkError::InternalFailure(why.clone())),
            Outcome::Panicked => Err(OTelSdkError::InternalFailure("the exporter panicked".to_owned())),
        };
        self.ledger.end_export(self.branch, spans, outcome);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        panics::contained(|| self.exporter.shutdown_with_timeout(timeout)).unwrap_or(Ok(()))
    }

    fn force_flush(&self) -> OTelSdkResult {
        panics::contained(|| self.exporter.force_flush()).unwrap_or(Ok(()))
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// The thread of the SDK owns it, so that it is dropped when that thread ends, however it ends.
impl<E> Drop for CountedExporter<E> {
    fn drop(&mut self) {
        self.ledger.end(self.branch);
    }
}

impl<E: fmt::Debug> fmt::Debug for CountedExporter<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.exporter.fmt(f)
    }
}

/// What the future that `start` makes comes to; `None` if one of the two panics.
async fn contained<F: Future>(start: impl FnOnce() -> F) -> Option<F::Output> {
    let mut future: Pin<Box<F>> = Box::pin(panics::contained(start)?);
    std::future::poll_fn(move |context| {
        // An HTTP client that is traced itself would feed the exporter for ever.
        let _suppressed = suppression::enter();
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(payload) => {
                panics::discard(payload);
                Poll::Ready(None)
            }
        }
    })
    .await
}
