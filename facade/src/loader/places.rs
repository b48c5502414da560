use std::ffi::OsString;
use std::path::PathBuf;

use super::settings::LoaderSettings;

/// A directory that may have plugins, or why there is none.
#[derive(Debug)]
pub(super) struct Place {
    /// What names it; empty for those that are always the same.
    pub(super) origin: &'static str,
    pub(super) dir: Result<PathBuf, &'static str>,
}

/// Where plugins are searched, in this order.
pub(super) fn places(settings: &LoaderSettings) -> Vec<Place> {
    places_of(settings, std::env::current_exe().ok(), &|name| std::env::var_os(name))
}

fn places_of(
    settings: &LoaderSettings,
    program: Option<PathBuf>,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<Place> {
    let mut places = Vec::new();
    for (origin, dirs) in [("plugin_dirs", &settings.dirs), ("SPANDREL_PLUGIN_PATH", &settings.path)] {
        if dirs.is_empty() {
            // What was left out is listed as `plugin_dirs (spandrel.toml:1:1)`, or as the variable.
            let ignored = settings.ignored.iter().any(|ignored| ignored.split(' ').next() == Some(origin));
            places.push(Place { origin, dir: Err(if ignored { IGNORED } else { "not set" }) });
        }
        places.extend(dirs.iter().map(|dir| Place { origin, dir: Ok(dir.clone()) }));
    }
    let beside = program.and_then(|program| Some(program.parent()?.join("spandrel-plugins")));
    let beside = beside.filter(|dir| dir.is_absolute()).ok_or("its path is not known");
    places.push(Place { origin: "beside the program", dir: beside });
    let user = if settings.elevated { Err(IGNORED) } else { user_dir(variable) };
    places.push(Place { origin: "of the user", dir: user });
    let system = SYSTEM.iter().map(|dir| Place { origin: "", dir: Ok(PathBuf::from(dir)) });
    places.extend(system);
    places
}

const IGNORED: &str = "ignored, because this process has more rights than the user who started it";

const SYSTEM: &[&str] =
    if cfg!(unix) { &["/usr/local/lib/spandrel/plugins", "/usr/lib/spandrel/plugins"] } else { &[] };

/// Source: XDG Base Directory Specification, which has relative paths ignored.
fn user_dir(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, &'static str> {
    let dir = |name| variable(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let data = if cfg!(windows) {
        dir("APPDATA").ok_or("APPDATA is not an absolute path")?
    } else {
        let home = || dir("HOME").map(|home| home.join(".local/share"));
        dir("XDG_DATA_HOME").or_else(home).ok_or("neither XDG_DATA_HOME nor HOME is an absolute path")?
    };
    Ok(data.join("spandrel").join("plugins"))
}

#[cfg(all(test, unix))]
mod tests {
    use std::ffi::OsString;
    use std::path::PathBuf;

    use super::super::settings::LoaderSettings;
    use super::places_of;

    fn shown(settings: &LoaderSettings, program: Option<&str>, variables: &[(&str, &str)]) -> Vec<String> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        let places = places_of(settings, program.map(PathBuf::from), &variable);
        places
            .iter()
            .map(|place| place.dir.as_ref().map_or_else(|why| (*why).to_owned(), |dir| dir.display().to_string()))
            .collect()
    }

    #[test]
    fn the_order_is_fixed() {
        let settings = LoaderSettings {
            dirs: vec!["/d1".into(), "/d2".into()],
            path: vec!["/p".into()],
            ..LoaderSettings::default()
        };
        let variables = [("XDG_DATA_HOME", "/xdg"), ("HOME", "/home/x")];
        assert_eq!(
            shown(&settings, Some("/opt/shop/shop"), &variables),
            [
                "/d1",
                "/d2",
                "/p",
                "/opt/shop/spandrel-plugins",
                "/xdg/spandrel/plugins",
                "/usr/local/lib/spandrel/plugins",
                "/usr/lib/spandrel/plugins"
            ]
        );
    }

    #[test]
    fn what_is_not_there_says_why() {
        let mut settings = LoaderSettings::default();
        assert_eq!(
            shown(&settings, None, &[("XDG_DATA_HOME", "data"), ("HOME", "/home/x")])[..4],
            ["not set", "not set", "its path is not known", "/home/x/.local/share/spandrel/plugins"]
        );
        assert_eq!(shown(&settings, None, &[])[3], "neither XDG_DATA_HOME nor HOME is an absolute path");
        settings.elevated = true;
        settings.ignored = vec!["plugin_dirs (x.toml:1:1)".to_owned()];
        assert_eq!(
            shown(&settings, None, &[("HOME", "/home/x")])[..4],
            [super::IGNORED, "not set", "its path is not known", super::IGNORED]
        );
    }
}
