//! A manifest that is there and cannot be used is an error, never passed over.

use std::fs;

use spandrel_integration_tests::stage::Stage;

use crate::{platform, start};

const VARIABLES: [(&str, &str); 2] =
    [("TRACING_TYPE", "telltale"), ("SPANDREL_PLUGIN_PATH", "{here}/first:{here}/second")];
const HEAD: &str = "manifest_version = 1\nname = 'telltale'\n";

#[test]
fn a_broken_manifest_is_refused_with_the_place() {
    let stage = Stage::new();
    // Both would do, were the manifest passed over.
    stage.telltale("first/libspandrel_telltale.so", &[]);
    stage.telltale("second/libspandrel_telltale.so", &[]);
    let platform = platform();
    let missing = |key: &str| {
        format!(": `{key}` has nothing for {platform}, only for plan9-mips, solaris-sparc; add `{key}.{platform}`")
    };
    for (text, sentence) in [
        (String::new(), ": `manifest_version = 1` is missing".to_owned()),
        ("manifest_version = ".to_owned(), ":1:20: string values must be quoted, expected literal string".to_owned()),
        (
            "manifest_version = 2\nnew = 1".to_owned(),
            ":1:1: `manifest_version` is 2, and this program knows 1; upgrade spandrel".to_owned(),
        ),
        ("manifest_version = 1".to_owned(), ": `name = \"telltale\"` is missing".to_owned()),
        (
            "manifest_version = 1\nname = 'other'".to_owned(),
            ":2:1: `name` is `other`, and the manifest was found as `telltale`; make them equal".to_owned(),
        ),
        (HEAD.to_owned(), ": `library`, the file of the plugin, is missing".to_owned()),
        (
            format!("{HEAD}library = 3"),
            ":3:1: `library` must be a text, or a table with one for each platform, not 3".to_owned(),
        ),
        (format!("{HEAD}[library]\nplan9-mips = 'a'\nsolaris-sparc = 'b'"), format!(":3:2{}", missing("library"))),
        (
            format!("{HEAD}library = 'x.so'\n[sha256]\nplan9-mips = 'a'\nsolaris-sparc = 'b'"),
            format!(":4:2{}", missing("sha256")),
        ),
        (
            format!("{HEAD}library = 'x.so'\nsha256 = 'abc'"),
            ":4:1: `sha256` must be a SHA-256 of 64 hexadecimal digits, not `abc`".to_owned(),
        ),
        (
            format!("{HEAD}library = 'x.so'\nlicence = 'MIT'"),
            ":4:1: unknown configuration key `licence`; did you mean `license`? (known here: manifest_version, name, \
             version, description, license, url, library, sha256)"
                .to_owned(),
        ),
    ] {
        stage.write("first/telltale.toml", &text);
        assert_eq!(start(&stage, &VARIABLES).refusal(), format!("{{here}}/first/telltale.toml{sentence}"), "{text}");
    }
}

#[test]
fn a_manifest_that_is_no_text_is_refused() {
    let stage = Stage::new();
    stage.telltale("second/libspandrel_telltale.so", &[]);
    fs::write(stage.path("first/telltale.toml"), b"manifest_version = 1\nname = '\xff'").unwrap();
    assert_eq!(
        start(&stage, &VARIABLES).refusal(),
        "the plugin manifest is not UTF-8 (path: {here}/first/telltale.toml; remedy: write it anew, or remove it)"
    );
    fs::remove_file(stage.path("first/telltale.toml")).unwrap();
    fs::create_dir(stage.path("first/telltale.toml")).unwrap();
    assert_eq!(
        start(&stage, &VARIABLES).refusal(),
        "the plugin manifest is a directory, not a regular file (path: {here}/first/telltale.toml; remedy: name a file; \
         directories to search are named by `plugin_dirs`)"
    );
}

#[test]
fn what_a_manifest_leads_to_is_checked_as_any_plugin() {
    let stage = Stage::new();
    stage.telltale("second/libspandrel_telltale.so", &[]);
    stage.telltale("first/other.so", &["-DNAME=\"other\""]);
    stage.write("first/text.so", "text");
    for (library, sentence) in [
        (
            "gone.so",
            "there is no plugin file at this path (path: {here}/first/gone.so; remedy: correct the path, or install it",
        ),
        (
            "text.so",
            "the plugin file is a text file, not a shared library (path: {here}/first/text.so; remedy: name the file of a \
             plugin, or install it anew",
        ),
        (
            "other.so",
            "the plugin found as `telltale` calls itself `other` (path: {here}/first/other.so; remedy: install it as \
             libspandrel_other.so or as other.toml",
        ),
    ] {
        stage.write("first/telltale.toml", &format!("{HEAD}library = '{library}'\n"));
        let expected = format!("{sentence}; manifest: {{here}}/first/telltale.toml)");
        assert_eq!(start(&stage, &VARIABLES).refusal(), expected);
    }
}

#[test]
fn a_library_must_have_the_name_that_it_was_found_by() {
    let stage = Stage::new();
    stage.telltale("first/libspandrel_telltale.so", &["-DNAME=\"other\""]);
    assert_eq!(
        start(&stage, &VARIABLES).refusal(),
        "the plugin found as `telltale` calls itself `other` (path: {here}/first/libspandrel_telltale.so; remedy: install \
         it as libspandrel_other.so or as other.toml)"
    );
}
