//! What file and environment say about plugins, in a program that cannot load any.

use spandrel_plugin_api::config::Reader;
use spandrel_plugin_api::{Error, ErrorKind};

use super::Origin;
use super::environment::Environment;
use crate::setup::Settings;

const MISSING: &str =
    "this program was built without the feature `dylib` of the crate `spandrel`; build it with the feature";

/// Refuses the keys about plugins, but for one that asks for none.
pub(super) fn read(
    table: &mut Reader<'_>,
    _: Origin,
    _: &dyn Fn(&str) -> String,
    _: &mut Settings,
) -> Result<(), Error> {
    // What it asks for is so.
    let none = table.boolean("allow_plugins")? == Some(false);
    for key in ["allow_plugins", "plugin_dirs", "plugin_allowed_dirs", "plugin_trusted_owners", "plugin"] {
        if table.value(key).is_some() && !(none && key == "allow_plugins") {
            return Err(table.error(key, format!("`{key}` means nothing here: {MISSING}, or remove the key")));
        }
    }
    Ok(())
}

/// Refuses the variables that name a plugin. The others are no request for one:
/// operators set them for all services alike.
pub(super) fn apply_environment(environment: &Environment<'_>, _: &mut Settings) -> Result<(), Error> {
    match environment.with_prefix(PREFIX).next() {
        None => Ok(()),
        Some((variable, _)) => {
            let message =
                format!("the environment variable {variable} means nothing here: {MISSING}, or unset the variable");
            Err(Error::new(ErrorKind::ConfigInvalid, message))
        }
    }
}

/// `TRACING_PLUGIN__<NAME>__FILE`, `__PROVIDER` and `__SHA256`.
pub(super) const PREFIX: &str = "TRACING_PLUGIN__";

/// Sets the providers.
pub(super) fn set_types(names: Vec<String>, _: Origin, _: &str, settings: &mut Settings) {
    settings.types = names;
}

/// Nothing is left out here.
pub(super) fn report_ignored(_: &Settings) {}
