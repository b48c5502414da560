//! No panic leaves the plugin, and what it has to say reaches the host's log.

use std::any::Any;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::OnceLock;

use crate::abi::{
    Error, Host, LOG_ERROR, LOG_INFO, LOG_WARNING, OK, PANICKED, Text, copy_prefix, fill_error, status_of,
};
use crate::diagnostics::{self, Level};
use crate::{Error as RustError, ErrorKind, panics};

static HOST: OnceLock<Host> = OnceLock::new();

/// The functions of the host, once the first instance is being created.
#[must_use]
pub fn host() -> Option<&'static Host> {
    HOST.get()
}

/// Sends panics and messages of this library to the host's log, from the first call on.
pub(super) unsafe fn install(host: *const Host) {
    if HOST.get().is_some() {
        return;
    }
    // SAFETY: the host passes its table, which lives as long as the process.
    let Some(host) = (unsafe { copy_prefix(host) }) else { return };
    if HOST.set(host).is_err() || host.log.is_none() {
        return;
    }
    // This library has its own copy of the standard library, so its hook is not
    // that of the service.
    std::panic::set_hook(Box::new(|info| log(LOG_ERROR, &describe(info))));
    diagnostics::set_handler(Box::new(|level, message| match level {
        Level::Warning => log(LOG_WARNING, message),
        Level::Info => log(LOG_INFO, message),
    }));
    diagnostics::set_counter(|name, by| {
        if let Some(Host { count: Some(count), data, .. }) = HOST.get() {
            // SAFETY: the host's function with the host's data; the text lives during the call.
            unsafe { count(*data, Text::new(name), by) };
        }
    });
}

fn log(level: u32, message: &str) {
    if let Some(Host { log: Some(log), data, .. }) = HOST.get() {
        // SAFETY: as above.
        unsafe { log(*data, level, Text::new(message)) };
    }
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    format!("panicked at {place}: {}", text(info.payload()))
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text")
}

/// Calls `call`; its error, or a panic in it, is told to the caller.
pub(super) fn guard(error: *mut Error, call: impl FnOnce() -> Result<(), RustError>) -> i32 {
    let failure = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => return OK,
        Ok(Err(failure)) => failure,
        Err(payload) => {
            let failure = RustError::new(ErrorKind::Panicked, format!("the plugin panicked: {}", text(&*payload)));
            panics::discard(payload);
            failure
        }
    };
    let status = status_of(failure.kind());
    guard_status(|| {
        // The text of a cause is made by code of the provider.
        // SAFETY: the host passes an empty error, or null.
        unsafe { fill_error(error, failure) };
        status
    })
}

/// Calls `call`, which cannot fail but panic.
#[inline]
pub(super) fn guard_status(call: impl FnOnce() -> i32) -> i32 {
    panics::contained(call).unwrap_or(PANICKED)
}
