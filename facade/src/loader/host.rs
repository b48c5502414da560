//! What a plugin may ask of its host.
#![expect(unsafe_code, reason = "plugins call these functions with pointers")]

use std::cell::Cell;
use std::ffi::c_void;

use spandrel_plugin_api::abi::{ABI_MAJOR, ABI_MINOR, Host, LOG_WARNING, Text, read_line, read_text};
use spandrel_plugin_api::diagnostics::{self, Level};
use spandrel_plugin_api::{panics, suppression};

use crate::clock;

/// The functions for the plugin of this name. What they point to is never freed, as
/// threads of the plugin may call at any time.
pub(super) fn table(plugin: &str) -> Host {
    let name: &'static String = Box::leak(Box::new(plugin.to_owned()));
    Host {
        size: size_of::<Host>(),
        abi_major: ABI_MAJOR,
        abi_minor: ABI_MINOR,
        reserved: 0,
        data: (&raw const *name).cast_mut().cast::<c_void>(),
        version: Text::new(concat!("spandrel ", env!("CARGO_PKG_VERSION"))),
        log: Some(log),
        now_ns: Some(now_ns),
        count: Some(count),
        suppress_tracing: Some(suppress_tracing),
    }
}

/// No panic of the service's own code, a log handler above all, may unwind into a plugin.
fn contained<R: Default>(call: impl FnOnce() -> R) -> R {
    panics::contained(call).unwrap_or_default()
}

unsafe fn plugin<'a>(data: *mut c_void) -> &'a str {
    // SAFETY: `data` is the name that `table` leaked.
    unsafe { &*data.cast::<String>() }
}

unsafe extern "C" fn log(data: *mut c_void, level: u32, message: Text) {
    contained(|| {
        // SAFETY: the plugin passes what it was given, and a text that lives during the call.
        let (plugin, message) = unsafe { (plugin(data), read_line(message)) };
        let level = if level <= LOG_WARNING { Level::Warning } else { Level::Info };
        diagnostics::report(level, &format!("plugin {plugin}: {message}"));
    });
}

unsafe extern "C" fn now_ns(_: *mut c_void) -> u64 {
    contained(|| clock::now().unix_nanos())
}

unsafe extern "C" fn count(data: *mut c_void, name: Text, by: u64) {
    contained(|| {
        // SAFETY: as in `log`.
        let (plugin, name) = unsafe { (plugin(data), read_text(name)) };
        diagnostics::count(&format!("{plugin}.{name}"), by);
    });
}

thread_local! {
    /// How often plugins have switched tracing off on this thread, and not on again.
    static SUPPRESSED: Cell<u32> = const { Cell::new(0) };
}

unsafe extern "C" fn suppress_tracing(_: *mut c_void, on: u32) {
    // Without the thread's memory, as during its destruction, there is nothing to pair.
    let _ = SUPPRESSED.try_with(|suppressed| match (on, suppressed.get()) {
        // What others have switched off is not a plugin's to switch on.
        (0, 0) => {}
        (0, depth) => {
            suppressed.set(depth - 1);
            suppression::leave();
        }
        (_, depth) => {
            suppressed.set(depth + 1);
            std::mem::forget(suppression::enter());
        }
    });
}

/// Takes back what plugins have suppressed on this thread, after a panic between the two calls of a pair.
pub(super) fn resume_tracing() {
    let suppressed = SUPPRESSED.try_with(Cell::take).unwrap_or(0);
    (0..suppressed).for_each(|_| suppression::leave());
}
