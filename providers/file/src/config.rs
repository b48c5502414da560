use std::path::PathBuf;

use spandrel_plugin_api::config::{FromTable, Reader};
use spandrel_plugin_api::{Error, ErrorKind};

/// The table `[provider.file]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileConfig {
    /// The file; directories above it are created.
    pub path: PathBuf,
    /// What a line looks like.
    pub format: Format,
    /// What written lines survive.
    pub durability: Durability,
    /// Least time between two syncs with [`Durability::Interval`], in milliseconds.
    pub sync_interval_ms: u64,
    /// When to begin a new file, and what happens to the old one.
    pub rotate: Rotation,
}

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Format {
    /// One OTLP/JSON object per batch, as the OpenTelemetry Collector's file exporter writes.
    #[default]
    Otlp,
    /// One structured log line per span.
    Log,
    /// The same in a fixed set of keys, for parsers that refuse others.
    JsonLog,
}

/// What written lines survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// A killed process: the operating system has the lines and writes them later.
    #[default]
    Process,
    /// A power loss too, but for the lines of the last interval.
    Interval,
    /// A power loss too.
    Every,
}

/// When to begin a new file, and what happens to the old one: `[provider.file.rotate]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rotation {
    /// Most bytes in a file; 0 means any number. A batch is never split, so a
    /// file with a single batch may be larger.
    pub max_bytes: u64,
    /// Most seconds from the creation of a file to its rotation; 0 means any number.
    pub max_age_s: u64,
    /// How many rotated files are kept; 0 means all.
    pub keep: usize,
    /// How rotated files are compressed.
    pub compress: Compression,
}

/// How rotated files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// With Zstandard; needs the cargo feature `zstd`.
    Zstd,
}

impl FileConfig {
    /// The defaults with another path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            format: Format::default(),
            durability: Durability::default(),
            sync_interval_ms: 500,
            rotate: Rotation::default(),
        }
    }

    /// Refuses what no type can rule out.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.path.as_os_str().is_empty() {
            return Err(Error::new(ErrorKind::ConfigInvalid, "the path of the trace file is empty")
                .with_context("key", "path")
                .with_context("remedy", "set provider.file.path or leave it out"));
        }
        if self.rotate.compress == Compression::Zstd && !cfg!(feature = "zstd") {
            return Err(Error::new(ErrorKind::ConfigInvalid, "this program was built without Zstandard")
                .with_context("key", "rotate.compress")
                .with_context(
                    "remedy",
                    "enable the cargo feature `zstd` of spandrel (or of the plugin), or set \"none\"",
                ));
        }
        Ok(())
    }
}

impl FromTable for FileConfig {
    fn from_table(table: &mut Reader<'_>) -> Result<Self, Error> {
        let formats = [("otlp", Format::Otlp), ("log", Format::Log), ("json-log", Format::JsonLog)];
        let durabilities =
            [("process", Durability::Process), ("interval", Durability::Interval), ("every", Durability::Every)];
        let default = Self::default();
        Ok(Self {
            path: table.text("path")?.map_or(default.path, PathBuf::from),
            format: table.choice("format", &formats)?.unwrap_or(default.format),
            durability: table.choice("durability", &durabilities)?.unwrap_or(default.durability),
            sync_interval_ms: table.integer("sync_interval_ms")?.unwrap_or(default.sync_interval_ms),
            rotate: table.table("rotate", Rotation::from_table)?.unwrap_or(default.rotate),
        })
    }
}

impl FromTable for Rotation {
    fn from_table(table: &mut Reader<'_>) -> Result<Self, Error> {
        let compressions = [("none", Compression::None), ("zstd", Compression::Zstd)];
        let default = Self::default();
        Ok(Self {
            max_bytes: table.integer("max_bytes")?.unwrap_or(default.max_bytes),
            max_age_s: table.integer("max_age_s")?.unwrap_or(default.max_age_s),
            keep: table.integer("keep")?.unwrap_or(default.keep),
            compress: table.choice("compress", &compressions)?.unwrap_or(default.compress),
        })
    }
}

impl Default for FileConfig {
    fn default() -> Self {
        Self::new("traces.jsonl")
    }
}

impl Default for Rotation {
    fn default() -> Self {
        Self { max_bytes: 100 * 1024 * 1024, max_age_s: 0, keep: 10, compress: Compression::default() }
    }
}

#[cfg(test)]
mod tests {
    use spandrel_plugin_api::{ErrorKind, config::parse};

    use super::{Compression, Durability, FileConfig, Format};

    #[test]
    fn every_setting_has_a_default() {
        let config: FileConfig = parse("").unwrap();
        assert_eq!(config, FileConfig::default());
        assert_eq!(config.rotate.max_bytes, 104_857_600);

        let text = "path = '/x/t.jsonl'\nformat = 'log'\ndurability = 'interval'\nsync_interval_ms = 7\n\
                    [rotate]\nmax_bytes = 1\nmax_age_s = 2\nkeep = 3\ncompress = 'zstd'";
        let config: FileConfig = parse(text).unwrap();
        assert_eq!((config.format, config.durability, config.sync_interval_ms), (Format::Log, Durability::Interval, 7));
        let rotate = config.rotate;
        assert_eq!((rotate.max_bytes, rotate.max_age_s, rotate.keep, rotate.compress), (1, 2, 3, Compression::Zstd));
    }

    #[test]
    fn errors_name_the_key_and_what_is_possible() {
        let error = parse::<FileConfig>("durability = 'always'").unwrap_err();
        assert_eq!(error.context("key"), Some("durability"));
        assert_eq!(error.message(), "`durability` must be \"process\" or \"interval\" or \"every\", not \"always\"");

        let error = parse::<FileConfig>("[rotate]\nkeeep = 3").unwrap_err();
        assert!(error.message().contains("did you mean `keep`?"), "{error}");

        let error = FileConfig::new("").check().unwrap_err();
        assert_eq!((error.kind(), error.context("key")), (ErrorKind::ConfigInvalid, Some("path")));
    }

    #[cfg(not(feature = "zstd"))]
    #[test]
    fn compression_without_its_feature_is_refused() {
        let mut config = FileConfig::default();
        config.rotate.compress = Compression::Zstd;
        let error = config.check().unwrap_err();
        assert_eq!(error.context("key"), Some("rotate.compress"));
        assert!(error.to_string().contains("cargo feature `zstd`"), "{error}");
    }
}
