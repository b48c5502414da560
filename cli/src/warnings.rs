//! What the facade warns of, kept to be told in order.

use std::sync::{Mutex, PoisonError};

use spandrel::diagnostics::{Level, set_handler};

static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// From now on warnings are kept.
pub(crate) fn keep() {
    set_handler(Box::new(|level, text| match level {
        Level::Warning => KEPT.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned()),
        // Asked for with SPANDREL_LOADER_DEBUG.
        _ => eprintln!("{text}"),
    }));
}

/// The warnings since the last call.
pub(crate) fn take() -> Vec<String> {
    std::mem::take(&mut KEPT.lock().unwrap_or_else(PoisonError::into_inner))
}
