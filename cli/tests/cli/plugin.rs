use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spandrel_integration_tests::plugins::{built_in, c_plugin, plugin, root};
use spandrel_integration_tests::process::{self, Folder};

use crate::support::{ok, run, run_with};

/// A folder with the plugin `file` in `plugins`, where the configuration searches.
fn with_plugin() -> Folder {
    let folder = Folder::new();
    fs::create_dir(folder.file("plugins")).unwrap();
    let library = plugin("file");
    fs::copy(&library, folder.file("plugins").join(library.file_name().unwrap())).unwrap();
    configure(&folder, "file", "linked = false", "path = \"by-plugin.jsonl\"");
    folder
}

fn configure(folder: &Folder, name: &str, plugin: &str, provider: &str) {
    let dirs = folder.file("plugins");
    let text = format!(
        "type = \"{name}\"\nplugin_dirs = [\"{}\"]\n[plugin.{name}]\n{plugin}\n[provider.{name}]\n{provider}\n",
        dirs.display()
    );
    fs::write(folder.file("spandrel.toml"), text).unwrap();
}

#[test]
fn plugins_are_found_and_described_without_being_run() {
    let folder = with_plugin();
    let path = folder.file("plugins").join(plugin("file").file_name().unwrap()).canonicalize().unwrap();
    let list = ok(&folder, &["plugin", "list"]);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(list, format!("file           {version:<10} exporter  ABI 1.0  {}\n", path.display()));
    let info: Value = serde_json::from_str(&ok(&folder, &["plugin", "info", "file", "--json"])).unwrap();
    assert_eq!(
        (&info["name"], &info["kind"], &info["path"]),
        (&"file".into(), &"exporter".into(), &path.to_str().unwrap().into())
    );
    let same = ok(&folder, &["plugin", "info", &format!("plugins/{}", path.file_name().unwrap().to_str().unwrap())]);
    assert!(same.contains(&format!("sha256      {}\n", info["sha256"].as_str().unwrap())), "{same}");
    let places: Value = serde_json::from_str(&ok(&folder, &["plugin", "path", "--json"])).unwrap();
    let first = &places["places"][0];
    assert_eq!((&first["origin"], &first["state"]), (&"plugin_dirs".into(), &"1 plugin files".into()));
    let missing = run(&folder, &["plugin", "info", "nothing"]);
    assert_eq!(
        (missing.code, missing.err.starts_with("error: there is no plugin `nothing`\n")),
        (1, true),
        "{}",
        missing.err
    );

    // Half of a file is no plugin, and says so.
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let list = ok(&folder, &["plugin", "list"]);
    assert!(list.starts_with("file           unusable: the plugin file is "), "{list}");
    let check = run(&folder, &["plugin", "check", "file", "--load"]);
    assert_eq!(check.code, 1);
    assert!(
        check.out.starts_with("failed   file           the plugin file is ") && check.out.contains("remedy: "),
        "{}",
        check.out
    );
}

#[test]
fn a_plugin_is_loaded_in_a_process_of_its_own() {
    let folder = with_plugin();
    let check = ok(&folder, &["plugin", "check", "file"]);
    assert!(check.contains("ok       metadata       file ") && !folder.file("by-plugin.jsonl").exists(), "{check}");
    let check = ok(&folder, &["plugin", "check", "file", "--load"]);
    assert!(check.contains("ok       span           sent, and acknowledged after "), "{check}");
    assert!(ok(&folder, &["show", "by-plugin.jsonl"]).contains("spandrel doctor"));
    // So does the doctor.
    let doctor = ok(&folder, &["doctor"]);
    assert!(doctor.contains("the plugin /") && doctor.contains("ok       span           sent"), "{doctor}");
    assert_eq!(ok(&folder, &["show", "by-plugin.jsonl"]).matches("spandrel doctor").count(), 2);
    // Its own settings are checked where they stand.
    configure(&folder, "file", "linked = false", "paht = 1");
    let wrong = run(&folder, &["plugin", "check", "file", "--load"]);
    assert_eq!(wrong.code, 1);
    assert!(wrong.out.contains("failed   start          unknown configuration key `paht`"), "{}", wrong.out);
    assert!(wrong.out.contains("at: spandrel.toml:6:1"), "{}", wrong.out);
}

/// The plugin that does what its configuration says.
fn misbehaving(folder: &Folder) {
    fs::create_dir(folder.file("plugins")).unwrap();
    let source = folder.file("plugin.c");
    let code = root().join("integration-tests/plugins/misbehaving.c");
    fs::write(&source, format!("#define NAME \"odd\"\n#include \"{}\"\n", code.display())).unwrap();
    assert!(c_plugin(&source, "odd", &folder.file("plugins")).exists());
}

