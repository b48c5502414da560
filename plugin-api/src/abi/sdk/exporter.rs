use std::ffi::c_void;
use std::mem::offset_of;
use std::time::Duration;

use super::fields;
use super::guard::{guard, guard_status};
use super::questions::{self, Answers};
use crate::abi::read::elements;
use crate::abi::{Batch, Bytes, Error, ExporterTable, Instance, OK, SpanStart, Text, copy_prefix, read_span_start};
use crate::{ErrorKind, SpanBatch, SpanExporter, SpanReader, TracingProvider};

/// What `data` points to. The host calls into `exporter` from one thread at a time,
/// and at the same time into the others from any number, so nothing here makes a
/// `&mut` to the whole.
struct Exporting {
    exporter: Box<dyn SpanExporter>,
    companion: Option<Box<dyn TracingProvider>>,
    fields: Box<[Text]>,
    table: ExporterTable,
}

impl Answers for Exporting {
    unsafe fn answers<'a>(data: *const Self) -> Option<&'a dyn TracingProvider> {
        // SAFETY: the companion alone, which is only ever shared.
        let companion: &Option<Box<dyn TracingProvider>> = unsafe { &(*data).companion };
        companion.as_deref()
    }
}

pub(super) fn instance(exporter: Box<dyn SpanExporter>, companion: Option<Box<dyn TracingProvider>>) -> Instance {
    let mut table = ExporterTable {
        size: size_of::<ExporterTable>(),
        export_batch: Some(export_batch),
        flush: Some(flush),
        shutdown: Some(shutdown),
        destroy: Some(destroy),
        on_idle: Some(on_idle),
        after_fork_child: Some(after_fork_child),
        on_start: None,
        sample: None,
        extract: None,
        inject: None,
        stats: None,
        health: None,
    };
    let fields = companion.as_deref().map(fields).unwrap_or_default();
    if let Some(companion) = companion.as_deref() {
        table.on_start = Some(on_start);
        table.stats = Some(questions::stats::<Exporting>);
        table.health = Some(questions::health::<Exporting>);
        table.sample = companion.samples().then_some(questions::sample::<Exporting>);
        if !fields.is_empty() {
            table.extract = Some(questions::extract::<Exporting>);
            table.inject = Some(questions::inject::<Exporting>);
        }
    }
    let data = Box::into_raw(Box::new(Exporting { exporter, companion, fields, table }));
    // SAFETY: made right above.
    let made = unsafe { &*data };
    Instance {
        size: size_of::<Instance>(),
        data: data.cast(),
        exporter: &raw const made.table,
        provider: std::ptr::null(),
        propagation_fields: made.fields.as_ptr(),
        propagation_fields_len: made.fields.len(),
        flags: 0,
    }
}

/// The exporter alone; the other fields may be in use on other threads.
unsafe fn exporter<'a>(data: *mut c_void) -> &'a mut dyn SpanExporter {
    // SAFETY: `data` is what `instance` made, and the host calls these functions
    // from one thread at a time.
    let exporter: &mut Box<dyn SpanExporter> = unsafe { &mut (*data.cast::<Exporting>()).exporter };
    &mut **exporter
}

unsafe extern "C" fn export_batch(data: *mut c_void, batch: *const Batch, error: *mut Error) -> i32 {
    guard(error, || {
        // SAFETY: the host passes a batch, whose pointers point to what they say.
        unsafe {
            let no_batch = || crate::Error::new(ErrorKind::Malformed, "the host passed no batch");
            let batch = copy_prefix(batch).ok_or_else(no_batch)?;
            let bytes = |part: &Bytes| elements(part.ptr, part.len);
            let parts: Vec<&[u8]> = elements(batch.parts, batch.parts_len).iter().map(bytes).collect();
            let spans = match batch.size >= offset_of!(Batch, span_count) + size_of::<u64>() {
                true => usize::try_from(batch.span_count).unwrap_or(usize::MAX),
                // None would say that there is nothing to export.
                false => SpanReader::new(&parts).filter(Result::is_ok).count(),
            };
            exporter(data).export(&SpanBatch::new(&parts, spans))
        }
    })
}

unsafe extern "C" fn flush(data: *mut c_void, timeout_ns: u64, error: *mut Error) -> i32 {
    // SAFETY: as for `exporter`.
    guard(error, || unsafe { exporter(data) }.flush(Duration::from_nanos(timeout_ns)))
}

unsafe extern "C" fn shutdown(data: *mut c_void, timeout_ns: u64, error: *mut Error) -> i32 {
    // SAFETY: as for `exporter`.
    guard(error, || unsafe { exporter(data) }.shutdown(Duration::from_nanos(timeout_ns)))
}

unsafe extern "C" fn destroy(data: *mut c_void) -> i32 {
    guard_status(|| {
        // SAFETY: the last call with this `data`.
        drop(unsafe { Box::from_raw(data.cast::<Exporting>()) });
        OK
    })
}

unsafe extern "C" fn on_idle(data: *mut c_void) -> i32 {
    guard_status(|| {
        // SAFETY: as for `exporter`.
        unsafe { exporter(data) }.on_idle();
        OK
    })
}

unsafe extern "C" fn after_fork_child(data: *mut c_void) -> i32 {
    guard_status(|| {
        // SAFETY: as for `exporter`.
        unsafe { exporter(data) }.on_fork();
        OK
    })
}

unsafe extern "C" fn on_start(data: *mut c_void, start: *const SpanStart) -> i32 {
    guard_status(|| {
        // SAFETY: only the companion is used, which is shared; the start is what
        // the boundary says.
        unsafe {
            let companion = questions::of::<Exporting>(data);
            read_span_start(start, |start| companion.map(|companion| companion.start_span(start)));
        }
        OK
    })
}
