//! What a plugin says about itself, without being run.

use std::path::Path;

use spandrel_plugin_api::abi::{ABI_MAJOR, ABI_MINOR};
use spandrel_plugin_api::config::{Table, Value};
use spandrel_plugin_api::{Error, ErrorKind};

use super::settings::is_name;

/// The version of the plugin boundary that this program speaks, major and minor.
pub(crate) const HOST_ABI: (u16, u16) = (ABI_MAJOR, ABI_MINOR);

/// What a plugin says about itself in the metadata section of its library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// The version of the plugin boundary that it was built for.
    pub(crate) abi: (u16, u16),
    /// The lowest minor version that it works with.
    pub(crate) abi_min_minor: u16,
    /// The name of its provider.
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) kind: Kind,
    /// A panic in it ends the process.
    pub(crate) panic_aborts: bool,
    pub(crate) debug_build: bool,
    pub(crate) vendor: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) target: Option<String>,
}

/// Which of the two contracts a plugin keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Exporter,
    Provider,
}

impl Metadata {
    /// Reads the section: TOML texts with NULs between and behind them. Unknown
    /// keys are left alone, because a newer plugin may have more.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Malformed`] with the key; [`ErrorKind::Unsupported`] if that
    /// comes from a plugin for another version of the boundary.
    pub(crate) fn parse(section: &[u8], path: &Path) -> Result<Self, Error> {
        let keys = Keys { table: merged(section, path)?, path };
        let abi = keys.version("spandrel_abi")?.ok_or_else(|| keys.missing("spandrel_abi"))?;
        let least = keys.version("spandrel_abi_min")?.unwrap_or((abi.0, 0));
        if least.0 != abi.0 || least.1 > abi.1 {
            return Err(keys.error(format!(
                "`spandrel_abi_min` must lie between {}.0 and `spandrel_abi`, which is {}.{}, and not be {}.{}",
                abi.0, abi.0, abi.1, least.0, least.1
            )));
        }
        let (name, version) = (keys.required("name")?, keys.required("version")?);
        if !is_name(&name) {
            return Err(keys.error(format!("`name` may have a-z, 0-9, `_` and `-` only, not \"{name}\"")));
        }
        let kinds = [("exporter", Kind::Exporter), ("provider", Kind::Provider)];
        let kind = keys.choice("kind", kinds).and_then(|kind| kind.ok_or_else(|| keys.missing("kind")));
        let mut metadata = Self {
            abi,
            abi_min_minor: least.1,
            name,
            version,
            kind: Kind::Exporter,
            panic_aborts: keys.choice("panic", [("unwind", false), ("abort", true)])?.unwrap_or(false),
            debug_build: keys.choice("build", [("release", false), ("debug", true)])?.unwrap_or(false),
            vendor: keys.text("vendor")?,
            license: keys.text("license")?,
            description: keys.text("description")?,
            target: keys.text("target")?,
        };
        // A kind that we do not know is explained by a version that we do not speak.
        metadata.kind = kind.or_else(|error| metadata.check_abi(path).and(Err(error)))?;
        Ok(metadata)
    }

    /// Refuses a plugin for a version of the boundary that this program does not speak.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`], with both versions and what to do.
    pub(crate) fn check_abi(&self, path: &Path) -> Result<(), Error> {
        self.check_abi_of(HOST_ABI, path)
    }

    /// Refuses a plugin for another C library, if it says which it is for.
    pub(crate) fn check_c_library(&self, path: &Path) -> Result<(), Error> {
        let ours = cfg!(target_env = "musl");
        let theirs = self.target.as_deref().filter(|target| target.starts_with("linux-")).map(|t| t.ends_with("-musl"));
        if !cfg!(target_os = "linux") || theirs.is_none_or(|theirs| theirs == ours) {
            return Ok(());
        }
        let name = |is_musl| if is_musl { "musl" } else { "glibc" };
        let message = format!("the plugin file is built for {}, and this process uses {}", name(!ours), name(ours));
        Err(Error::new(ErrorKind::Unsupported, message)
            .with_context("path", path.display().to_string())
            .with_context("remedy", format!("install the build of the plugin for {}", name(ours))))
    }

