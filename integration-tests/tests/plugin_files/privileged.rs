//! A program that may do more than the user who started it: that user does not say which code
//! runs in it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;

use spandrel_integration_tests::stage::{Ended, Stage};

use crate::TRACED;

const NOBODY: u32 = 65_534;
const TELLTALE: (&str, &str) = ("TRACING_TYPE", "telltale");

/// A copy of a program that has the rights of root, started by nobody.
struct Privileged {
    stage: Stage,
}

impl Privileged {
    /// None, and why, if there can be no such program here.
    fn new() -> Option<Self> {
        let this = Self { stage: Stage::new() };
        fs::create_dir(this.stage.path("work")).unwrap();
        if let Err(error) = chown(this.stage.path("work"), Some(NOBODY), None) {
            println!("skipped: only root can make a program with more rights: {error}");
            return None;
        }
        // The mount, the container or a security module may not let it have them.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let Some(id) = std::env::split_paths(&path).map(|dir| dir.join("id")).find(|id| id.is_file()) else {
            println!("skipped: there is no program `id` to ask who one is");
            return None;
        };
        this.install(&id, "bin/id");
        let ended = this.start("bin/id", "-u", &[]);
        if ended.said != "0\n" {
            println!("skipped: a set-user-ID program gets no more rights here: {ended:?}");
            return None;
        }
        this.install(Path::new(TRACED), "bin/traced");
        Some(this)
    }

    fn install(&self, program: &Path, file: &str) {
        let copy = self.stage.install(program, file);
        fs::set_permissions(copy, Permissions::from_mode(0o4755)).unwrap();
    }

    fn start(&self, file: &str, argument: &str, variables: &[(&str, &str)]) -> Ended {
        let program = self.stage.path(file);
        let mut command = self.stage.command(program.to_str().unwrap(), &[argument], variables);
        command.uid(NOBODY).gid(NOBODY).current_dir(self.stage.path("work"));
        self.stage.run(command)
    }

    fn trace(&self, variables: &[(&str, &str)]) -> Ended {
        self.start("bin/traced", "return", variables)
    }
}

/// The first line of the log is the warning about these settings; the others are returned.
#[track_caller]
fn after_warning<'a>(ended: &'a Ended, ignored: &str) -> &'a str {
    let warning = format!(
        "spandrel: warning: this process has more rights than the user who started it, so what the environment, and a file \
         found through it, say about plugins is ignored: {ignored}; set it in the program, with `default_config`\n"
    );
    assert_eq!(ended.said, "", "nothing has run: {}", ended.log);
    ended.log.strip_prefix(&warning).unwrap_or_else(|| panic!("{}\n{warning}", ended.log))
}

/// A plugin that anybody else may load: it is a matter of who names it.
#[test]
fn who_starts_it_names_no_plugin() {
    let Some(privileged) = Privileged::new() else { return };
    let stage = &privileged.stage;
    stage.telltale("libspandrel_telltale.so", &[]);
    stage.telltale("home/.local/share/spandrel/plugins/libspandrel_telltale.so", &[]);
    let path = "{here}/libspandrel_telltale.so";

    for (variable, file) in
        [("TRACING_TYPE", ""), ("OTEL_TRACES_EXPORTER", ""), ("NONE", "type = '{here}/libspandrel_telltale.so'")]
    {
        stage.write("work/spandrel.toml", file);
        let ended = privileged.trace(&[(variable, path)]);
        let place = if file.is_empty() { variable } else { "spandrel.toml:1:1" };
        assert_eq!(after_warning(&ended, &format!("{path} ({place})")), "");
        assert_eq!(ended.code, Some(0), "and nothing is traced: {}", ended.log);
    }

    let dirs = "plugin_dirs = ['{here}']\nplugin_trusted_owners = [65534]\n[plugin.telltale]\nfile = \
                '{here}/libspandrel_telltale.so'\n";
    stage.write("work/other.toml", dirs);
    for (file, variables, ignored) in [
        ("", &[TELLTALE, ("SPANDREL_PLUGIN_PATH", "{here}")][..], "SPANDREL_PLUGIN_PATH"),
        ("", &[TELLTALE, ("TRACING_PLUGIN__TELLTALE__FILE", path)], "TRACING_PLUGIN__TELLTALE__FILE"),
        (
            dirs,
            &[TELLTALE],
            "plugin_dirs (spandrel.toml:1:1), plugin_trusted_owners (spandrel.toml:2:1), plugin.telltale \
             (spandrel.toml:3:9)",
        ),
        (
            "",
            &[TELLTALE, ("SPANDREL_CONFIG", "other.toml")],
            "plugin_dirs (other.toml:1:1), plugin_trusted_owners (other.toml:2:1), plugin.telltale (other.toml:3:9)",
        ),
    ] {
        stage.write("work/spandrel.toml", file);
        let ended = privileged.trace(variables);
        let error = after_warning(&ended, ignored);
        assert!(error.starts_with("Error: there is no provider `telltale` (available: console, file, "), "{error}");
        let why = "of the user: ignored, because this process has more rights than the user who started it, ";
        assert!(error.contains(why), "{error}");
        assert_eq!((ended.code, error.lines().count()), (Some(1), 1), "{error}");
    }
}

#[test]
fn what_takes_rights_away_is_believed_and_the_search_is_not_told() {
    let Some(privileged) = Privileged::new() else { return };
    let stage = &privileged.stage;
    stage.telltale("bin/spandrel-plugins/libspandrel_telltale.so", &[]);
    let ended = privileged.trace(&[TELLTALE, ("TRACING_ALLOW_PLUGINS", "false"), ("SPANDREL_LOADER_DEBUG", "1")]);
    let why = "because plugins are switched off by allow_plugins = false (TRACING_ALLOW_PLUGINS); remedy: ";
    assert!(ended.refusal().contains(why), "{}", ended.log);
}

/// Beside it is where who installed it has put them.
#[test]
fn the_plugins_beside_it_are_those_of_root() {
    let Some(privileged) = Privileged::new() else { return };
    let stage = &privileged.stage;
    let plugin = stage.telltale("bin/spandrel-plugins/libspandrel_telltale.so", &[]);
    let ended = privileged.trace(&[TELLTALE, ("SPANDREL_LOADER_DEBUG", "1")]);
    assert_eq!(ended.told(), ["telltale: telltale: build 1 with {}", "telltale: telltale: build 1 got 100 spans"]);
    // The user as whom an ordinary process runs is trusted; the one who started this one is not.
    chown(&plugin, Some(NOBODY), None).unwrap();
    let refusal = "the plugin file belongs to user 65534, whom this process does not trust (path: \
                   {here}/bin/spandrel-plugins/libspandrel_telltale.so; remedy: ";
    assert!(privileged.trace(&[TELLTALE]).refusal().starts_with(refusal));
}
