//! A plugin that cannot be used costs a program one sentence with the remedy, never a crash:
//! each in a program of its own, because it is `dlopen` that would kill it.

#![cfg(target_os = "linux")]

mod boundary;
mod bytes;
mod creates;
mod debug;
mod manifests;
mod owners;
mod paths;
mod pins;
mod privileged;

use std::path::Path;

use spandrel_integration_tests::stage::{Ended, Stage};

const TRACED: &str = env!("CARGO_BIN_EXE_traced");

/// Starts a program with these variables, `{here}` being the folder.
fn start(stage: &Stage, variables: &[(&str, &str)]) -> Ended {
    stage.run(stage.command(TRACED, &["return"], variables))
}

/// Starts one that has the plugin at this path.
fn start_with(stage: &Stage, plugin: &Path) -> Ended {
    start(stage, &[("TRACING_TYPE", plugin.to_str().unwrap())])
}

/// The words for this platform.
fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}
