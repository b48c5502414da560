//! Plugins whose bytes are pinned by their SHA-256.

use std::fs;

use spandrel_integration_tests::stage::{Stage, sha256};

use crate::start;

const WRONG: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TELLTALE: (&str, &str) = ("TRACING_TYPE", "telltale");
const HERE: (&str, &str) = ("SPANDREL_PLUGIN_PATH", "{here}");
const TOLD: [&str; 2] = ["telltale: telltale: build 1 with {}", "telltale: telltale: build 1 got 100 spans"];

#[test]
fn other_bytes_are_refused_with_both_sums() {
    let stage = Stage::new();
    let right = sha256(&stage.telltale("libspandrel_telltale.so", &[]));
    let file = "TRACING_PLUGIN__TELLTALE__FILE";
    let sum = "TRACING_PLUGIN__TELLTALE__SHA256";
    let table = format!("[plugin.telltale]\nsha256 = '{WRONG}'\n");
    let manifest =
        format!("manifest_version = 1\nname = 'telltale'\nlibrary = 'libspandrel_telltale.so'\nsha256 = '{WRONG}'");
    for (variables, toml, manifest, origin) in [
        (&[TELLTALE, HERE, (sum, WRONG)][..], "", "", "[plugin.telltale] of the configuration"),
        (&[TELLTALE, HERE], &table, "", "[plugin.telltale] of the configuration"),
        (
            &[TELLTALE, (file, "{here}/libspandrel_telltale.so"), (sum, WRONG)],
            "",
            "",
            "[plugin.telltale] of the configuration",
        ),
        // What a later setting leaves open stays.
        (&[TELLTALE, (file, "{here}/libspandrel_telltale.so")], &table, "", "[plugin.telltale] of the configuration"),
        (&[TELLTALE, HERE], "", &manifest, "{here}/telltale.toml"),
        // Both count.
        (&[TELLTALE, HERE, (sum, &right)], "", &manifest, "{here}/telltale.toml"),
        (
            &[("TRACING_TYPE", "audit"), ("TRACING_PLUGIN__AUDIT__PROVIDER", "telltale"), HERE],
            &table,
            "",
            "[plugin.telltale] of the configuration",
        ),
    ] {
        stage.write("spandrel.toml", toml);
        match manifest {
            "" => drop(fs::remove_file(stage.path("telltale.toml"))),
            text => stage.write("telltale.toml", text),
        }
        let mut expected = format!(
            "the plugin file is not the one whose SHA-256 is pinned (path: {{here}}/libspandrel_telltale.so; pinned: {WRONG} \
             in {origin}; found: {right}; remedy: compare `sha256sum {{here}}/libspandrel_telltale.so` with what its vendor \
             says, then install it anew or set `sha256`)"
        );
        if !manifest.is_empty() {
            expected = expected.replace("set `sha256`)", "set `sha256`; manifest: {here}/telltale.toml)");
        }
        assert_eq!(start(&stage, variables).refusal(), expected, "{variables:?}");
    }
}

#[test]
fn a_sum_that_is_none_is_refused_with_its_place() {
    let stage = Stage::new();
    stage.telltale("libspandrel_telltale.so", &[]);
    let sum = ("TRACING_PLUGIN__TELLTALE__SHA256", "abc");
    assert_eq!(
        start(&stage, &[TELLTALE, HERE, sum]).refusal(),
        "the environment variable TRACING_PLUGIN__TELLTALE__SHA256 must be a SHA-256 of 64 hexadecimal digits, not `abc`"
    );
    stage.write("spandrel.toml", "[plugin.telltale]\nsha256 = 'abc'\n");
    assert_eq!(
        start(&stage, &[TELLTALE, HERE]).refusal(),
        "spandrel.toml:2:1: `sha256` must be a SHA-256 of 64 hexadecimal digits, not `abc`"
    );
}

#[test]
fn the_right_bytes_are_loaded() {
    let stage = Stage::new();
    let right = sha256(&stage.telltale("libspandrel_telltale.so", &[]));
    for sum in [right.clone(), right.to_uppercase()] {
        let ended = start(&stage, &[TELLTALE, HERE, ("TRACING_PLUGIN__TELLTALE__SHA256", &sum)]);
        assert_eq!((ended.told(), ended.opened()), (TOLD.to_vec(), 1));
    }
}

/// The file is written over in the moment in which its bytes have been compared.
#[test]
fn what_was_verified_is_what_runs() {
    let stage = Stage::new();
    let right = sha256(&stage.telltale("libspandrel_telltale.so", &[]));
    stage.telltale("other.so", &["-DBUILD=\"2\""]);
    stage.write("empty.so", "");
    let sum = ("TRACING_PLUGIN__TELLTALE__SHA256", right.as_str());
    let variables = [TELLTALE, HERE, sum, ("SPANDREL_LOADER_DEBUG", "1")];
    let good = fs::read(stage.path("libspandrel_telltale.so")).unwrap();
    for other in ["other.so", "empty.so"] {
        let [file, other] = ["libspandrel_telltale.so", other].map(|file| stage.path(file));
        fs::write(&file, &good).unwrap();
        let arguments = [file.to_str().unwrap(), other.to_str().unwrap()];
        let ended = stage.run(stage.command(env!("CARGO_BIN_EXE_swapping"), &arguments, &variables));
        let told: Vec<&str> = ended.log.lines().filter(|line| !line.starts_with("loader: ")).collect();
        let expected =
            ["swapped", "plugin telltale: telltale: build 1 with {}", "plugin telltale: telltale: build 1 got 1 spans"];
        assert_eq!((ended.code, told), (Some(0), expected.to_vec()), "{}", ended.log);
        assert_eq!(fs::read(&file).unwrap(), fs::read(&other).unwrap());
        // The next start notices.
        let ended = start(&stage, &variables[..3]);
        assert!(ended.refusal().contains(&format!("found: {}; ", sha256(&other))), "{}", ended.log);
    }
}
