//! What both kinds of instances may be asked, from any number of threads at once.

use std::ffi::c_void;

use super::guard::{guard, guard_status};
use crate::abi::{
    Carrier, CarrierMut, Context, Error, Found, LendContext, OK, SAMPLE_DROP, SAMPLE_NO_OPINION, SpanStart, Stats,
    Text, UNSUPPORTED, copy_prefix, read_context, read_span_start, read_text,
};
use crate::{Extraction, TracingProvider};

/// An instance with somebody who answers.
pub(super) trait Answers {
    /// # Safety
    ///
    /// `data` is an instance that was not destroyed.
    unsafe fn answers<'a>(data: *const Self) -> Option<&'a dyn TracingProvider>;
}

pub(super) unsafe fn of<'a, T: Answers>(data: *mut c_void) -> Option<&'a dyn TracingProvider> {
    // SAFETY: the host passes what `create` handed out, until `destroy`.
    unsafe { T::answers(data.cast()) }
}

pub(super) unsafe extern "C" fn sample<T: Answers>(
    data: *mut c_void,
    start: *const SpanStart,
    decision: *mut u32,
) -> i32 {
    guard_status(|| {
        // SAFETY: the host passes what the boundary says.
        unsafe {
            let provider = of::<T>(data);
            let wanted = read_span_start(start, |start| provider.is_none_or(|provider| provider.sample(start)));
            decision.write(if wanted == Some(false) { SAMPLE_DROP } else { SAMPLE_NO_OPINION });
        }
        OK
    })
}

pub(super) unsafe extern "C" fn extract<T: Answers>(
    data: *mut c_void,
    carrier: *const Carrier,
    user: *mut c_void,
    found: Option<Found>,
) -> i32 {
    guard_status(|| {
        // SAFETY: the host passes what the boundary says.
        let (Some(provider), Some(carrier)) = (unsafe { (of::<T>(data), copy_prefix(carrier)) }) else {
            return UNSUPPORTED;
        };
        match provider.extract_context(&carrier) {
            Extraction::UseConfigured => UNSUPPORTED,
            Extraction::Nothing => OK,
            Extraction::Context(context) => {
                if let Some(found) = found {
                    let context = context.lend();
                    // SAFETY: the host's function with the host's data.
                    unsafe { found(user, &raw const context) };
                }
                OK
            }
        }
    })
}

pub(super) unsafe extern "C" fn inject<T: Answers>(
    data: *mut c_void,
    context: *const Context,
    carrier: *const CarrierMut,
) -> i32 {
    guard_status(|| {
        // SAFETY: the host passes what the boundary says.
        let asked = unsafe { (of::<T>(data), context.as_ref(), copy_prefix(carrier)) };
        let (Some(provider), Some(context), Some(mut carrier)) = asked else { return UNSUPPORTED };
        // SAFETY: as above.
        let context = unsafe { read_context(context) };
        if provider.inject_context(&context, &mut carrier) { OK } else { UNSUPPORTED }
    })
}

pub(super) unsafe extern "C" fn stats<T: Answers>(data: *mut c_void, out: *mut Stats) -> i32 {
    guard_status(|| {
        // SAFETY: the host passes what the boundary says.
        unsafe {
            let Some(provider) = of::<T>(data) else { return UNSUPPORTED };
            let stats = provider.stats();
            let branch = stats.branches.into_iter().next().unwrap_or_default();
            let size = (*out).size.min(size_of::<Stats>());
            let counted = Stats {
                size,
                recorded: stats.recorded,
                exported: branch.exported,
                pending: branch.pending,
                dropped_queue_full: branch.dropped.queue_full,
                dropped_too_large: branch.dropped.too_large,
                dropped_export_failed: branch.dropped.export_failed,
                dropped_panicked: branch.dropped.panicked,
                dropped_after_shutdown: branch.dropped.after_shutdown,
                dropped_forked: branch.dropped.forked,
                panics: stats.panics,
            };
            std::ptr::copy_nonoverlapping((&raw const counted).cast::<u8>(), out.cast::<u8>(), size);
        }
        OK
    })
}

pub(super) unsafe extern "C" fn health<T: Answers>(data: *mut c_void, error: *mut Error) -> i32 {
    // SAFETY: the host passes what the boundary says.
    guard(error, || unsafe { of::<T>(data) }.map_or(Ok(()), TracingProvider::health))
}

impl crate::Carrier for Carrier {
    fn for_each_value(&self, name: &str, each: &mut dyn FnMut(&str)) {
        unsafe extern "C" fn forward(user: *mut c_void, value: Text) {
            // SAFETY: `user` is the pointer that was passed along, valid during that call.
            unsafe { (*user.cast::<&mut dyn FnMut(&str)>())(&read_text(value)) };
        }
        if let Some(for_each_value) = self.for_each_value {
            let mut each = each;
            // SAFETY: the host's function with the host's data; `each` lives during the call.
            unsafe { for_each_value(self.data, Text::new(name), (&raw mut each).cast(), Some(forward)) };
        }
    }
}

impl crate::CarrierMut for CarrierMut {
    fn set(&mut self, name: &'static str, value: &str) {
        if let Some(set) = self.set {
            // SAFETY: the host's function with the host's data; the texts live during the call.
            unsafe { set(self.data, Text::new(name), Text::new(value)) };
        }
    }

    fn remove(&mut self, name: &'static str) {
        if let Some(remove) = self.remove {
            // SAFETY: as above.
            unsafe { remove(self.data, Text::new(name)) };
        }
    }
}
