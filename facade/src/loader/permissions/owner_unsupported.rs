use std::fs::Metadata;
use std::path::Path;

use spandrel_plugin_api::Error;

use super::super::settings::LoaderSettings;

/// There are no owners and modes to look at.
pub(super) fn check(_: &Path, _: &str, _: &Metadata, _: &LoaderSettings) -> Result<(), Error> {
    Ok(())
}
