//! Where a plugin should be, and is not, or must not be.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use spandrel_integration_tests::stage::Stage;

use crate::{TRACED, start};

#[test]
fn a_path_without_a_plugin_is_refused() {
    let stage = Stage::new();
    fs::create_dir(stage.path("folder")).unwrap();
    symlink(stage.path("gone.so"), stage.path("leads_nowhere.so")).unwrap();
    symlink(stage.path("round.so"), stage.path("round.so")).unwrap();
    stage.write("text.so", "hello\n");
    for (path, sentence) in [
        (
            "{here}/gone.so",
            "there is no plugin file at this path (path: {here}/gone.so; remedy: correct the path, or install it)",
        ),
        (
            "{here}/leads_nowhere.so",
            "the plugin file is a symbolic link that leads nowhere (path: {here}/leads_nowhere.so; remedy: correct the \
             link, or remove it)",
        ),
        (
            "{here}/round.so",
            "cannot open the plugin file (path: {here}/round.so; remedy: correct the path, or install it anew): Too many \
             levels of symbolic links (os error 40)",
        ),
        (
            "{here}/text.so/x.so",
            "cannot open the plugin file (path: {here}/text.so/x.so; remedy: correct the path, or install it anew): Not a \
             directory (os error 20)",
        ),
        (
            "{here}/folder/",
            "the plugin file is a directory, not a regular file (path: {here}/folder; remedy: name a file; directories to \
             search are named by `plugin_dirs`; reached by: {here}/folder/)",
        ),
        (
            "/dev/null",
            "the plugin file is a device, a pipe or a socket, not a regular file (path: /dev/null; remedy: name a regular \
             file)",
        ),
        // The system's own search for libraries is for others to fill.
        ("libm.so", "a plugin is named by its absolute path, not by `libm.so` (remedy: write {here}/libm.so)"),
        (
            "libspandrel_file.so",
            "a plugin is named by its absolute path, not by `libspandrel_file.so` (remedy: write \
             {here}/libspandrel_file.so, or `file`, which is searched)",
        ),
        ("./x.so", "a plugin is named by its absolute path, not by `./x.so` (remedy: write {here}/x.so)"),
        (
            "folder/x.so",
            "a plugin is named by its absolute path, not by `folder/x.so` (remedy: write {here}/folder/x.so)",
        ),
        ("~/x.so", "a plugin is named by its absolute path, not by `~/x.so` (remedy: write {here}/home/x.so)"),
    ] {
        assert_eq!(start(&stage, &[("TRACING_TYPE", path)]).refusal(), sentence, "{path}");
    }
}

/// In the working directory and beside the program, where it is not found by its bare file name.
#[test]
fn a_bare_file_name_loads_nothing() {
    let stage = Stage::new();
    stage.telltale("libspandrel_telltale.so", &[]);
    stage.telltale("lib/telltale.so", &[]);
    for name in ["libspandrel_telltale.so", "telltale.so"] {
        let variables = [("TRACING_TYPE", name), ("LD_LIBRARY_PATH", "{here}/lib")];
        let ended = start(&stage, &variables);
        let sentence =
            format!("a plugin is named by its absolute path, not by `{name}` (remedy: write {{here}}/{name}");
        assert!(ended.refusal().starts_with(&sentence), "{}", ended.log);
    }
    let ended = start(&stage, &[("TRACING_TYPE", "telltale"), ("LD_LIBRARY_PATH", "{here}")]);
    assert!(ended.refusal().starts_with("there is no provider `telltale` (available: "), "{}", ended.log);
}

