//! What the crates may depend on: layers, and how little.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// The layer of a crate; it may use crates of lower layers only.
fn layer(name: &str) -> u32 {
    match name {
        "spandrel-plugin-api"
        | "spandrel-macros"
        | "spandrel-model-server"
        | "spandrel-prices"
        | "spandrel-redaction" => 0,
        "spandrel-propagation" | "spandrel-session" | "spandrel-conformance" | "spandrel-post" => 1,
        "spandrel-recorder" => 2,
        "spandrel" => 4,
        "spandrel-api-client" | "spandrel-log" | "spandrel-tower" | "spandrel-tracing" => 5,
        "spandrel-genai" => 6,
        "spandrel-server" | "spandrel-cli" | "spandrel-examples" | "spandrel-integration-tests" | "spandrel-bench" => 7,
        name if name.starts_with("spandrel-provider-") && name.ends_with("-plugin") => 4,
        name if name.starts_with("spandrel-provider-") => 3,
        other => panic!("{other} has no layer; give it one here and in ARCHITECTURE.md"),
    }
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir("..").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The crates of the workspace, each with its normal dependencies in it.
fn members() -> BTreeMap<String, BTreeSet<String>> {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version=1", "--no-deps"])).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeSet<String> = packages.iter().map(|package| text(&package["name"])).collect();
    let dependencies = |package: &Value| {
        let all = package["dependencies"].as_array().unwrap();
        let normal = all.iter().filter(|dependency| dependency["kind"].is_null());
        normal.map(|dependency| text(&dependency["name"])).filter(|name| names.contains(name)).collect()
    };
    packages.iter().map(|package| (text(&package["name"]), dependencies(package))).collect()
}

#[test]
fn dependencies_point_strictly_down() {
    for (name, dependencies) in members() {
        for dependency in dependencies {
            assert!(layer(&dependency) < layer(&name), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn what_stands_on_the_facade_sees_nothing_below_it() {
    for (name, dependencies) in members().into_iter().filter(|(name, _)| matches!(layer(name), 5 | 6)) {
        // The clients of models are built on the one for HTTP, and a price is a number.
        let more: &[&str] = if name == "spandrel-genai" { &["spandrel-api-client", "spandrel-prices"] } else { &[] };
        let is_allowed = |dependency: &str| dependency == "spandrel" || more.contains(&dependency);
        let below: Vec<_> = dependencies.into_iter().filter(|dependency| !is_allowed(dependency)).collect();
        assert!(below.is_empty(), "{name} sees {below:?}; it may use the public API of the facade only");
    }
}

/// The crates from outside in the tree of the facade.
fn outside_crates(arguments: &[&str]) -> BTreeSet<String> {
    let tree = cargo(&[&["tree", "-p", "spandrel", "-e", "normal,build", "--prefix=none"], arguments].concat());
    let crates = tree.lines().filter_map(|line| line.split(" (").next()).map(str::trim).filter(|line| !line.is_empty());
    crates.filter(|line| !line.starts_with("spandrel")).map(str::to_owned).collect()
}

#[test]
fn the_facade_is_small() {
    let forbidden = ["tokio", "reqwest", "hyper", "ureq", "regex", "abi_stable", "opentelemetry"];
    for (arguments, most) in [(&[][..], 30), (&["--no-default-features"], 8)] {
        let crates = outside_crates(arguments);
        println!("facade {arguments:?}: {} crates from outside", crates.len());
        assert!(crates.len() <= most, "{} crates with {arguments:?}: {crates:#?}", crates.len());
        for name in forbidden {
            let found: Vec<_> = crates.iter().filter(|line| line.split(['-', ' ', '_']).next() == Some(name)).collect();
            assert!(found.is_empty(), "{found:?} with {arguments:?}");
        }
    }
}

/// Who has the official SDK: its provider, and those that compare with it.
const WITH_OPENTELEMETRY: [&str; 4] = [
    "spandrel-provider-opentelemetry",
    "spandrel-provider-opentelemetry-plugin",
    "spandrel-integration-tests",
    "spandrel-bench",
];

#[test]
fn nobody_else_depends_on_a_crate_of_opentelemetry() {
    let found = |selection: &[&str]| {
        let tree = cargo(&[&["tree", "-e", "normal,build", "--prefix=none"], selection].concat());
        let is_one = |line: &&str| line.starts_with("opentelemetry") || line.starts_with("tracing-opentelemetry");
        tree.lines().filter(is_one).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let others = WITH_OPENTELEMETRY.iter().flat_map(|name| ["--exclude", name]);
    let others: Vec<&str> = std::iter::once("--workspace").chain(others).collect();
    assert_eq!(found(&others), BTreeSet::new(), "`cargo tree --invert` says whose it is");
    for name in WITH_OPENTELEMETRY {
        assert!(!found(&["-p", name]).is_empty(), "{name} has none, and need not be named here");
    }
}
