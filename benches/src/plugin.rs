//! The exporter that discards, as a library.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;

/// Builds `benches/plugin` as this program was built, and says where the library is.
pub(crate) fn build() -> Result<PathBuf, Failure> {
    let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
    let program = std::env::current_exe()?;
    let target = program.parent().and_then(Path::parent).ok_or("this program is in no folder")?.join("bench-plugin");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--profile", profile, "--manifest-path"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .env_remove("CARGO_BUILD_TARGET")
        .status()?;
    if !status.success() {
        return Err("the library of `spandrel-plugin` could not be built".into());
    }
    let folder = target.join(if profile == "dev" { "debug" } else { profile });
    Ok(folder.join(format!("{DLL_PREFIX}spandrel_discard{DLL_SUFFIX}")))
}
