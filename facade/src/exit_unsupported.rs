//! In place of `exit.rs` where nobody has tried its hooks.

use std::time::Duration;

use spandrel_plugin_api::{Error, ErrorKind};

pub(crate) fn install(_: Duration) -> Result<(), Error> {
    let message =
        "flush_on_signals is not supported on this platform; switch it off and call `shutdown` before the end";
    Err(Error::new(ErrorKind::Unsupported, message))
}
