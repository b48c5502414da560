//! What the configuration says about plugins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::digest::Digest;
use super::privileged;

/// What the configuration says about plugins; read in `config/plugins.rs`.
#[derive(Debug, Clone)]
pub(crate) struct LoaderSettings {
    /// Where `allow_plugins = false` stands, if anywhere.
    pub(crate) switched_off: Option<String>,
    /// `plugin_dirs`.
    pub(crate) dirs: Vec<PathBuf>,
    /// `SPANDREL_PLUGIN_PATH`.
    pub(crate) path: Vec<PathBuf>,
    /// `plugin_allowed_dirs`; none means all.
    pub(crate) allowed_dirs: Vec<PathBuf>,
    /// `plugin_trusted_owners`: users whose files are loaded besides those of root
    /// and of the user as whom the process runs.
    pub(crate) trusted_owners: Vec<u32>,
    /// The tables `[plugin.<name>]`.
    pub(crate) named: BTreeMap<String, NamedPlugin>,
    /// The process may do more than the user who started it: only the program
    /// itself says what is loaded.
    pub(crate) elevated: bool,
    /// Settings left out because of that, for the warning.
    pub(crate) ignored: Vec<String>,
}

/// The table `[plugin.<name>]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NamedPlugin {
    /// The name is a second instance of this provider.
    pub(crate) provider: Option<String>,
    /// The library, by its absolute path.
    pub(crate) file: Option<PathBuf>,
    /// What the library must be.
    pub(crate) sha256: Option<Digest>,
    /// `false`: the name means a plugin, even where a provider of this name is linked.
    pub(crate) linked: Option<bool>,
}

impl Default for LoaderSettings {
    fn default() -> Self {
        Self {
            switched_off: None,
            dirs: Vec::new(),
            path: Vec::new(),
            allowed_dirs: Vec::new(),
            trusted_owners: Vec::new(),
            named: BTreeMap::new(),
            elevated: privileged::is_elevated(),
            ignored: Vec::new(),
        }
    }
}

impl LoaderSettings {
    /// The provider that a name means: itself, unless `[plugin.<name>]` says another.
    pub(crate) fn provider_of<'a>(&'a self, name: &'a str) -> &'a str {
        self.named.get(name).and_then(|plugin| plugin.provider.as_deref()).unwrap_or(name)
    }
}

impl NamedPlugin {
    /// Adds later settings, which win. A pin stays until it is set anew, so that
    /// naming another file does not lift it.
    pub(crate) fn merge(&mut self, later: Self) {
        if later.provider.is_some() || later.file.is_some() {
            (self.provider, self.file) = (later.provider, later.file);
        }
        self.sha256 = later.sha256.or(self.sha256);
        self.linked = later.linked.or(self.linked);
    }
}

/// Whether this can be the name of a plugin, and so a part of a file's name.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b'-');
    !name.is_empty() && name.bytes().all(allowed)
}

/// Whether this is meant as the path of a file, not as a name.
pub(crate) fn is_path(name: &str) -> bool {
    name.contains(['/', '\\'])
        || (name.len() > std::env::consts::DLL_SUFFIX.len() && name.ends_with(std::env::consts::DLL_SUFFIX))
}

/// Refuses a path whose meaning depends on the working directory.
///
/// # Errors
///
/// What it must be, for behind the name of a setting.
pub(crate) fn check_absolute(path: &Path) -> Result<(), String> {
    if path.is_absolute() {
        return Ok(());
    }
    let shown = path.display();
    match absolute(path) {
        Some(absolute) => Err(format!("must be an absolute path, not `{shown}`; write `{}`", absolute.display())),
        None => Err(format!("must be an absolute path, not `{shown}`")),
    }
}

/// What was probably meant by a relative path.
pub(super) fn absolute(path: &Path) -> Option<PathBuf> {
    match path.strip_prefix("~") {
        // A shell would have expanded it.
        Ok(rest) => std::env::home_dir().map(|home| home.join(rest)),
        Err(_) => std::path::absolute(path).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::{LoaderSettings, NamedPlugin, check_absolute, is_name, is_path};

    #[test]
    fn a_name_cannot_lead_anywhere() {
        for (name, valid) in [("otlp", true), ("my-plugin_2", true), ("", false), ("../x", false), ("X", false)] {
            assert_eq!(is_name(name), valid, "{name}");
        }
        for name in ["a/b", "/x", "x\0", "x.so", "é", " x"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_path("./x") && is_path("a/b") && is_path(&format!("x{}", std::env::consts::DLL_SUFFIX)));
        assert!(!is_path("otlp") && !is_path("datadog.v2"));
    }

    #[test]
    fn a_name_means_itself_or_what_its_table_says() {
        let mut settings = LoaderSettings::default();
        let audit = NamedPlugin { provider: Some("file".to_owned()), ..NamedPlugin::default() };
        settings.named.insert("audit".to_owned(), audit);
        assert_eq!((settings.provider_of("audit"), settings.provider_of("otlp")), ("file", "otlp"));
    }

    #[test]
    fn another_file_does_not_lift_the_pin() {
        let mut plugin = NamedPlugin { file: Some("/a.so".into()), sha256: Some([1; 32]), ..NamedPlugin::default() };
        plugin.merge(NamedPlugin { file: Some("/b.so".into()), ..NamedPlugin::default() });
        assert_eq!(plugin, NamedPlugin { file: Some("/b.so".into()), sha256: Some([1; 32]), ..NamedPlugin::default() });
        plugin.merge(NamedPlugin { provider: Some("file".to_owned()), ..NamedPlugin::default() });
        assert_eq!((plugin.provider.as_deref(), plugin.file), (Some("file"), None));
    }

    #[cfg(unix)]
    #[test]
    fn a_relative_path_is_answered_with_the_absolute_one() {
        let here = std::env::current_dir().unwrap();
        let text = check_absolute("./plugins/x.so".as_ref()).unwrap_err();
        assert_eq!(
            text,
            format!("must be an absolute path, not `./plugins/x.so`; write `{}/plugins/x.so`", here.display())
        );
        assert_eq!(check_absolute("/x/y.so".as_ref()), Ok(()));
    }
}