#[test]
fn a_name_without_a_plugin_is_answered_with_all_places() {
    let stage = Stage::new();
    stage.write("spandrel.toml", "plugin_dirs = ['{here}/gone', '{here}/here']\n");
    stage.write("here/telltale.toml", "");
    stage.write("more/libspandrel_other.so", "");
    stage.write("file", "");
    let variables = [("TRACING_TYPE", "teltale"), ("SPANDREL_PLUGIN_PATH", "{here}/file:{here}/more")];
    let beside = Path::new(TRACED).parent().unwrap().join("spandrel-plugins");
    let expected = format!(
        "there is no provider `teltale`; did you mean `telltale`? (available: console, file, jaeger, memory, noop, \
         other, otlp, telltale, zipkin; searched: {{here}}/gone (plugin_dirs): no such directory, {{here}}/here (plugin_dirs): no file \
         libspandrel_teltale.so or teltale.toml in it, {{here}}/file (SPANDREL_PLUGIN_PATH): not a directory, {{here}}/more \
         (SPANDREL_PLUGIN_PATH): no file libspandrel_teltale.so or teltale.toml in it, {} (beside the program): no such \
         directory, {{here}}/home/.local/share/spandrel/plugins (of the user): no such directory, \
         /usr/local/lib/spandrel/plugins: ",
        beside.display()
    );
    let ended = start(&stage, &variables);
    // What this machine has installed decides about the rest.
    assert!(ended.refusal().starts_with(&expected), "{}\n{expected}", ended.log);
    assert!(ended.refusal().contains(", /usr/lib/spandrel/plugins: "), "{}", ended.log);
    let remedy = "; remedy: install libspandrel_teltale.so into one of these directories, or set its path with \
                  [plugin.teltale] file)";
    assert!(ended.refusal().ends_with(remedy), "{}", ended.log);

    let mut nowhere = stage.command(TRACED, &["return"], &[("TRACING_TYPE", "nothing-like-it")]);
    fs::remove_file(stage.path("spandrel.toml")).unwrap();
    let ended = stage.run({
        nowhere.env_remove("HOME").env("XDG_DATA_HOME", "relative");
        nowhere
    });
    for part in [
        "there is no provider `nothing-like-it` (available: console, file, jaeger, memory, noop, otlp, zipkin; searched: plugin_dirs: not set, \
         SPANDREL_PLUGIN_PATH: not set, ",
        ", of the user: neither XDG_DATA_HOME nor HOME is an absolute path, ",
    ] {
        assert!(ended.refusal().contains(part), "{}", ended.log);
    }
}

#[test]
fn a_name_that_no_plugin_can_have_is_refused() {
    let stage = Stage::new();
    for name in ["Telltale", "tell.tale", "libm.so.6", "tell tale"] {
        let expected = format!(
            "there is no provider `{name}` (available: console, file, jaeger, memory, noop, otlp, zipkin; searched: nowhere, because the name of \
             a plugin may have a-z, 0-9, `_` and `-` only, not `{name}`; remedy: correct the name, or write an absolute \
             path)"
        );
        assert_eq!(start(&stage, &[("TRACING_TYPE", name)]).refusal(), expected);
    }
}

#[test]
fn a_name_that_means_a_plugin_does_not_fall_back_to_the_linked_provider() {
    let stage = Stage::new();
    let ended = start(&stage, &[("TRACING_TYPE", "file"), ("TRACING_PLUGIN__FILE__LINKED", "false")]);
    assert!(
        ended.refusal().starts_with("there is no plugin `file` (searched: plugin_dirs: not set, "),
        "{}",
        ended.log
    );
    assert!(ended.refusal().contains("; remedy: install libspandrel_file.so into "), "{}", ended.log);
    assert!(!stage.path("traces.jsonl").exists());
}

