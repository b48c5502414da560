//! Files that somebody else can change.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

use spandrel_integration_tests::stage::Stage;

use crate::{start, start_with};

/// A user and group of nobody here.
const STRANGER: u32 = 54_321;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

#[track_caller]
fn assert_refused(stage: &Stage, file: &str, sentence: &str) {
    let ended = start_with(stage, &stage.path(file));
    assert_eq!(ended.refusal(), sentence);
}

#[test]
fn what_every_user_may_write_is_refused_with_the_command() {
    let stage = Stage::new();
    let file = stage.telltale("open/x.so", &[]);
    let open = stage.path("open");
    mode(&file, 0o666);
    let refusal = "the plugin file can be written by every user (path: {here}/open/x.so; remedy: chmod go-w \
                   {here}/open/x.so)";
    assert_refused(&stage, "open/x.so", refusal);
    mode(&file, 0o644);
    for open_mode in [0o777, 0o1777] {
        // Only of root's directories a sticky one is fine, as /tmp.
        if open_mode == 0o1777 && is_root() {
            continue;
        }
        mode(&open, open_mode);
        let refusal = "the directory {here}/open, above the plugin file, can be written by every user (path: \
                       {here}/open/x.so; remedy: chmod go-w {here}/open)";
        assert_refused(&stage, "open/x.so", refusal);
    }
    mode(&open, 0o755);
    assert_eq!(start_with(&stage, &file).opened(), 1);
    // Group and others may read and run it.
    mode(&file, 0o755);
    assert_eq!(start_with(&stage, &file).opened(), 1);
}

#[test]
fn a_link_does_not_lend_trust() {
    let stage = Stage::new();
    stage.telltale("open/x.so", &[]);
    mode(&stage.path("open"), 0o777);
    symlink(stage.path("open/x.so"), stage.path("good/x.so")).unwrap();
    symlink(stage.path("open"), stage.path("folder")).unwrap();
    for given in ["good/x.so", "folder/x.so"] {
        let refusal = format!(
            "the directory {{here}}/open, above the plugin file, can be written by every user (path: {{here}}/open/x.so; \
             remedy: chmod go-w {{here}}/open; reached by: {{here}}/{given})"
        );
        assert_refused(&stage, given, &refusal);
    }
    mode(&stage.path("open"), 0o755);
    assert_eq!(start_with(&stage, &stage.path("good/x.so")).opened(), 1);
}

#[test]
fn what_another_group_may_write_is_refused_with_the_command() {
    let stage = Stage::new();
    let file = stage.telltale("x.so", &[]);
    mode(&file, 0o664);
    // The group of this process is as trusted as its user.
    assert_eq!(start_with(&stage, &file).opened(), 1);
    if let Err(error) = chown(&file, None, Some(STRANGER)) {
        println!("skipped: a file cannot be given to another group here: {error}");
        return;
    }
    let refusal = "the plugin file can be written by group 54321 (path: {here}/x.so; remedy: chmod g-w {here}/x.so)";
    assert_refused(&stage, "x.so", refusal);
    mode(&file, 0o644);
    assert_eq!(start_with(&stage, &file).opened(), 1);
    fs::create_dir(stage.path("folder")).unwrap();
    fs::rename(&file, stage.path("folder/x.so")).unwrap();
    chown(stage.path("folder"), None, Some(STRANGER)).unwrap();
    mode(&stage.path("folder"), 0o775);
    let refusal = "the directory {here}/folder, above the plugin file, can be written by group 54321 (path: \
                   {here}/folder/x.so; remedy: chmod g-w {here}/folder)";
    assert_refused(&stage, "folder/x.so", refusal);
}

#[test]
fn what_belongs_to_another_user_is_refused_unless_that_one_is_trusted() {
    let stage = Stage::new();
    let file = stage.telltale("x.so", &[]);
    if let Err(error) = chown(&file, Some(STRANGER), None) {
        println!("skipped: a file cannot be given to another user here: {error}");
        return;
    }
    let refusal = "the plugin file belongs to user 54321, whom this process does not trust (path: {here}/x.so; remedy: \
                   chown root {here}/x.so, or set plugin_trusted_owners = [54321])";
    assert_refused(&stage, "x.so", refusal);
    // The remedy helps.
    stage.write("spandrel.toml", "plugin_trusted_owners = [54321]\n");
    assert_eq!(start_with(&stage, &file).opened(), 1);
    stage.write("spandrel.toml", "");

    fs::rename(&file, stage.path("folder/x.so")).unwrap();
    chown(stage.path("folder/x.so"), Some(0), None).unwrap();
    chown(stage.path("folder"), Some(STRANGER), None).unwrap();
    let refusal = "the directory {here}/folder, above the plugin file, belongs to user 54321, whom this process does not \
                   trust (path: {here}/folder/x.so; remedy: chown root {here}/folder, or set plugin_trusted_owners = \
                   [54321])";
    assert_refused(&stage, "folder/x.so", refusal);
}

/// A manifest says which library is loaded, so it is held to the same.
#[test]
fn manifests_are_checked_alike() {
    let stage = Stage::new();
    stage.telltale("telltale.so", &[]);
    stage.write("telltale.toml", "manifest_version = 1\nname = 'telltale'\nlibrary = 'telltale.so'\n");
    mode(&stage.path("telltale.toml"), 0o666);
    let variables = [("TRACING_TYPE", "telltale"), ("SPANDREL_PLUGIN_PATH", "{here}")];
    assert_eq!(
        start(&stage, &variables).refusal(),
        "the plugin manifest can be written by every user (path: {here}/telltale.toml; remedy: chmod go-w \
         {here}/telltale.toml)"
    );
    mode(&stage.path("telltale.toml"), 0o644);
    assert_eq!(start(&stage, &variables).opened(), 1);
}
