//! From a name to a file.
//!
//! Never in the working directory and never by the system's own search for
//! libraries: both are places where others may put files.

use std::io;
use std::path::{Path, PathBuf};

use spandrel_plugin_api::suggest::nearest;
use spandrel_plugin_api::{Error, ErrorKind};

use super::candidate::{Candidate, Pin};
use super::digest::Digest;
use super::manifest::Manifest;
use super::places::{Place, places};
use super::settings::{LoaderSettings, absolute, is_name, is_path};
use super::trace;

/// Finds and checks the plugin with this name.
///
/// # Errors
///
/// [`ErrorKind::ProviderNotFound`], with every place and why it is not there, in the
/// context `searched`. A plugin that is there but cannot be used is an error too:
/// the next place may have an older one.
pub(crate) fn find(name: &str, settings: &LoaderSettings) -> Result<Candidate, Error> {
    find_in(name, settings, &places(settings))
}

/// Checks the plugin at this absolute path.
///
/// # Errors
///
/// Those of [`find`]; [`ErrorKind::ConfigInvalid`] for a relative path.
pub(crate) fn at(path: &Path, settings: &LoaderSettings, pin: Option<Digest>) -> Result<Candidate, Error> {
    check_possible(IS_STATIC_MUSL, settings)?;
    if !path.is_absolute() {
        let message = format!("a plugin is named by its absolute path, not by `{}`", path.display());
        let absolute = absolute(path).map(|absolute| absolute.display().to_string());
        // Of a bare file name, the name may be what was meant.
        let name = path.to_str().and_then(name_of_library).map(|name| format!("`{name}`, which is searched"));
        let meant: Vec<String> = absolute.into_iter().chain(name).collect();
        let error = Error::new(ErrorKind::ConfigInvalid, message);
        return Err(match meant.is_empty() {
            true => error,
            false => error.with_context("remedy", format!("write {}", meant.join(", or "))),
        });
    }
    Candidate::check(path, None, &pins(pin, "the configuration"), settings)
}

/// The names of all plugins that are there, without looking into their files.
pub(crate) fn available(settings: &LoaderSettings) -> Vec<String> {
    available_in(settings, &places(settings))
}

/// The file name of a plugin's library on this platform.
pub(super) fn library_name(name: &str) -> String {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    format!("{DLL_PREFIX}spandrel_{name}{DLL_SUFFIX}")
}

/// The name in such a file name.
fn name_of_library(file: &str) -> Option<&str> {
    let (before, after) = (library_name(""), std::env::consts::DLL_SUFFIX);
    let before = before.trim_end_matches(after);
    file.strip_prefix(before)?.strip_suffix(after).filter(|name| is_name(name))
}

const IS_STATIC_MUSL: bool = cfg!(all(target_env = "musl", target_feature = "crt-static"));

fn check_possible(is_static_musl: bool, settings: &LoaderSettings) -> Result<(), Error> {
    if let Some(place) = &settings.switched_off {
        return Err(Error::new(ErrorKind::Unsupported, "plugins are switched off by allow_plugins = false")
            .with_context("at", place.as_str())
            .with_context("remedy", "remove the setting, or link the provider into the program"));
    }
    if is_static_musl {
        let message = "this program cannot load plugins, because it is linked statically with musl";
        return Err(Error::new(ErrorKind::Unsupported, message).with_context(
            "remedy",
            "link the provider into the program, or build it with RUSTFLAGS=\"-C target-feature=-crt-static\"",
        ));
    }
    Ok(())
}