#[test]
fn settings_that_forbid_it_are_named() {
    let stage = Stage::new();
    stage.telltale("libspandrel_telltale.so", &[]);
    stage.telltale("allowed/libspandrel_telltale.so", &[]);
    symlink(stage.path("libspandrel_telltale.so"), stage.path("allowed/link.so")).unwrap();
    let (off, none) = (("TRACING_ALLOW_PLUGINS", "false"), ("", ""));
    for (file, variable, kind, sentence) in [
        (
            "allow_plugins = false",
            none,
            "{here}/libspandrel_telltale.so",
            "plugins are switched off by allow_plugins = false (at: spandrel.toml:1:1; remedy: remove the setting, or link \
             the provider into the program)",
        ),
        (
            "",
            off,
            "{here}/libspandrel_telltale.so",
            "plugins are switched off by allow_plugins = false (at: TRACING_ALLOW_PLUGINS; remedy: remove the setting, or \
             link the provider into the program)",
        ),
        (
            "[plugin.telltale]\nfile = '{here}/libspandrel_telltale.so'",
            off,
            "telltale",
            "plugins are switched off by allow_plugins = false (at: TRACING_ALLOW_PLUGINS; remedy: remove the setting, or \
             link the provider into the program)",
        ),
        // A misspelt name of a linked provider, rather.
        (
            "plugin_dirs = ['{here}']",
            off,
            "fiel",
            "there is no provider `fiel`; did you mean `file`? (available: console, file, jaeger, memory, noop, otlp, zipkin; searched: nowhere, \
             because plugins are switched off by allow_plugins = false (TRACING_ALLOW_PLUGINS); remedy: remove the \
             setting, or link the provider into the program)",
        ),
        (
            "plugin_allowed_dirs = ['{here}/allowed']",
            none,
            "{here}/libspandrel_telltale.so",
            "the plugin file lies outside `plugin_allowed_dirs` (path: {here}/libspandrel_telltale.so; allowed: \
             {here}/allowed; remedy: move it into one of them, or add its directory to `plugin_allowed_dirs`)",
        ),
        (
            "plugin_allowed_dirs = ['{here}/allowed']",
            none,
            "{here}/allowed/link.so",
            "the plugin file lies outside `plugin_allowed_dirs` (path: {here}/libspandrel_telltale.so; allowed: \
             {here}/allowed; remedy: move it into one of them, or add its directory to `plugin_allowed_dirs`; reached by: \
             {here}/allowed/link.so)",
        ),
        (
            "plugin_allowed_dirs = []",
            none,
            "{here}/libspandrel_telltale.so",
            "spandrel.toml:1:1: `plugin_allowed_dirs` is empty, which would allow no plugin; write `allow_plugins = false`",
        ),
        (
            "plugin_allowed_dirs = ['allowed']",
            none,
            "{here}/libspandrel_telltale.so",
            "spandrel.toml:1:1: each directory in `plugin_allowed_dirs` must be an absolute path, not `allowed`; write \
             `{here}/allowed`",
        ),
        (
            "plugin_dirs = ['allowed']",
            none,
            "telltale",
            "spandrel.toml:1:1: each directory in `plugin_dirs` must be an absolute path, not `allowed`; write \
             `{here}/allowed`",
        ),
        (
            "",
            ("SPANDREL_PLUGIN_PATH", "{here}:allowed"),
            "telltale",
            "each directory in the environment variable SPANDREL_PLUGIN_PATH must be an absolute path, not `allowed`; \
             write `{here}/allowed`",
        ),
        (
            "[plugin.telltale]\nfile = 'libspandrel_telltale.so'",
            none,
            "telltale",
            "spandrel.toml:2:1: `file` must be an absolute path, not `libspandrel_telltale.so`; write \
             `{here}/libspandrel_telltale.so`",
        ),
    ] {
        stage.write("spandrel.toml", file);
        let variables: Vec<_> =
            [("TRACING_TYPE", kind), variable].into_iter().filter(|(name, _)| !name.is_empty()).collect();
        assert_eq!(start(&stage, &variables).refusal(), sentence, "{file} {variable:?}");
    }
    stage.write("spandrel.toml", "plugin_allowed_dirs = ['{here}/gone', '{here}/allowed']");
    let ended = start(&stage, &[("TRACING_TYPE", "{here}/allowed/libspandrel_telltale.so")]);
    assert_eq!(ended.told(), ["telltale: telltale: build 1 with {}", "telltale: telltale: build 1 got 100 spans"]);
}

#[test]
fn a_plugin_that_cannot_be_used_can_be_made_to_cost_only_the_traces() {
    let stage = Stage::new();
    stage.write("text.so", "hello\n");
    for (variable, file) in [("noop", ""), ("", "on_error = 'noop'")] {
        stage.write("spandrel.toml", file);
        for (path, sentence) in [
            ("{here}/gone.so", "there is no plugin file at this path (path: {here}/gone.so; remedy: "),
            ("{here}/text.so", "the plugin file is a text file, not a shared library (path: {here}/text.so; remedy: "),
        ] {
            let ended = start(&stage, &[("TRACING_TYPE", path), ("TRACING_ON_ERROR", variable)]);
            let warning = format!("spandrel: warning: tracing is off because on_error = \"noop\": {sentence}");
            assert_eq!((ended.code, ended.log.lines().count()), (Some(0), 1), "{}", ended.log);
            assert!(ended.log.starts_with(&warning), "{}", ended.log);
        }
    }
}
