use std::ffi::c_void;
use std::time::Duration;

use super::guard::{guard, guard_status};
use super::questions::{self, Answers};
use super::{fields, states};
use crate::abi::{
    Attribute, Context, Error, Event, Found, INSTANCE_RECORDS_NOTHING, Instance, LendContext, Link, OK, ProviderTable,
    STATUS_ERROR, STATUS_OK, SpanStart, Text, UNSUPPORTED, read_attributes, read_context, read_event, read_link,
    read_span_start, read_text,
};
use crate::{SpanContext, SpanState, Status, Timestamp, TracingProvider};

/// What `data` points to.
struct Live {
    provider: Box<dyn TracingProvider>,
    fields: Box<[Text]>,
    table: ProviderTable,
}

impl Answers for Live {
    unsafe fn answers<'a>(data: *const Self) -> Option<&'a dyn TracingProvider> {
        // SAFETY: nothing of an instance is written to before `destroy`.
        Some(unsafe { &*(*data).provider })
    }
}

pub(super) fn instance(provider: Box<dyn TracingProvider>) -> Instance {
    let fields = fields(&*provider);
    let keeps_context = provider.keeps_context();
    let table = ProviderTable {
        size: size_of::<ProviderTable>(),
        start_span: Some(start_span),
        end_span: Some(end_span),
        set_span_status: Some(set_span_status),
        set_span_name: Some(set_span_name),
        add_span_attributes: Some(add_span_attributes),
        add_span_event: Some(add_span_event),
        add_span_link: Some(add_span_link),
        flush: Some(flush),
        shutdown: Some(shutdown),
        destroy: Some(destroy),
        enter_span: keeps_context.then_some(enter_span),
        exit_span: keeps_context.then_some(exit_span),
        enter_unsampled: keeps_context.then_some(enter_unsampled),
        exit_unsampled: keeps_context.then_some(exit_unsampled),
        current_context: keeps_context.then_some(current_context),
        retire: Some(retire),
        after_fork_child: Some(after_fork_child),
        sample: provider.samples().then_some(questions::sample::<Live>),
        extract: (!fields.is_empty()).then_some(questions::extract::<Live>),
        inject: (!fields.is_empty()).then_some(questions::inject::<Live>),
        stats: Some(questions::stats::<Live>),
        health: Some(questions::health::<Live>),
    };
    let data = Box::into_raw(Box::new(Live { provider, fields, table }));
    // SAFETY: made right above.
    let made = unsafe { &*data };
    Instance {
        size: size_of::<Instance>(),
        data: data.cast(),
        exporter: std::ptr::null(),
        provider: &raw const made.table,
        propagation_fields: made.fields.as_ptr(),
        propagation_fields_len: made.fields.len(),
        flags: if made.provider.records() { 0 } else { INSTANCE_RECORDS_NOTHING },
    }
}

unsafe fn provider<'a>(data: *mut c_void) -> &'a dyn TracingProvider {
    // SAFETY: `data` is what `instance` made.
    unsafe { &*(*data.cast::<Live>()).provider }
}

/// Calls `call` with the provider and the span's state.
#[inline]
unsafe fn with_span(data: *mut c_void, span: u64, call: impl FnOnce(&dyn TracingProvider, &mut SpanState)) -> i32 {
    guard_status(|| {
        // SAFETY: the host passes what `start_span` wrote, one call at a time for
        // each span, until `end_span`.
        unsafe { call(provider(data), &mut *state(span)) };
        OK
    })
}

fn state(span: u64) -> *mut SpanState {
    std::ptr::with_exposed_provenance_mut(span as usize)
}

unsafe extern "C" fn start_span(data: *mut c_void, start: *const SpanStart, span: *mut u64) -> i32 {
    guard_status(|| {
        // SAFETY: the host passes what the boundary says.
        unsafe {
            let state = read_span_start(start, |start| provider(data).start_span(start)).unwrap_or_default();
            span.write(Box::into_raw(states::boxed(state)).expose_provenance() as u64);
        }
        OK
    })
}

unsafe extern "C" fn end_span(data: *mut c_void, span: u64, time_ns: u64) -> i32 {
    guard_status(|| {
        // SAFETY: the last call with this span, which `start_span` made.
        unsafe {
            let state = states::unboxed(Box::from_raw(state(span)));
            provider(data).end_span(state, Timestamp::from_unix_nanos(time_ns));
        }
        OK
    })
}

