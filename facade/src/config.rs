//! File and environment, read once, into settings that cannot hold nonsense.
//!
//! Order: defaults < file < environment < builder code.

mod aliases;
mod environment;
mod exporters;
mod file;
mod otlp;
#[cfg(feature = "dylib")]
mod plugins;
#[cfg(not(feature = "dylib"))]
#[path = "config/plugins_unsupported.rs"]
mod plugins;
#[cfg(all(test, feature = "dylib"))]
mod rows;
mod sampler;
mod tables;

use std::path::PathBuf;

use spandrel_plugin_api::{Error, ErrorKind};

use crate::setup::Settings;
pub(crate) use aliases::{Endpoint, place_endpoint};
#[cfg(feature = "dylib")]
pub(crate) use file::locate;
pub(crate) use tables::{ProviderTables, SectionTables};

/// Where the configuration comes from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    /// Below everything else.
    pub(crate) defaults: Option<String>,
    pub(crate) file: FileSource,
    pub(crate) environment: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) enum FileSource {
    #[default]
    None,
    /// `SPANDREL_CONFIG`, or `spandrel.toml` if it is there.
    Standard,
    Path(PathBuf),
}

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The program: in its code, or in a file that its code names.
    Program,
    /// Who started it: in the environment, in a file named there, or in one in
    /// the working directory.
    Starter,
}

impl Source {
    /// Writes what file and environment say into the settings.
    pub(crate) fn apply(&self, settings: &mut Settings) -> Result<(), Error> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let Some(text) = &self.defaults {
            file::apply(text, "defaults of the program", Origin::Program, &variable, settings)?;
        }
        match &self.file {
            FileSource::None => {}
            FileSource::Path(path) => apply_file(path, Origin::Program, &variable, settings)?,
            FileSource::Standard => match variable("SPANDREL_CONFIG") {
                Some(path) => apply_file(&PathBuf::from(path), Origin::Starter, &variable, settings)?,
                None => {
                    let path = PathBuf::from("spandrel.toml");
                    if path.exists() {
                        apply_file(&path, Origin::Starter, &variable, settings)?;
                    }
                }
            },
        }
        if self.environment {
            // What is not UTF-8 is none of ours, and `vars` would panic at it.
            let texts = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
            environment::apply(&texts.collect::<Vec<_>>(), settings)?;
        }
        plugins::report_ignored(settings);
        if settings.recorder.spool.as_ref().is_some_and(|spool| spool.dir.as_os_str().is_empty()) {
            let text = "`[spool]` has no `dir`; name a folder there or in TRACING_SPOOL_DIR";
            return Err(Error::new(ErrorKind::ConfigInvalid, text));
        }
        Ok(())
    }
}

/// The value of an environment variable, if it is set and not empty.
type Variable<'a> = dyn Fn(&str) -> Option<String> + 'a;

fn apply_file(path: &PathBuf, origin: Origin, variable: &Variable<'_>, settings: &mut Settings) -> Result<(), Error> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(ErrorKind::Io, "cannot read the configuration file")
            .with_context("path", path.display().to_string())
            .with_context("remedy", "set SPANDREL_CONFIG to a readable file, or unset it")
            .with_source(error)
    })?;
    file::apply(&text, &path.display().to_string(), origin, variable, settings)
}

/// A setting that is not given stays as it is.
fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}
