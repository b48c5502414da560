//! In place of `exit.rs` where nobody has tried its hooks.

use std::time::Duration;

use spandrel_plugin_api::{Error, ErrorKind};

pub(crate) struct Wanted {
    pub(crate) flush: bool,
    pub(crate) timeout: Duration,
    pub(crate) reload: bool,
}

pub(crate) fn install(wanted: Wanted) -> Result<(), Error> {
    let Wanted { flush, reload, timeout: _ } = wanted;
    if !flush && !reload {
        return Ok(());
    }
    let message = "flush_on_signals and reload_on_sighup are not supported on this platform; switch them off, and \
                   call `shutdown` before the end";
    Err(Error::new(ErrorKind::Unsupported, message))
}
