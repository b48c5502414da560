//! Plugins, built once for each run of the tests: `cargo test` builds no dynamic
//! libraries.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The library of a provider of this repository, `libspandrel_<word>.so`.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn plugin(word: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let words = ["console", "file", "jaeger", "memory", "noop", "opentelemetry", "otlp", "zipkin"];
        let packages = words.map(|word| format!("-pspandrel-provider-{word}-plugin"));
        let arguments: Vec<&str> = packages.iter().map(String::as_str).collect();
        build(&root().join("Cargo.toml"), "dev", &arguments)
    });
    library(folder, word)
}

/// The library of a provider of this repository as it is shipped: small, stripped.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn shipped_plugin(word: &str) -> PathBuf {
    let package = format!("-pspandrel-provider-{word}-plugin");
    library(&build(&root().join("Cargo.toml"), "plugin", &[&package]), word)
}

/// Builds a crate with its own manifest, one of `examples/plugins/rust` or
/// `integration-tests/plugins`; `word` names its provider.
///
/// # Panics
///
/// If it cannot be built.
#[must_use]
pub fn foreign_plugin(manifest: &str, profile: &str, word: &str) -> PathBuf {
    // Such a crate names ours as it would if they came from the registry. A patch that
    // it does not need would be written into its lock file.
    let text = std::fs::read_to_string(root().join(manifest)).expect("the crate has a manifest");
    let ours = [("plugin-api", "plugin-api"), ("recorder", "recorder"), ("provider-file", "providers/file")];
    let used = ours.iter().filter(|(name, _)| text.contains(&format!("spandrel-{name} =")));
    let patches: Vec<String> = used
        .map(|(name, path)| {
            format!("--config=patch.crates-io.spandrel-{name}.path=\"{}\"", root().join(path).display())
        })
        .collect();
    let arguments: Vec<&str> = patches.iter().map(String::as_str).collect();
    library(&build(&root().join(manifest), profile, &arguments), word)
}

/// Compiles one C file into `folder` with `$CC`, or `cc`.
///
/// # Panics
///
/// If that fails.
#[must_use]
pub fn c_plugin(source: &Path, word: &str, folder: &Path) -> PathBuf {
    let library = library(folder, word);
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let output = Command::new(&compiler)
        .args(["-shared", "-fPIC", "-pthread", "-O1", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(root().join("plugin-api/include"))
        .arg("-o")
        .arg(&library)
        .arg(source)
        .output();
    let output = output.unwrap_or_else(|error| panic!("{compiler} does not run: {error}; set CC"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

/// The folder of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or_else(|| here.to_owned(), Path::to_owned)
}

fn library(folder: &Path, word: &str) -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    folder.join(format!("{DLL_PREFIX}spandrel_{word}{DLL_SUFFIX}"))
}

/// Builds with the cargo of this run, into a folder of its own, as this run may hold
/// the lock of the usual one.
fn build(manifest: &Path, profile: &str, arguments: &[&str]) -> PathBuf {
    let target = root().join("target/plugins");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--lib", "--profile", profile, "--manifest-path"])
        .arg(manifest)
        .arg("--target-dir")
        .arg(&target)
        .args(arguments)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    built_in(&target, profile)
}

/// Where cargo puts what it builds into this folder, for the target of this run too.
#[must_use]
pub fn built_in(target: &Path, profile: &str) -> PathBuf {
    let platform = std::env::var_os("CARGO_BUILD_TARGET").map(|platform| target.join(platform));
    platform.as_deref().unwrap_or(target).join(if profile == "dev" { "debug" } else { profile })
}
