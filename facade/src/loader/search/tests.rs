use std::os::unix::fs::symlink;
use std::path::Path;

use super::super::candidate::Candidate;
use super::super::digest;
use super::super::object::samples::Elf;
use super::super::places::Place;
use super::super::settings::{LoaderSettings, NamedPlugin};
use super::super::testing::Folder;
use super::{at, available_in, check_possible, find_in, library_name};

fn library(name: &str) -> Vec<u8> {
    Elf::for_this_process(&format!("spandrel_abi = '1.0'\nname = '{name}'\nversion = '0.1.0'\nkind = 'exporter'\n"))
}

fn place(dir: &Path) -> Place {
    Place { origin: "plugin_dirs", dir: Ok(dir.to_owned()) }
}

fn message(result: Result<Candidate, spandrel_plugin_api::Error>) -> String {
    result.map(|candidate| candidate.path).unwrap_err().to_string()
}

#[test]
fn the_first_place_wins_and_its_manifest_before_its_library() {
    let folder = Folder::new();
    let (first, second) = (folder.folder("first"), folder.folder("second"));
    let settings = LoaderSettings::default();
    let places = [Place { origin: "SPANDREL_PLUGIN_PATH", dir: Err("not set") }, place(&first), place(&second)];
    let find = || find_in("otlp", &settings, &places);

    let last = folder.file("second/libspandrel_otlp.so", &library("otlp"));
    assert_eq!(find().unwrap().path, last);
    let plain = folder.file("first/libspandrel_otlp.so", &library("otlp"));
    let candidate = find().unwrap();
    assert_eq!((candidate.open_path(), candidate.metadata.name.as_str()), (plain.clone(), "otlp"));
    let named = folder.file("first/lib_of_the_vendor.so", &library("otlp"));
    folder.file("first/otlp.toml", b"manifest_version = 1\nname = 'otlp'\nlibrary = 'lib_of_the_vendor.so'");
    assert_eq!(find().unwrap().path, named);
}

#[test]
fn what_is_found_but_bad_is_an_error() {
    let folder = Folder::new();
    let (first, second) = (folder.folder("first"), folder.folder("second"));
    folder.file("second/libspandrel_otlp.so", &library("otlp"));
    let settings = LoaderSettings::default();
    let find = || message(find_in("otlp", &settings, &[place(&first), place(&second)]));

    let bad = folder.file("first/libspandrel_otlp.so", b"");
    assert!(find().starts_with("the plugin file is empty (path: "));
    std::fs::write(&bad, library("zipkin")).unwrap();
    assert_eq!(
        find(),
        format!(
            "the plugin found as `otlp` calls itself `zipkin` (path: {}; remedy: install it as libspandrel_zipkin.so \
             or as zipkin.toml)",
            bad.display()
        )
    );
    std::fs::remove_file(&bad).unwrap();
    symlink(folder.path().join("gone"), &bad).unwrap();
    assert!(find().starts_with("the plugin file is a symbolic link that leads nowhere"));
    let manifest = folder.file("first/otlp.toml", b"manifest_version = 1\nname = 'otlp'\nlibrary = 'x.so'\nx = 1");
    assert!(find().starts_with(&format!("{}:4:1: unknown configuration key `x`", manifest.display())), "{}", find());
    std::fs::write(&manifest, "manifest_version = 1\nname = 'otlp'\nlibrary = 'gone.so'").unwrap();
    assert_eq!(
        find(),
        format!(
            "there is no plugin file at this path (path: {0}/gone.so; remedy: correct the path, or install it; manifest: \
             {0}/otlp.toml)",
            first.display()
        )
    );
    // Which path led to a file is told, too, if it is another.
    std::fs::remove_file(&manifest).unwrap();
    folder.file("elsewhere.so", b"text");
    std::fs::remove_file(&bad).unwrap();
    symlink(folder.path().join("elsewhere.so"), &bad).unwrap();
    assert_eq!(
        find(),
        format!(
            "the plugin file is a text file, not a shared library (path: {}/elsewhere.so; remedy: name the file of a \
             plugin, or install it anew; reached by: {})",
            folder.path().display(),
            bad.display()
        )
    );
}

#[test]
fn nothing_found_is_answered_with_every_place() {
    let folder = Folder::new();
    let here = folder.folder("here");
    let file = folder.file("file", b"");
    folder.file("here/libspandrel_otlp.so", b"");
    folder.file("here/libspandrel_.so", b"");
    folder.file("here/zipkin.toml", b"");
    folder.file("here/README.md", b"");
    let mut settings = LoaderSettings::default();
    let mine = NamedPlugin { file: Some("/x.so".into()), ..NamedPlugin::default() };
    settings.named.insert("mine".to_owned(), mine);
    let places = [
        Place { origin: "plugin_dirs", dir: Err("not set") },
        place(&folder.path().join("gone")),
        place(&file),
        place(&here),
        Place { origin: "", dir: Ok("/usr/lib/nowhere".into()) },
    ];
    let base = folder.path().display();
    assert_eq!(
        message(find_in("oltp", &settings, &places)),
        format!(
            "there is no plugin `oltp`; did you mean `otlp`? (available: mine, otlp, zipkin; searched: plugin_dirs: not \
             set, {base}/gone (plugin_dirs): no such directory, {base}/file (plugin_dirs): not a directory, {base}/here \
             (plugin_dirs): no file libspandrel_oltp.so or oltp.toml in it, /usr/lib/nowhere: no such directory; remedy: \
             install libspandrel_oltp.so into one of these directories, or set its path with [plugin.oltp] file)"
        )
    );
    assert_eq!(available_in(&settings, &places), ["mine", "otlp", "zipkin"]);
    settings.switched_off = Some("x.toml:1:1".to_owned());
    assert!(available_in(&settings, &places).is_empty());
}