fn find_in(name: &str, settings: &LoaderSettings, places: &[Place]) -> Result<Candidate, Error> {
    if is_path(name) {
        let candidate = at(Path::new(name), settings, None)?;
        // The path says where, and the table of its name still what it must be.
        let own = &candidate.metadata.name;
        return match settings.named.get(own).and_then(|named| named.sha256) {
            None => Ok(candidate),
            pin => {
                let pins = pins(pin, &format!("[plugin.{own}] of the configuration"));
                Candidate::check(Path::new(name), None, &pins, settings)
            }
        };
    }
    let named = settings.named.get(name);
    if let Err(error) = check_possible(IS_STATIC_MUSL, settings) {
        // Without a path it may as well be a misspelt name of a linked provider.
        let is_certain = named.is_some_and(|named| named.file.is_some());
        return Err(if is_certain { error } else { nowhere(name, &error) });
    }
    if !is_name(name) {
        let message = format!("the name of a plugin may have a-z, 0-9, `_` and `-` only, not `{name}`");
        let error = Error::new(ErrorKind::ConfigInvalid, message);
        return Err(nowhere(name, &error.with_context("remedy", "correct the name, or write an absolute path")));
    }
    let pin = named.and_then(|named| named.sha256);
    let pins = |own| pins(own, &format!("[plugin.{name}] of the configuration"));
    if let Some(file) = named.and_then(|named| named.file.as_deref()) {
        trace::note(|| format!("{name}: [plugin.{name}] names {}", file.display()));
        return Candidate::check(file, None, &pins(pin), settings);
    }
    let mut searched = Vec::new();
    for place in places {
        match look(name, place) {
            Found::Manifest(path) => {
                trace::note(|| format!("{name}: found {}", path.display()));
                let manifest = Manifest::read(&path, name, settings)?;
                let mut pins = pins(pin);
                pins.extend(manifest.sha256.map(|digest| Pin { digest, origin: path.display().to_string() }));
                let checked = Candidate::check(&manifest.library, Some(name), &pins, settings);
                return checked.map_err(|error| error.with_context("manifest", path.display().to_string()));
            }
            Found::Library(path) => {
                trace::note(|| format!("{name}: found {}", path.display()));
                return Candidate::check(&path, Some(name), &pins(pin), settings);
            }
            Found::Nothing(why) => {
                trace::note(|| format!("{name}: {why}"));
                searched.push(why);
            }
        }
    }
    let available = available_in(settings, places);
    let meant = nearest(name, available.iter().map(String::as_str));
    let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    let mut error = Error::new(ErrorKind::ProviderNotFound, format!("there is no plugin `{name}`{meant}"));
    if !available.is_empty() {
        error = error.with_context("available", available.join(", "));
    }
    let remedy = format!(
        "install {} into one of these directories, or set its path with [plugin.{name}] file",
        library_name(name)
    );
    Err(error.with_context("searched", searched.join(", ")).with_context("remedy", remedy))
}

/// Nothing was searched, because of this error.
fn nowhere(name: &str, why: &Error) -> Error {
    let place = why.context("at").map(|place| format!(" ({place})")).unwrap_or_default();
    Error::new(ErrorKind::ProviderNotFound, format!("there is no plugin `{name}`"))
        .with_context("searched", format!("nowhere, because {}{place}", why.message()))
        .with_context("remedy", why.context("remedy").unwrap_or_default())
}

fn pins(digest: Option<Digest>, origin: &str) -> Vec<Pin> {
    digest.map(|digest| Pin { digest, origin: origin.to_owned() }).into_iter().collect()
}

enum Found {
    Manifest(PathBuf),
    Library(PathBuf),
    /// The place, and why it is not there.
    Nothing(String),
}

fn look(name: &str, place: &Place) -> Found {
    let dir = match &place.dir {
        Ok(dir) => dir,
        Err(why) => return Found::Nothing(format!("{}: {why}", place.origin)),
    };
    let nothing = |why: String| {
        let origin = if place.origin.is_empty() { String::new() } else { format!(" ({})", place.origin) };
        Found::Nothing(format!("{}{origin}: {why}", dir.display()))
    };
    match dir.metadata() {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return nothing("not a directory".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return nothing("no such directory".to_owned()),
        Err(error) => return nothing(format!("cannot be read: {error}")),
    }
    let (manifest, library) = (format!("{name}.toml"), library_name(name));
    for (file, found) in [(&manifest, Found::Manifest as fn(PathBuf) -> Found), (&library, Found::Library)] {
        let path = dir.join(file);
        // Of a link too, so that a broken one is an error and not an absence.
        match path.symlink_metadata() {
            Ok(_) => return found(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return nothing(format!("cannot be read: {error}")),
        }
    }
    nothing(format!("no file {library} or {manifest} in it"))
}

fn available_in(settings: &LoaderSettings, places: &[Place]) -> Vec<String> {
    if check_possible(IS_STATIC_MUSL, settings).is_err() {
        return Vec::new();
    }
    let name = |file: &str| {
        let manifest = || file.strip_suffix(".toml").filter(|name| is_name(name));
        name_of_library(file).or_else(manifest).map(str::to_owned)
    };
    let dirs = places.iter().filter_map(|place| place.dir.as_ref().ok());
    let files = dirs.filter_map(|dir| dir.read_dir().ok()).flatten().flatten();
    let found = files.filter_map(|file| name(file.file_name().to_str()?));
    let with_file = settings.named.iter().filter(|(_, plugin)| plugin.file.is_some());
    let mut names: Vec<String> = found.chain(with_file.map(|(name, _)| name.clone())).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
