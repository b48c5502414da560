//! The installed tracer: the one global.
#![expect(unsafe_code, reason = "the active tracer is one atomic pointer")]

use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use spandrel_plugin_api::suppression;

use crate::context;
use crate::setup::Builder;
use crate::tracer::{Core, Tracer};

/// Null before installation, after `disable()` and after shutdown.
static ACTIVE: AtomicPtr<Core> = AtomicPtr::new(std::ptr::null_mut());

static INSTALLED: Mutex<Installed> =
    Mutex::new(Installed { current: None, all: Vec::new(), builder: None, is_shut_down: false });

/// What was installed, so that it can be found again; never freed.
#[derive(Default)]
pub(crate) struct Installed {
    /// The one that `enable()` activates.
    pub(crate) current: Option<Tracer>,
    /// All that may still have spans.
    pub(crate) all: Vec<Tracer>,
    /// What `reload()` and `set_provider()` build again.
    pub(crate) builder: Option<Builder>,
    /// For good.
    pub(crate) is_shut_down: bool,
}

/// The tracer for a call on this thread, if tracing is on here.
#[inline]
pub(crate) fn active() -> Option<&'static Core> {
    let tracer = context::override_tracer().or_else(installed_and_enabled)?;
    // Inside a provider tracing does nothing.
    (!suppression::is_active()).then_some(tracer)
}

#[inline]
pub(crate) fn installed_and_enabled() -> Option<&'static Core> {
    let active = ACTIVE.load(Ordering::Acquire);
    // SAFETY: `activate` stores null or a pointer from a `&'static Core`, which is
    // never freed; Acquire pairs with its Release.
    unsafe { active.as_ref() }
}

/// Makes this the tracer for all calls to come, or none.
pub(crate) fn activate(tracer: Option<Tracer>) {
    let pointer = tracer.map_or(std::ptr::null_mut(), |tracer| std::ptr::from_ref(tracer.0).cast_mut());
    ACTIVE.store(pointer, Ordering::Release);
}

pub(crate) fn is_active() -> bool {
    !ACTIVE.load(Ordering::Relaxed).is_null()
}

/// What was installed. Held for short, and never while a provider is called.
pub(crate) fn installed() -> MutexGuard<'static, Installed> {
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner)
}