#[test]
fn a_plugin_that_crashes_takes_only_its_process_down() {
    let folder = Folder::new();
    misbehaving(&folder);
    // It notes each call there, and aborts if it cannot.
    configure(&folder, "odd", "", "log = \"/dev/full\"");
    let check = run(&folder, &["plugin", "check", "odd", "--load"]);
    assert_eq!(check.code, 1, "{}", check.err);
    assert!(check.out.contains("the process ended by signal 6 (SIGABRT)"), "{}", check.out);
    let doctor = run(&folder, &["doctor", "--json"]);
    let document: Value = serde_json::from_str(&doctor.out).unwrap();
    assert_eq!((doctor.code, &document["ok"]), (1, &false.into()));

    configure(&folder, "odd", "", "log = \"calls\"\nbehaviour = \"flush=hangs shutdown=hangs\"");
    let check = run(&folder, &["plugin", "check", "odd", "--load", "--timeout", "100ms"]);
    assert_eq!(check.code, 1);
    assert!(check.out.contains("failed   span           "), "{}", check.out);
}

#[test]
fn a_plugin_is_installed_whole() {
    let folder = Folder::new();
    let library = plugin("file");
    let name = library.file_name().unwrap().to_str().unwrap();
    let installed = ok(&folder, &["plugin", "install", library.to_str().unwrap()]);
    let path = folder.file(".local/share/spandrel/plugins").join(name);
    assert!(
        installed.contains(&format!(" as {}\n", path.display())) && installed.contains("sha256 = \""),
        "{installed}"
    );
    assert_eq!(fs::read(&path).unwrap(), fs::read(&library).unwrap());
    assert!(ok(&folder, &["plugin", "list"]).starts_with("file "));
    // Over an older one, and elsewhere.
    ok(&folder, &["plugin", "install", library.to_str().unwrap()]);
    let elsewhere = ok(&folder, &["plugin", "install", library.to_str().unwrap(), "--to", "there"]);
    assert!(elsewhere.contains("services search there with plugin_dirs = [\""), "{elsewhere}");
    let files: Vec<_> = fs::read_dir(folder.file("there")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, [name]);
    let text = run(&folder, &["plugin", "install", "/etc/passwd"]);
    assert_eq!((text.code, text.err.starts_with("error: the plugin file is a text file")), (1, true), "{}", text.err);
}

#[test]
fn a_new_crate_is_a_plugin() {
    let folder = Folder::new();
    for (name, kind, printed) in
        [("made_exporter", "exporter", "> "), ("made_provider", "provider", "> spandrel doctor took ")]
    {
        let checkout = root();
        ok(&folder, &["plugin", "new", name, "--kind", kind, "--spandrel-path", checkout.to_str().unwrap()]);
        let library = build(&folder.file(&format!("spandrel-{name}")), name);
        let variable = format!("TRACING_PROVIDER__{}__PREFIX", name.to_uppercase());
        let check = run_with(&folder, &["plugin", "check", "--load", &library], &[(&variable, "> ")]);
        assert_eq!(check.code, 0, "{}\n{}", check.out, check.err);
        assert!(check.out.contains(&format!("{name} 0.1.0, {kind}, plugin boundary")), "{}", check.out);
        assert!(check.err.lines().any(|line| line.starts_with(printed)), "{}", check.err);
    }
    let again = run(&folder, &["plugin", "new", "made_exporter"]);
    assert_eq!((again.code, again.err.contains("is there already")), (3, true));
    let wrong = run(&folder, &["plugin", "new", "Made-Up"]);
    assert_eq!((wrong.code, wrong.err.contains("a name has a-z, 0-9 and _ only")), (2, true));
    // Without a checkout it is the version of this command.
    ok(&folder, &["plugin", "new", "other"]);
    let manifest = fs::read_to_string(folder.file("spandrel-other/Cargo.toml")).unwrap();
    let version = env!("CARGO_PKG_VERSION").rsplit_once('.').unwrap().0;
    assert!(manifest.contains(&format!("spandrel-plugin-api = {{ version = \"{version}\", features")), "{manifest}");
}

/// Builds the crate with what this run has, and runs its tests.
fn build(dir: &Path, name: &str) -> String {
    // Of this test alone: another run may build a crate of the same name.
    let target = dir.with_file_name("target");
    for arguments in [&["build"][..], &["test", "--lib"]] {
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).args(["--quiet", "--offline"]).arg("--target-dir").arg(&target).current_dir(dir);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let output = process::run(command);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    let library = built_in(&target, "dev").join(format!("{DLL_PREFIX}spandrel_{name}{DLL_SUFFIX}"));
    library.to_str().unwrap().to_owned()
}