#[test]
fn a_pin_holds_and_the_verified_bytes_are_loaded() {
    let folder = Folder::new();
    let bytes = library("otlp");
    let path = folder.file("libspandrel_otlp.so", &bytes);
    let right = digest::of(&bytes);
    let mut settings = LoaderSettings::default();
    let named = NamedPlugin { sha256: Some(right), ..NamedPlugin::default() };
    settings.named.insert("otlp".to_owned(), named);
    let find = |settings: &LoaderSettings| find_in("otlp", settings, &[place(folder.path())]);

    let candidate = find(&settings).unwrap();
    assert_eq!(candidate.path, path);
    assert!(candidate.open_path().starts_with("/proc/self/fd/"));
    std::fs::write(&path, "changed in place").unwrap();
    assert_eq!(std::fs::read(candidate.open_path()).unwrap(), bytes, "what was verified is what is loaded");

    let found = digest::to_hex(&digest::of(b"changed in place"));
    assert_eq!(
        message(find(&settings)),
        format!(
            "the plugin file is not the one whose SHA-256 is pinned (path: {0}; pinned: {1} in [plugin.otlp] of the \
             configuration; found: {found}; remedy: compare `sha256sum {0}` with what its vendor says, then install it \
             anew or set `sha256`)",
            path.display(),
            digest::to_hex(&right)
        )
    );
    // That of the manifest counts besides that of the configuration.
    std::fs::write(&path, &bytes).unwrap();
    let wrong = digest::to_hex(&[7; 32]);
    let manifest = format!("manifest_version = 1\nname = 'otlp'\nlibrary = 'libspandrel_otlp.so'\nsha256 = '{wrong}'");
    let manifest = folder.file("otlp.toml", manifest.as_bytes());
    let text = message(find(&settings));
    assert!(text.contains(&format!("pinned: {wrong} in {}; ", manifest.display())), "{text}");
    assert!(at(&path, &settings, Some(right)).is_ok());
    assert!(at(&path, &settings, Some([7; 32])).is_err());
}

#[test]
fn a_path_is_taken_only_if_it_is_absolute() {
    let folder = Folder::new();
    let path = folder.file("x.so", &library("otlp"));
    let mut settings = LoaderSettings::default();
    assert_eq!(find_in(path.to_str().unwrap(), &settings, &[]).unwrap().open_path(), path);
    let here = std::env::current_dir().unwrap();
    let here = here.display();
    for (given, meant) in [
        ("./x.so", "x.so"),
        ("plugins/x.so", "plugins/x.so"),
        ("x.so", "x.so"),
        ("libspandrel_X.so", "libspandrel_X.so"),
        ("libspandrel_x.so", "libspandrel_x.so, or `x`, which is searched"),
    ] {
        assert_eq!(
            message(find_in(given, &settings, &[])),
            format!("a plugin is named by its absolute path, not by `{given}` (remedy: write {here}/{meant})")
        );
    }
    let other = NamedPlugin { file: Some(path.clone()), ..NamedPlugin::default() };
    settings.named.insert("other".to_owned(), other);
    assert_eq!(find_in("other", &settings, &[]).unwrap().metadata.name, "otlp", "an instance of any name");
    assert_eq!(
        message(find_in("Otlp", &settings, &[])),
        "there is no plugin `Otlp` (searched: nowhere, because the name of a plugin may have a-z, 0-9, `_` and `-` only, \
         not `Otlp`; remedy: correct the name, or write an absolute path)"
    );
}

#[test]
fn a_process_that_loads_nothing_says_why() {
    let mut settings = LoaderSettings::default();
    assert_eq!(
        check_possible(true, &settings).unwrap_err().to_string(),
        "this program cannot load plugins, because it is linked statically with musl (remedy: link the provider into \
         the program, or build it with RUSTFLAGS=\"-C target-feature=-crt-static\")"
    );
    settings.switched_off = Some("spandrel.toml:3:1".to_owned());
    let expected = "plugins are switched off by allow_plugins = false (at: spandrel.toml:3:1; remedy: remove the \
                    setting, or link the provider into the program)";
    assert_eq!(message(at(Path::new("/x.so"), &settings, None)), expected);
    assert_eq!(message(find_in("/x.so", &settings, &[])), expected);
    let named = NamedPlugin { file: Some("/x.so".into()), ..NamedPlugin::default() };
    settings.named.insert("otlp".to_owned(), named);
    assert_eq!(message(find_in("otlp", &settings, &[])), expected);
    // It need not be the name of a plugin.
    assert_eq!(
        message(find_in("fiel", &settings, &[])),
        "there is no plugin `fiel` (searched: nowhere, because plugins are switched off by allow_plugins = false \
         (spandrel.toml:3:1); remedy: remove the setting, or link the provider into the program)"
    );
    assert_eq!(library_name("otlp"), "libspandrel_otlp.so");
}
