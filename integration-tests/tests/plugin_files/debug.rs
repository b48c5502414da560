//! `SPANDREL_LOADER_DEBUG=1` tells the search and the checks.

use spandrel_integration_tests::stage::{Stage, sha256};

use crate::{platform, start};

const DEBUG: (&str, &str) = ("SPANDREL_LOADER_DEBUG", "1");
const TELLTALE: (&str, &str) = ("TRACING_TYPE", "telltale");

fn decisions(log: &str) -> Vec<&str> {
    log.lines().filter_map(|line| line.strip_prefix("spandrel: info: loader: ")).collect()
}

#[test]
fn the_search_and_each_check_is_told() {
    let stage = Stage::new();
    let right = sha256(&stage.telltale("second/telltale.so", &[]));
    let manifest = "manifest_version = 1\nname = 'telltale'\nlibrary = 'telltale.so'\n";
    stage.write("second/telltale.toml", manifest);
    stage.write("first/other.toml", "");
    let variables = [TELLTALE, ("SPANDREL_PLUGIN_PATH", "{here}/first:{here}/second"), DEBUG];
    let mut expected = vec![
        "telltale: plugin_dirs: not set",
        "telltale: {here}/first (SPANDREL_PLUGIN_PATH): no file libspandrel_telltale.so or telltale.toml in it",
        "telltale: found {here}/second/telltale.toml",
        "{here}/second/telltale.toml: owner, mode and directories of the plugin manifest are fine",
        "{here}/second/telltale.so: owner, mode and directories of the plugin file are fine",
        "{here}/second/telltale.so: it is intact, for this platform, and has metadata",
        "{here}/second/telltale.so: provider telltale 1, ABI 1.0, target unknown",
    ];
    assert_eq!(decisions(&start(&stage, &variables).log), expected);

    stage.write("second/telltale.toml", &format!("{manifest}sha256 = '{right}'\n"));
    let ended = start(&stage, &variables);
    let told = decisions(&ended.log);
    let sealed = told.get(6).copied().unwrap_or_default();
    assert!(
        sealed.starts_with("{here}/second/telltale.so: its bytes are kept sealed at /proc/self/fd/"),
        "{}",
        ended.log
    );
    expected.insert(6, sealed);
    assert_eq!(told, expected);
}

#[test]
fn a_refusal_is_told_with_the_file() {
    let stage = Stage::new();
    stage.write("libspandrel_telltale.so", "text");
    let table = ("TRACING_PLUGIN__TELLTALE__FILE", "{here}/libspandrel_telltale.so");
    let ended = start(&stage, &[TELLTALE, table, DEBUG]);
    let refused = format!(
        "{{here}}/libspandrel_telltale.so: refused: {}",
        ended.log.lines().last().unwrap().strip_prefix("Error: ").unwrap()
    );
    assert_eq!(
        decisions(&ended.log),
        [
            "telltale: [plugin.telltale] names {here}/libspandrel_telltale.so",
            "{here}/libspandrel_telltale.so: owner, mode and directories of the plugin file are fine",
            &refused
        ]
    );
}

#[test]
fn a_plugin_from_cargo_tells_its_target() {
    let stage = Stage::new();
    let path = spandrel_integration_tests::plugins::plugin("noop");
    let ended = start(&stage, &[("TRACING_TYPE", path.to_str().unwrap()), DEBUG]);
    let expected = format!("provider noop 0.1.0, ABI 1.0, target {}, a debug build", platform());
    assert!(decisions(&ended.log).last().is_some_and(|last| last.ends_with(&expected)), "{}", ended.log);
}

#[test]
fn nothing_is_told_unasked() {
    let stage = Stage::new();
    stage.telltale("libspandrel_telltale.so", &[]);
    for value in ["", "0", "off"] {
        let variables = [TELLTALE, ("SPANDREL_PLUGIN_PATH", "{here}"), ("SPANDREL_LOADER_DEBUG", value)];
        assert_eq!(start(&stage, &variables).told().len(), 2);
    }
}