unsafe extern "C" fn set_span_status(data: *mut c_void, span: u64, status: u32, text: Text) -> i32 {
    // SAFETY: the host passes what the boundary says.
    unsafe {
        with_span(data, span, |provider, state| {
            let text = read_text(text);
            provider.set_span_status(
                state,
                match status {
                    STATUS_OK => Status::Ok,
                    STATUS_ERROR => Status::Error(&text),
                    _ => Status::Unset,
                },
            );
        })
    }
}

unsafe extern "C" fn set_span_name(data: *mut c_void, span: u64, name: Text) -> i32 {
    // SAFETY: the host passes what the boundary says.
    unsafe { with_span(data, span, |provider, state| provider.set_span_name(state, &read_text(name))) }
}

unsafe extern "C" fn add_span_attributes(
    data: *mut c_void,
    span: u64,
    attributes: *const Attribute,
    len: usize,
) -> i32 {
    // SAFETY: the host passes what the boundary says.
    unsafe {
        with_span(data, span, |provider, state| {
            read_attributes(attributes, len, |attributes| provider.add_span_attributes(state, attributes));
        })
    }
}

unsafe extern "C" fn add_span_event(data: *mut c_void, span: u64, event: *const Event) -> i32 {
    // SAFETY: the host passes what the boundary says.
    unsafe {
        with_span(data, span, |provider, state| {
            read_event(event, |event| provider.add_span_event(state, event));
        })
    }
}

unsafe extern "C" fn add_span_link(data: *mut c_void, span: u64, link: *const Link) -> i32 {
    // SAFETY: the host passes what the boundary says.
    unsafe {
        with_span(data, span, |provider, state| {
            read_link(link, |link| provider.add_span_link(state, link));
        })
    }
}

unsafe extern "C" fn flush(data: *mut c_void, timeout_ns: u64, error: *mut Error) -> i32 {
    // SAFETY: as for `provider`.
    guard(error, || unsafe { provider(data) }.force_flush(Duration::from_nanos(timeout_ns)))
}

unsafe extern "C" fn shutdown(data: *mut c_void, timeout_ns: u64, error: *mut Error) -> i32 {
    // SAFETY: as for `provider`.
    guard(error, || unsafe { provider(data) }.shutdown(Duration::from_nanos(timeout_ns)))
}

unsafe extern "C" fn destroy(data: *mut c_void) -> i32 {
    guard_status(|| {
        // SAFETY: the last call with this `data`.
        drop(unsafe { Box::from_raw(data.cast::<Live>()) });
        OK
    })
}

unsafe extern "C" fn enter_span(data: *mut c_void, span: u64) -> i32 {
    // SAFETY: as for `with_span`.
    unsafe { with_span(data, span, |provider, state| provider.enter_span(state)) }
}

unsafe extern "C" fn exit_span(data: *mut c_void, span: u64) -> i32 {
    // SAFETY: as for `with_span`.
    unsafe { with_span(data, span, |provider, state| provider.exit_span(state)) }
}

/// Calls `call` with the provider and the context.
unsafe fn with_context(
    data: *mut c_void,
    context: *const Context,
    call: impl FnOnce(&dyn TracingProvider, &SpanContext),
) -> i32 {
    guard_status(|| {
        // SAFETY: the host passes what the boundary says.
        unsafe {
            if let Some(context) = context.as_ref() {
                call(provider(data), &read_context(context));
            }
        }
        OK
    })
}

unsafe extern "C" fn enter_unsampled(data: *mut c_void, context: *const Context) -> i32 {
    // SAFETY: as for `with_context`.
    unsafe { with_context(data, context, |provider, context| provider.enter_unsampled(context)) }
}

unsafe extern "C" fn exit_unsampled(data: *mut c_void, context: *const Context) -> i32 {
    // SAFETY: as for `with_context`.
    unsafe { with_context(data, context, |provider, context| provider.exit_unsampled(context)) }
}

unsafe extern "C" fn current_context(data: *mut c_void, user: *mut c_void, found: Option<Found>) -> i32 {
    guard_status(|| {
        // SAFETY: as for `provider`.
        let context = unsafe { provider(data) }.current_context();
        if let (Some(context), Some(found)) = (context, found) {
            let context = context.lend();
            // SAFETY: the host's function with the host's data.
            unsafe { found(user, &raw const context) };
        }
        OK
    })
}

unsafe extern "C" fn retire(data: *mut c_void) -> i32 {
    guard_status(|| {
        // SAFETY: as for `provider`.
        unsafe { provider(data) }.retire();
        OK
    })
}

unsafe extern "C" fn after_fork_child(data: *mut c_void) -> i32 {
    // SAFETY: as for `provider`.
    guard_status(|| if unsafe { provider(data) }.on_fork() { OK } else { UNSUPPORTED })
}
