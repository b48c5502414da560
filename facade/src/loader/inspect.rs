//! What is known of plugins without running them, for the command `spandrel`.

use std::path::{Path, PathBuf};

use spandrel_plugin_api::{Error, ErrorKind};

use super::candidate::Candidate;
use super::metadata::{HOST_ABI, Kind, Metadata};
use super::places::places;
use super::settings::{LoaderSettings, is_path};
use super::{digest, search};
use crate::inspect::Configuration;

/// A plugin that has passed all checks that are possible without running it.
#[derive(Debug)]
#[expect(missing_docs, reason = "the keys of the metadata, `docs/plugins/abi.md`")]
pub struct FoundPlugin {
    /// Without symbolic links.
    pub path: PathBuf,
    pub name: String,
    pub version: String,
    /// `exporter` or `provider`.
    pub kind: &'static str,
    pub abi: (u16, u16),
    pub abi_min: (u16, u16),
    pub target: Option<String>,
    pub vendor: Option<String>,
    pub license: Option<String>,
    pub description: Option<String>,
    pub panic_aborts: bool,
    pub debug_build: bool,
    /// Of the file, as `sha256sum` prints it.
    pub sha256: String,
    pub bytes: u64,
    /// What the configuration pins it to, if anything.
    pub pinned: Option<String>,
}

/// A directory that may have plugins.
#[derive(Debug)]
pub struct PluginPlace {
    /// What names it; empty for those that are always the same.
    pub origin: &'static str,
    /// Where it is, or why there is none.
    pub dir: Result<PathBuf, &'static str>,
}

impl Configuration {
    /// The version of the plugin boundary that this program speaks.
    #[must_use]
    pub fn plugin_abi() -> (u16, u16) {
        HOST_ABI
    }

    /// Where plugins are searched, in this order.
    #[must_use]
    pub fn plugin_places(&self) -> Vec<PluginPlace> {
        places(self.loader()).into_iter().map(|place| PluginPlace { origin: place.origin, dir: place.dir }).collect()
    }

    /// The file name of a plugin's library on this platform.
    #[must_use]
    pub fn plugin_library(name: &str) -> String {
        search::library_name(name)
    }

    /// The names of all plugins that are there, without looking into their files.
    #[must_use]
    pub fn plugin_names(&self) -> Vec<String> {
        search::available(self.loader())
    }

    /// Checks a plugin by its name or its absolute path, without running it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or where it was searched.
    pub fn plugin(&self, name: &str) -> Result<FoundPlugin, Error> {
        let settings = self.loader();
        let word = settings.provider_of(name);
        let candidate = search::find(word, settings)?;
        let own = if is_path(word) { candidate.metadata.name.clone() } else { word.to_owned() };
        let pinned = settings.named.get(&own).and_then(|named| named.sha256).map(|pin| digest::to_hex(&pin));
        found(candidate, pinned)
    }

    /// Checks the library at this absolute path as a plugin of any name, whatever the
    /// configuration says of plugins.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn plugin_file(path: &Path) -> Result<FoundPlugin, Error> {
        found(search::at(path, &LoaderSettings::default(), None)?, None)
    }

    const fn loader(&self) -> &LoaderSettings {
        &self.settings.loader
    }
}

fn found(candidate: Candidate, pinned: Option<String>) -> Result<FoundPlugin, Error> {
    let Candidate { path, metadata, .. } = candidate;
    let bytes = std::fs::read(&path).map_err(|error| {
        Error::new(ErrorKind::Io, "cannot read the plugin file")
            .with_context("path", path.display().to_string())
            .with_source(error)
    })?;
    let Metadata { abi, abi_min_minor, name, version, kind, panic_aborts, debug_build, .. } = metadata;
    Ok(FoundPlugin {
        name,
        version,
        kind: match kind {
            Kind::Exporter => "exporter",
            Kind::Provider => "provider",
        },
        abi,
        abi_min: (abi.0, abi_min_minor),
        target: metadata.target,
        vendor: metadata.vendor,
        license: metadata.license,
        description: metadata.description,
        panic_aborts,
        debug_build,
        sha256: digest::to_hex(&digest::of(&bytes)),
        bytes: bytes.len() as u64,
        pinned,
        path,
    })
}
