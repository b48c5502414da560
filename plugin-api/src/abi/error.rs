use std::ffi::c_void;
use std::mem::offset_of;

use super::read::{copy_prefix, elements, read_text};
use super::types::{ContextEntry, Error, Text};
use super::{
    CONFIG_INVALID, INTERNAL, IO, MALFORMED, OK, PANICKED, SHUT_DOWN, SPANS_LOST, TIMEOUT, UNAVAILABLE, UNSUPPORTED,
};
use crate::{ErrorKind, panics};

/// The status that stands for this kind of error.
#[must_use]
pub const fn status_of(kind: ErrorKind) -> i32 {
    match kind {
        ErrorKind::ConfigInvalid => CONFIG_INVALID,
        ErrorKind::Unsupported => UNSUPPORTED,
        ErrorKind::Unavailable => UNAVAILABLE,
        ErrorKind::Timeout => TIMEOUT,
        ErrorKind::Shutdown => SHUT_DOWN,
        ErrorKind::SpansLost => SPANS_LOST,
        ErrorKind::Panicked => PANICKED,
        ErrorKind::Io => IO,
        ErrorKind::Malformed => MALFORMED,
        _ => INTERNAL,
    }
}

const fn kind_of(status: i32) -> ErrorKind {
    match status {
        CONFIG_INVALID => ErrorKind::ConfigInvalid,
        UNSUPPORTED => ErrorKind::Unsupported,
        UNAVAILABLE => ErrorKind::Unavailable,
        TIMEOUT => ErrorKind::Timeout,
        SHUT_DOWN => ErrorKind::Shutdown,
        SPANS_LOST => ErrorKind::SpansLost,
        PANICKED => ErrorKind::Panicked,
        IO => ErrorKind::Io,
        MALFORMED => ErrorKind::Malformed,
        _ => ErrorKind::Internal,
    }
}

/// What the texts of a filled error point to.
struct Owned {
    error: crate::Error,
    cause: String,
    context: Vec<ContextEntry>,
}

/// Fills the caller's error, as much of it as there is room for; does nothing if the
/// caller knows no `release`, as the texts would never be freed.
///
/// # Safety
///
/// `out` is null, or points to as many writable bytes as its field `size` says.
pub unsafe fn fill_error(out: *mut Error, error: crate::Error) {
    // SAFETY: as the caller promises.
    let room = unsafe { copy_prefix(out) }.map_or(0, |error| error.size);
    if room < offset_of!(Error, private_data) + size_of::<*mut c_void>() {
        return;
    }
    let cause = error.source_text();
    let mut owned = Box::new(Owned { error, cause, context: Vec::new() });
    let entry = |(key, value): (&str, &str)| ContextEntry { key: Text::new(key), value: Text::new(value) };
    owned.context = owned.error.contexts().map(entry).collect();
    let size = room.min(size_of::<Error>());
    let filled = Error {
        size,
        message: Text::new(owned.error.message()),
        cause: Text::new(&owned.cause),
        context: owned.context.as_ptr(),
        context_len: owned.context.len(),
        release: Some(release),
        private_data: Box::into_raw(owned).cast::<c_void>(),
    };
    // SAFETY: there is room for so many bytes.
    unsafe { std::ptr::copy_nonoverlapping((&raw const filled).cast::<u8>(), out.cast::<u8>(), size) };
}

unsafe extern "C" fn release(error: *mut Error) {
    // SAFETY: `private_data` is the box that `fill_error` made; the host calls this once,
    // and the pointer is cleared in case it does not.
    unsafe {
        let data = std::mem::replace(&mut (*error).private_data, std::ptr::null_mut());
        let owned = (!data.is_null()).then(|| Box::from_raw(data.cast::<Owned>()));
        // The cause is a type of the provider, whose destructor may panic.
        panics::contained(|| drop(owned));
    }
}

/// The result that a status and an error stand for; the error is released.
///
/// # Errors
///
/// The error, if the status is not [`OK`].
///
/// # Safety
///
/// The error was [`Error::EMPTY`] before it was passed to the function that returned the status.
pub unsafe fn take_error(status: i32, mut error: Error) -> Result<(), crate::Error> {
    let result = match status {
        OK => Ok(()),
        // SAFETY: a function that returns another status has filled the error, or left it empty.
        status => Err(unsafe { read_error(status, &error) }),
    };
    if let Some(release) = error.release {
        // SAFETY: called once, after the last use of what it frees.
        unsafe { release(&raw mut error) };
    }
    result
}

unsafe fn read_error(status: i32, error: &Error) -> crate::Error {
    // SAFETY: as the caller promises.
    unsafe {
        let message = match read_line(error.message) {
            text if text.is_empty() => format!("the plugin answered with status {status} and without a text"),
            text => text,
        };
        let mut read = crate::Error::new(kind_of(status), message);
        for entry in elements(error.context, error.context_len) {
            read = read.with_context(read_line(entry.key), read_line(entry.value));
        }
        match read_line(error.cause) {
            cause if cause.is_empty() => read,
            cause => read.with_source(cause),
        }
    }
}

/// A text as one line without control characters, for logs and terminals.
///
/// # Safety
///
/// As for [`read_text`].
#[must_use]
pub unsafe fn read_line(text: Text) -> String {
    // SAFETY: as the caller promises.
    let text = unsafe { read_text(text) };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