    fn check_abi_of(&self, host: (u16, u16), path: &Path) -> Result<(), Error> {
        let plugin = format!("provider \"{}\" {} ({})", self.name, self.version, path.display());
        let ours = format!("this program speaks {}.{}", host.0, host.1);
        let (message, remedy) = if self.abi.0 != host.0 {
            let upgrade = if self.abi.0 > host.0 { ", or upgrade spandrel" } else { "" };
            (
                format!(
                    "{plugin} was built for plugin ABI {}.{}, and {ours} (accepts {}.x)",
                    self.abi.0, self.abi.1, host.0
                ),
                format!("install a build of the plugin for ABI {}{upgrade}", host.0),
            )
        } else if self.abi_min_minor > host.1 {
            (
                format!("{plugin} needs plugin ABI {}.{} or later, and {ours}", self.abi.0, self.abi_min_minor),
                "upgrade spandrel, or install an older build of the plugin".to_owned(),
            )
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Unsupported, message).with_context("remedy", remedy))
    }
}

/// All texts of the section as one table.
fn merged(section: &[u8], path: &Path) -> Result<Table, Error> {
    let mut all = Table::default();
    for text in section.split(|byte| *byte == 0).filter(|text| !text.trim_ascii().is_empty()) {
        let text = std::str::from_utf8(text).map_err(|_| malformed("it is not UTF-8", path))?;
        let (table, _) = Table::parse(text, "its text").map_err(|error| malformed(error.message(), path))?;
        for key in table.keys() {
            let (Some(known), Some(new)) = (all.get(key), table.get(key)) else { continue };
            if known != new {
                // Two plugins in one library cannot be told apart by its name.
                return Err(malformed(&format!("`{key}` is given twice, as {known} and as {new}"), path));
            }
        }
        all.merge(table);
    }
    Ok(all)
}

fn malformed(what: &str, path: &Path) -> Error {
    Error::new(ErrorKind::Malformed, format!("the metadata of the plugin cannot be used: {what}"))
        .with_context("path", path.display().to_string())
        .with_context("remedy", "build the plugin with SPANDREL_METADATA of spandrel.h or with the Rust SDK")
}

struct Keys<'a> {
    table: Table,
    path: &'a Path,
}

