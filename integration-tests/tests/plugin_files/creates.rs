//! Plugins that are fine, and cannot be set up all the same.

use spandrel_integration_tests::plugins::foreign_plugin;
use spandrel_integration_tests::stage::Stage;

use crate::{start, start_with};

const PLUGIN: (&str, &str) = ("TRACING_TYPE", "{here}/x.so");
const NOT_A_NUMBER: &str = "-DCREATE=spandrel_fail(error, SPANDREL_CONFIG_INVALID, \"must be a number\")";

#[test]
fn a_setting_is_named_with_where_it_was_set() {
    let stage = Stage::new();
    stage.telltale("x.so", &[NOT_A_NUMBER, "-DSETTING=\"depth\""]);
    let variable = ("TRACING_PROVIDER__TELLTALE__DEPTH", "deep");
    for (file, variables, sentence) in [
        (
            "",
            &[PLUGIN, variable][..],
            "must be a number (key: depth; at: TRACING_PROVIDER__TELLTALE__DEPTH; provider: telltale)",
        ),
        (
            "type = 'noop'\n[provider.telltale]\n  depth = 'deep'\n",
            &[PLUGIN],
            "must be a number (key: depth; at: spandrel.toml:3:3; provider: telltale)",
        ),
        (
            "[provider.telltale]\ndepth = 'deep'\n",
            &[PLUGIN, variable],
            "must be a number (key: depth; at: TRACING_PROVIDER__TELLTALE__DEPTH; provider: telltale)",
        ),
        (
            "[provider.audit]\ndepth = 'deep'\n[plugin.audit]\nfile = '{here}/x.so'\n",
            &[("TRACING_TYPE", "audit")],
            "must be a number (key: depth; at: spandrel.toml:2:1; provider: audit)",
        ),
        // It is missing, so there is no place.
        ("", &[PLUGIN], "must be a number (key: depth; provider: telltale)"),
    ] {
        stage.write("spandrel.toml", file);
        assert_eq!(start(&stage, variables).late_refusal(), sentence, "{file}");
    }
    stage.telltale("x.so", &[NOT_A_NUMBER, "-DSETTING=\"limits.depth\""]);
    stage.write("spandrel.toml", "[provider.telltale]\nlimits = { width = 1, depth = 'deep' }\n");
    assert_eq!(
        start(&stage, &[PLUGIN]).late_refusal(),
        "must be a number (key: limits.depth; at: spandrel.toml:2:23; provider: telltale)"
    );
    // The path of the configuration is in the sentence, if it is another.
    stage.write("etc/shop.toml", "[provider.telltale.limits]\ndepth = 'deep'\n");
    assert_eq!(
        start(&stage, &[PLUGIN, ("SPANDREL_CONFIG", "{here}/etc/shop.toml")]).late_refusal(),
        "must be a number (key: limits.depth; at: {here}/etc/shop.toml:2:1; provider: telltale)"
    );
}

#[test]
fn a_plugin_that_says_little_is_still_named() {
    let stage = Stage::new();
    for (argument, sentence) in [
        (
            "-DCREATE=spandrel_fail(error, SPANDREL_UNAVAILABLE, \"nobody answers\")",
            "nobody answers (provider: telltale)",
        ),
        ("-DCREATE=SPANDREL_INTERNAL", "the plugin answered with status 10 and without a text (provider: telltale)"),
        ("-DCREATE=99", "the plugin answered with status 99 and without a text (provider: telltale)"),
        ("-DCREATE=SPANDREL_PANICKED", "the plugin answered with status 7 and without a text (provider: telltale)"),
        (
            "-DCREATE=SPANDREL_OK",
            "the plugin is an exporter, but hands out no table of one (path: {here}/x.so; remedy: tell its author, or \
             install another version; provider: telltale)",
        ),
    ] {
        stage.telltale("x.so", &[argument]);
        assert_eq!(start(&stage, &[PLUGIN]).late_refusal(), sentence, "{argument}");
    }
}

/// The place of the panic is told by the plugin, and the sentence of the program follows.
#[test]
fn a_panic_in_rust_is_a_sentence_too() {
    let stage = Stage::new();
    for (folder, word) in [("exporter", "panicking"), ("live", "panicking_live")] {
        let library = foreign_plugin(&format!("integration-tests/plugins/panicking/{folder}/Cargo.toml"), "dev", word);
        stage.write("spandrel.toml", &format!("[provider.{word}]\nentry = 'create'\n"));
        let ended = start_with(&stage, &library);
        let lines: Vec<&str> = ended.log.lines().collect();
        assert_eq!((ended.code, ended.signal, lines.len()), (Some(1), None, 2), "{}", ended.log);
        assert!(lines[0].starts_with(&format!("spandrel: warning: plugin {word}: panicked at src/")), "{}", ended.log);
        assert_eq!(lines[1], format!("Error: the plugin panicked: create, by the test (provider: {word})"));
    }
}
