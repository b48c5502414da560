#![expect(unsafe_code, reason = "calls functions of a plugin")]

use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

use spandrel_plugin_api::abi::{self, Batch, Bytes, ExporterTable};
use spandrel_plugin_api::{
    Attribute, Carrier, CarrierMut, Error, ErrorKind, Event, Extraction, Link, Provider, SpanBatch, SpanContext,
    SpanExporter, SpanStart, SpanState, Stats, Status, Timestamp, TracingProvider,
};

use super::instance::{Caller, Common, Instance};
use super::library::Library;

/// An exporter in a plugin, as a recorder wants it.
struct LoadedExporter {
    instance: Arc<Instance>,
    table: ExporterTable,
    is_shut_down: bool,
}

/// What else the plugin takes part in.
struct Companion {
    instance: Arc<Instance>,
    table: ExporterTable,
}

pub(super) fn provider(library: &'static Library, name: &str, made: &abi::Instance) -> Result<Provider, Error> {
    // SAFETY: the plugin keeps its table until `destroy`, and says how long it is.
    let table = unsafe { abi::copy_prefix(made.exporter) };
    let table = table.ok_or_else(|| library.broken("is an exporter, but hands out no table of one"))?;
    let common = Common {
        destroy: table.destroy,
        after_fork_child: table.after_fork_child,
        sample: table.sample,
        extract: table.extract,
        inject: table.inject,
        stats: table.stats,
        health: table.health,
    };
    let instance = Arc::new(Instance::new(library, name, made, common));
    if table.export_batch.is_none() {
        return Err(library.broken("has no function `export_batch`"));
    }
    let exporter = Box::new(LoadedExporter { instance: Arc::clone(&instance), table, is_shut_down: false });
    let takes_part = table.on_start.is_some()
        || common.sample.is_some()
        || common.extract.is_some()
        || common.inject.is_some()
        || common.health.is_some();
    Ok(match takes_part {
        true => Provider::ExporterWith { exporter, companion: Box::new(Companion { instance, table }) },
        false => Provider::Exporter(exporter),
    })
}

impl SpanExporter for LoadedExporter {
    fn export(&mut self, batch: &SpanBatch<'_>) -> Result<(), Error> {
        let Some(export_batch) = self.table.export_batch.filter(|_| !self.is_shut_down) else {
            return Err(Error::new(ErrorKind::Shutdown, "the plugin was shut down"));
        };
        let lend = |part: &&[u8]| Bytes { ptr: part.as_ptr(), len: part.len() };
        let parts: Vec<Bytes> = batch.parts().iter().map(lend).collect();
        let batch = Batch {
            size: size_of::<Batch>(),
            parts: parts.as_ptr(),
            parts_len: parts.len(),
            span_count: batch.span_count() as u64,
        };
        // SAFETY: a function of the plugin with its data; the batch lives during the call.
        self.try_call(|data, error| unsafe { export_batch(data, &raw const batch, error) })
    }

    fn flush(&mut self, deadline: Duration) -> Result<(), Error> {
        match self.table.flush.filter(|_| !self.is_shut_down) {
            // SAFETY: as in `export`.
            Some(flush) => self.try_call(|data, error| unsafe { flush(data, nanos(deadline), error) }),
            None => Ok(()),
        }
    }

    fn on_idle(&mut self) {
        if let Some(on_idle) = self.table.on_idle.filter(|_| !self.is_shut_down) {
            // SAFETY: as in `export`.
            self.instance.call_as(Caller::Recorder, |data| unsafe { on_idle(data) });
        }
    }

    fn panics(&self) -> u32 {
        self.instance.recorder_panics()
    }

    fn shutdown(&mut self, deadline: Duration) -> Result<(), Error> {
        if self.is_shut_down {
            return Ok(());
        }
        let result = match self.table.shutdown {
            // SAFETY: as in `export`.
            Some(shutdown) => self.try_call(|data, error| unsafe { shutdown(data, nanos(deadline), error) }),
            None => self.flush(deadline),
        };
        self.is_shut_down = true;
        // Here and not in `drop`, so that a panic in it is still counted.
        if let Some(instance) = Arc::get_mut(&mut self.instance) {
            instance.destroy(Caller::Recorder);
        }
        result
    }
}

impl LoadedExporter {
    fn try_call(&self, call: impl FnOnce(*mut c_void, *mut abi::Error) -> i32) -> Result<(), Error> {
        self.instance.try_call_as(Caller::Recorder, call)
    }
}

impl TracingProvider for Companion {
    fn start_span(&self, start: &SpanStart<'_>) -> SpanState {
        if let Some(on_start) = self.table.on_start {
            abi::lend_span_start(start, |start| {
                // SAFETY: a function of the plugin with its data; the start lives during the call.
                self.instance.call(|data| unsafe { on_start(data, start) });
            });
        }
        SpanState::none()
    }

    fn end_span(&self, _: SpanState, _: Timestamp) {}

    fn set_span_status(&self, _: &mut SpanState, _: Status<'_>) {}

    fn set_span_name(&self, _: &mut SpanState, _: &str) {}

    fn add_span_attributes(&self, _: &mut SpanState, _: &[Attribute<'_>]) {}

    fn add_span_event(&self, _: &mut SpanState, _: &Event<'_>) {}

    fn add_span_link(&self, _: &mut SpanState, _: &Link<'_>) {}

    fn propagation_fields(&self) -> &[&str] {
        self.instance.fields()
    }

    fn extract_context(&self, carrier: &dyn Carrier) -> Extraction {
        self.instance.extract(carrier)
    }

    fn inject_context(&self, context: &SpanContext, carrier: &mut dyn CarrierMut) -> bool {
        self.instance.inject(context, carrier)
    }

    fn samples(&self) -> bool {
        self.instance.common().sample.is_some()
    }

    fn sample(&self, start: &SpanStart<'_>) -> bool {
        self.instance.sample(start)
    }

    fn health(&self) -> Result<(), Error> {
        self.instance.health()
    }

    fn force_flush(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }

    fn shutdown(&self, _: Duration) -> Result<(), Error> {
        Ok(())
    }

    /// Without the panics that the recorder has counted.
    fn stats(&self) -> Stats {
        let mut stats = self.instance.stats();
        stats.panics = stats.panics.saturating_sub(self.instance.recorder_panics().into());
        stats
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