impl Keys<'_> {
    fn error(&self, what: String) -> Error {
        malformed(&what, self.path)
    }

    fn missing(&self, key: &str) -> Error {
        self.error(format!("`{key}` is missing"))
    }

    fn text(&self, key: &str) -> Result<Option<String>, Error> {
        match self.table.get(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text.clone())),
            Some(other) => Err(self.error(format!("`{key}` must be a text, not {other}"))),
        }
    }

    fn required(&self, key: &str) -> Result<String, Error> {
        self.text(key)?.filter(|text| !text.is_empty()).ok_or_else(|| self.missing(key))
    }

    fn version(&self, key: &str) -> Result<Option<(u16, u16)>, Error> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let version = text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
        version
            .map(Some)
            .ok_or_else(|| self.error(format!("`{key}` must be a version such as \"1.0\", not \"{text}\"")))
    }

    fn choice<T: Copy, const N: usize>(&self, key: &str, choices: [(&str, T); N]) -> Result<Option<T>, Error> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let chosen = choices.iter().find(|(word, _)| *word == text).map(|(_, chosen)| *chosen);
        chosen.map(Some).ok_or_else(|| {
            let words = choices.map(|(word, _)| format!("\"{word}\""));
            self.error(format!("`{key}` must be {}, not \"{text}\"", words.join(" or ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Kind, Metadata};

    const PATH: &str = "/x/libspandrel_otlp.so";
    const LEAST: &str = "spandrel_abi = '1.0'\nname = 'otlp'\nversion = '0.4.1'\nkind = 'exporter'\n";

    fn parse(section: impl AsRef<[u8]>) -> Result<Metadata, String> {
        Metadata::parse(section.as_ref(), Path::new(PATH)).map_err(|error| error.to_string())
    }

    #[test]
    fn all_texts_are_read() {
        let metadata =
            parse(format!("\0\0{LEAST}\0\n\0{LEAST}vendor = 'us'\npanic = 'abort'\nnew = {{ a = 1 }}\0\0\0")).unwrap();
        assert_eq!((metadata.abi, metadata.abi_min_minor, metadata.kind), ((1, 0), 0, Kind::Exporter));
        assert_eq!((metadata.name.as_str(), metadata.version.as_str()), ("otlp", "0.4.1"));
        assert_eq!((metadata.panic_aborts, metadata.debug_build), (true, false));
        assert_eq!((metadata.vendor.as_deref(), metadata.license), (Some("us"), None));
        let newer =
            parse(LEAST.replace("1.0", "1.7").replace("exporter", "provider") + "spandrel_abi_min = '1.0'").unwrap();
        assert_eq!((newer.abi, newer.abi_min_minor, newer.kind), ((1, 7), 0, Kind::Provider));
        assert!(newer.check_abi(Path::new(PATH)).is_ok(), "new plugins work in old programs");
    }

    #[test]
    fn what_cannot_be_used_names_the_key() {
        for (section, message) in [
            (String::new(), "`spandrel_abi` is missing"),
            (LEAST.replace("name = 'otlp'", ""), "`name` is missing"),
            (LEAST.replace("otlp", "OTLP"), "`name` may have a-z, 0-9, `_` and `-` only, not \"OTLP\""),
            (LEAST.replace("'0.4.1'", "''"), "`version` is missing"),
            (LEAST.replace("kind = 'exporter'", ""), "`kind` is missing"),
            (LEAST.replace("exporter", "sink"), "`kind` must be \"exporter\" or \"provider\", not \"sink\""),
            (LEAST.replace("'1.0'", "'1'"), "`spandrel_abi` must be a version such as \"1.0\", not \"1\""),
            (LEAST.replace("'1.0'", "1.0"), "`spandrel_abi` must be a text, not 1.0"),
            (
                format!("{LEAST}spandrel_abi_min = '1.1'"),
                "`spandrel_abi_min` must lie between 1.0 and `spandrel_abi`, which is 1.0, and not be 1.1",
            ),
            (format!("{LEAST}panic = 'maybe'"), "`panic` must be \"unwind\" or \"abort\", not \"maybe\""),
            (format!("{LEAST}\0name = 'zipkin'"), "`name` is given twice, as \"otlp\" and as \"zipkin\""),
            ("name = ".to_owned(), "its text:1:8: string values must be quoted, expected literal string"),
        ] {
            let expected = format!(
                "the metadata of the plugin cannot be used: {message} (path: {PATH}; remedy: build the plugin with \
                 SPANDREL_METADATA of spandrel.h or with the Rust SDK)"
            );
            assert_eq!(parse(&section).unwrap_err(), expected, "{section}");
        }
        assert!(parse(b"name = '\xff'").unwrap_err().contains("cannot be used: it is not UTF-8"));
    }

    #[test]
    fn another_version_of_the_boundary_is_told_with_both_and_the_remedy() {
        let plugin = format!("provider \"otlp\" 0.4.1 ({PATH})");
        for (abi, least, host, message) in [
            (
                (2, 0),
                0,
                (1, 0),
                "was built for plugin ABI 2.0, and this program speaks 1.0 (accepts 1.x) (remedy: install a build of \
                 the plugin for ABI 1, or upgrade spandrel)",
            ),
            (
                (1, 4),
                0,
                (2, 1),
                "was built for plugin ABI 1.4, and this program speaks 2.1 (accepts 2.x) (remedy: install a build of \
                 the plugin for ABI 2)",
            ),
            (
                (1, 3),
                2,
                (1, 1),
                "needs plugin ABI 1.2 or later, and this program speaks 1.1 (remedy: upgrade spandrel, or install an \
                 older build of the plugin)",
            ),
        ] {
            let metadata = Metadata { abi, abi_min_minor: least, ..parse(LEAST).unwrap() };
            let error = metadata.check_abi_of(host, Path::new(PATH)).unwrap_err();
            assert_eq!(error.to_string(), format!("{plugin} {message}"));
        }
        let future = LEAST.replace("1.0", "2.0").replace("exporter", "sampler");
        assert!(parse(future).unwrap_err().contains("was built for plugin ABI 2.0"), "the kind is the smaller trouble");
    }
}
