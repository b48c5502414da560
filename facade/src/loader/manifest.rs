//! `<name>.toml`: which library is the plugin on which platform, and what it must be.

use std::path::{Path, PathBuf};

use spandrel_plugin_api::config::{Reader, Table, Value};
use spandrel_plugin_api::{Error, ErrorKind};

use super::digest::{self, Digest};
use super::object::platform;
use super::permissions;
use super::settings::LoaderSettings;
use crate::config::locate;

/// What a manifest says for this platform.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) library: PathBuf,
    pub(super) sha256: Option<Digest>,
}

impl Manifest {
    /// Reads the manifest of the plugin with this name.
    ///
    /// # Errors
    ///
    /// Those of [`permissions::open`]; [`ErrorKind::ConfigInvalid`] with line and column.
    pub(super) fn read(path: &Path, name: &str, settings: &LoaderSettings) -> Result<Self, Error> {
        let opened = permissions::open(path, "plugin manifest", settings)?;
        let path = opened.path.clone();
        let text = String::from_utf8(opened.read()?).map_err(|_| {
            Error::new(ErrorKind::Malformed, "the plugin manifest is not UTF-8")
                .with_context("path", path.display().to_string())
                .with_context("remedy", "write it anew, or remove it")
        })?;
        Self::parse(&text, &path, name, &platform())
    }

    fn parse(text: &str, path: &Path, name: &str, platform: &str) -> Result<Self, Error> {
        let shown = path.display().to_string();
        let (table, positions) = Table::parse(text, &shown)?;
        let read = Reader::read(&table, |table| {
            // First, because another version may have other keys.
            match table.integer::<i64>("manifest_version")? {
                Some(1) => {}
                Some(other) => {
                    let message = format!("`manifest_version` is {other}, and this program knows 1; upgrade spandrel");
                    return Err(table.error("manifest_version", message));
                }
                None => return Err(table.error("manifest_version", "`manifest_version = 1` is missing")),
            }
            match table.text("name")? {
                Some(given) if given == name => {}
                Some(given) => {
                    let message =
                        format!("`name` is `{given}`, and the manifest was found as `{name}`; make them equal");
                    return Err(table.error("name", message));
                }
                None => return Err(table.error("name", format!("`name = \"{name}\"` is missing"))),
            }
            for key in ["version", "description", "license", "url"] {
                table.text(key)?;
            }
            let library = for_platform(table, "library", platform)?;
            let library =
                library.ok_or_else(|| table.error("library", "`library`, the file of the plugin, is missing"))?;
            let sha256 = for_platform(table, "sha256", platform)?.map(digest::parse).transpose();
            let sha256 = sha256.map_err(|expected| table.error("sha256", format!("`sha256` {expected}")))?;
            // An absolute path stays as it is.
            let library = path.parent().unwrap_or(path).join(library);
            Ok(Self { library, sha256 })
        });
        read.map_err(|error| locate(error, &positions, &shown))
    }
}

/// A text for all platforms, or the one of a table for this platform.
fn for_platform<'a>(table: &mut Reader<'a>, key: &'static str, platform: &str) -> Result<Option<&'a str>, Error> {
    let platforms = match table.value(key) {
        None => return Ok(None),
        Some(Value::Text(text)) => return Ok(Some(text)),
        Some(Value::Table(platforms)) => platforms,
        Some(other) => {
            let message = format!("`{key}` must be a text, or a table with one for each platform, not {other}");
            return Err(table.error(key, message));
        }
    };
    for name in platforms.keys() {
        if !matches!(platforms.get(name), Some(Value::Text(_))) {
            return Err(table.error(&format!("{key}.{name}"), format!("`{key}.{name}` must be a text")));
        }
    }
    match platforms.get(platform) {
        Some(Value::Text(text)) => Ok(Some(text)),
        _ => {
            let known: Vec<&str> = platforms.keys().collect();
            let known = known.join(", ");
            let message = format!("`{key}` has nothing for {platform}, only for {known}; add `{key}.{platform}`");
            Err(table.error(key, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Manifest;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const HEAD: &str = "manifest_version = 1\nname = 'x'\n";

    fn parse(text: &str) -> Result<Manifest, String> {
        let parsed = Manifest::parse(text, Path::new("/p/x.toml"), "x", "linux-x86_64");
        parsed.map_err(|error| error.to_string())
    }

    #[cfg(unix)]
    #[test]
    fn the_library_for_this_platform_is_taken() {
        let text = format!(
            "{HEAD}version = '1'\ndescription = 'd'\nlicense = 'MIT'\nurl = 'https://x'\n\
             [library]\nlinux-x86_64 = 'lib/x.so'\nmacos-aarch64 = 'x.dylib'\n[sha256]\nlinux-x86_64 = '{HEX}'"
        );
        let manifest = parse(&text).unwrap();
        assert_eq!((manifest.library.as_path(), manifest.sha256.is_some()), (Path::new("/p/lib/x.so"), true));
        let manifest = parse(&format!("{HEAD}library = '/abs/x.so'")).unwrap();
        assert_eq!((manifest.library.as_path(), manifest.sha256), (Path::new("/abs/x.so"), None));
    }

    #[test]
    fn mistakes_are_answered_with_their_place() {
        for (text, message) in [
            ("name = 'x'".to_owned(), ": `manifest_version = 1` is missing"),
            (
                "manifest_version = 2\nnew = 1".to_owned(),
                ":1:1: `manifest_version` is 2, and this program knows 1; upgrade spandrel",
            ),
            ("manifest_version = 1".to_owned(), ": `name = \"x\"` is missing"),
            (
                "manifest_version = 1\nname = 'y'".to_owned(),
                ":2:1: `name` is `y`, and the manifest was found as `x`; make them equal",
            ),
            (HEAD.to_owned(), ": `library`, the file of the plugin, is missing"),
            (
                format!("{HEAD}library = 3"),
                ":3:1: `library` must be a text, or a table with one for each platform, not 3",
            ),
            (
                format!("{HEAD}[library]\nlinux-amd64 = 'a'\nmacos-aarch64 = 'b'"),
                ":3:2: `library` has nothing for linux-x86_64, only for linux-amd64, macos-aarch64; add \
                 `library.linux-x86_64`",
            ),
            (format!("{HEAD}[library]\nlinux-x86_64 = 1"), ":4:1: `library.linux-x86_64` must be a text"),
            (
                format!("{HEAD}library = 'a'\n[sha256]\nlinux-aarch64 = '{HEX}'"),
                ":4:2: `sha256` has nothing for linux-x86_64, only for linux-aarch64; add `sha256.linux-x86_64`",
            ),
            (
                format!("{HEAD}library = 'a'\nsha256 = 'b'"),
                ":4:1: `sha256` must be a SHA-256 of 64 hexadecimal digits, not `b`",
            ),
            (
                format!("{HEAD}library = 'a'\nlicence = 'MIT'"),
                ":4:1: unknown configuration key `licence`; did you mean `license`? (known here: manifest_version, \
                 name, version, description, license, url, library, sha256)",
            ),
            (format!("{HEAD}url = 1"), ":3:1: `url` must be a text, not 1"),
        ] {
            assert_eq!(parse(&text).unwrap_err(), format!("/p/x.toml{message}"), "{text}");
        }
    }
}
