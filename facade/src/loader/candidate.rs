use std::path::{Path, PathBuf};

use spandrel_plugin_api::diagnostics::{Level, report};
use spandrel_plugin_api::{Error, ErrorKind};

use super::digest::{self, Digest};
use super::metadata::Metadata;
use super::settings::LoaderSettings;
use super::{object, permissions, search, trace, verified};

/// A library that passed all checks that are possible without running it.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// Without symbolic links.
    pub(crate) path: PathBuf,
    pub(crate) metadata: Metadata,
    open_path: PathBuf,
}

/// What a library must be, and who says so.
#[derive(Debug)]
pub(super) struct Pin {
    pub(super) digest: Digest,
    pub(super) origin: String,
}

impl Candidate {
    /// The path to open it by: its own, or that of the verified copy if it is pinned.
    pub(crate) fn open_path(&self) -> PathBuf {
        self.open_path.clone()
    }

    /// Checks a file; with a name, it must be the plugin of that name.
    pub(super) fn check(
        path: &Path,
        name: Option<&str>,
        pins: &[Pin],
        settings: &LoaderSettings,
    ) -> Result<Self, Error> {
        let checked = Self::checked(path, name, pins, settings).map_err(|error| {
            // Links were followed: it is told which path led to the file.
            let given = path.display().to_string();
            if error.context("path").is_some_and(|found| found != given) {
                return error.with_context("reached by", given);
            }
            error
        });
        match &checked {
            Ok(candidate) => trace::note(|| {
                let Metadata { name, version, abi, target, debug_build, .. } = &candidate.metadata;
                let build = if *debug_build { ", a debug build" } else { "" };
                let target = target.as_deref().unwrap_or("unknown");
                let shown = candidate.path.display();
                format!("{shown}: provider {name} {version}, ABI {}.{}, target {target}{build}", abi.0, abi.1)
            }),
            Err(error) => trace::note(|| format!("{}: refused: {error}", path.display())),
        }
        checked
    }

    fn checked(path: &Path, name: Option<&str>, pins: &[Pin], settings: &LoaderSettings) -> Result<Self, Error> {
        let opened = permissions::open(path, "plugin file", settings)?;
        let path = opened.path.clone();
        let bytes = opened.read()?;
        let digest = if pins.is_empty() { None } else { Some(digest::of(&bytes)) };
        if let Some((pin, found)) = digest.and_then(|found| Some((pins.iter().find(|pin| pin.digest != found)?, found)))
        {
            return Err(differs(pin, &found, &path));
        }
        let section = object::metadata_section(&bytes, &path)?;
        trace::note(|| format!("{}: it is intact, for this platform, and has metadata", path.display()));
        let metadata = Metadata::parse(section, &path)?;
        metadata.check_abi(&path)?;
        metadata.check_c_library(&path)?;
        if let Some(name) = name.filter(|name| *name != metadata.name) {
            return Err(misnamed(name, &metadata.name, &path));
        }
        if metadata.panic_aborts {
            let message = format!(
                "a panic in the plugin {} ({}) will end this process, because it was built with panic = \"abort\"; \
                 build it with panic = \"unwind\"",
                metadata.name,
                path.display()
            );
            report(Level::Warning, &message);
        }
        let open_path = match digest {
            Some(digest) => verified::keep(&bytes, &digest, &path)?,
            None => path.clone(),
        };
        Ok(Self { path, metadata, open_path })
    }
}

fn differs(pin: &Pin, found: &Digest, path: &Path) -> Error {
    let shown = path.display();
    let remedy = format!("compare `sha256sum {shown}` with what its vendor says, then install it anew or set `sha256`");
    Error::new(ErrorKind::Malformed, "the plugin file is not the one whose SHA-256 is pinned")
        .with_context("path", shown.to_string())
        .with_context("pinned", format!("{} in {}", digest::to_hex(&pin.digest), pin.origin))
        .with_context("found", digest::to_hex(found))
        .with_context("remedy", remedy)
}

fn misnamed(name: &str, own: &str, path: &Path) -> Error {
    let message = format!("the plugin found as `{name}` calls itself `{own}`");
    let remedy = format!("install it as {} or as {own}.toml", search::library_name(own));
    Error::new(ErrorKind::ConfigInvalid, message)
        .with_context("path", path.display().to_string())
        .with_context("remedy", remedy)
}
