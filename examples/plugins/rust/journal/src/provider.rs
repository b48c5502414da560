use std::fs::OpenOptions;
use std::num::NonZeroU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use spandrel_plugin_api::{
    Attribute, Error, ErrorKind, Event, Host, Link, Provider, ProviderFactory, SpanStart, SpanState, Stats, Status,
    Timestamp, TracingProvider,
};

use crate::config::JournalConfig;
use crate::desk::Desk;
use crate::encode::Service;
use crate::span::Span;

/// Makes the provider `journal`.
#[derive(Debug, Clone, Copy)]
pub struct JournalFactory;

/// Keeps the data of a span in its state, and hands it over when the span ends.
struct Journal {
    process: Process,
}

/// The desk of a process, and those of the forked children below it. A list that
/// only grows, as no lock is sure to be free after a fork.
struct Process {
    desk: Arc<Desk>,
    child: OnceLock<Box<Process>>,
}

impl ProviderFactory for JournalFactory {
    fn name(&self) -> &'static str {
        "journal"
    }

    fn create(&self, config: &str, host: &Host<'_>) -> Result<Provider, Error> {
        let config = JournalConfig::parse(config)?;
        let file = OpenOptions::new().append(true).create(true).open(&config.path).map_err(|error| {
            Error::new(ErrorKind::Io, "cannot open the journal")
                .with_context("path", config.path.display().to_string())
                .with_context("remedy", "make its folder, or choose another path")
                .with_source(error)
        })?;
        let slow = config.slow_ms.map(NonZeroU64::get).map(Duration::from_millis);
        let desk = Desk::open(file, Service::new(host.resource), slow, false)?;
        Ok(Provider::Live(Box::new(Journal { process: Process { desk, child: OnceLock::new() } })))
    }

    fn validate(&self, config: &str) -> Result<(), Error> {
        JournalConfig::parse(config).map(drop)
    }
}

impl Journal {
    fn process(&self) -> &Process {
        let mut process = &self.process;
        while let Some(child) = process.child.get() {
            process = child;
        }
        process
    }

    fn desk(&self) -> &Desk {
        &self.process().desk
    }
}

impl TracingProvider for Journal {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        SpanState::boxed(self.desk().start(start))
    }

    fn end_span(&self, span: SpanState, end: Timestamp) {
        if let Some(mut span) = span.downcast::<Span>() {
            span.end(end);
            self.desk().accept(*span);
        }
    }

    fn set_span_status(&self, span: &mut SpanState, status: Status<'_>) {
        on_span(span, |span| span.set_status(status));
    }

    fn set_span_name(&self, span: &mut SpanState, name: &str) {
        on_span(span, |span| name.clone_into(&mut span.name));
    }

    fn add_span_attributes(&self, span: &mut SpanState, attributes: &[Attribute<'_>]) {
        on_span(span, |span| span.attributes.set(attributes));
    }

    fn add_span_event(&self, span: &mut SpanState, event: &Event<'_>) {
        on_span(span, |span| span.add_event(event));
    }

    fn add_span_link(&self, span: &mut SpanState, link: &Link<'_>) {
        on_span(span, |span| span.add_link(link));
    }

    fn force_flush(&self, deadline: Duration) -> Result<(), Error> {
        self.desk().flush(deadline)
    }

    fn on_fork(&self) -> bool {
        let process = self.process();
        if process.desk.process == std::process::id() {
            return true;
        }
        // Never freed: a thread that does not exist here may have been at it.
        std::mem::forget(Arc::clone(&process.desk));
        let child = process.desk.after_fork().map(|desk| Box::new(Process { desk, child: OnceLock::new() }));
        child.is_ok_and(|child| process.child.set(child).is_ok())
    }

    fn shutdown(&self, deadline: Duration) -> Result<(), Error> {
        self.desk().close(deadline)
    }

    fn stats(&self) -> Stats {
        self.desk().stats()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let _ = self.shutdown(Duration::from_secs(1));
    }
}

/// A state that is not ours has no span.
fn on_span(state: &mut SpanState, edit: impl FnOnce(&mut Span)) {
    if let Some(span) = state.downcast_mut() {
        edit(span);
    }
}

#[cfg(test)]
mod tests;
