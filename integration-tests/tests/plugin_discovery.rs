//! Where a name leads, and what the settings make of a plugin: told by the plugin itself.

#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use spandrel_integration_tests::plugins::plugin;
use spandrel_integration_tests::stage::{Ended, Stage, sha256};
use spandrel_integration_tests::trace_file::TraceFile;

const TRACED: &str = env!("CARGO_BIN_EXE_traced");
const TELLTALE: (&str, &str) = ("TRACING_TYPE", "telltale");
const HERE: (&str, &str) = ("SPANDREL_PLUGIN_PATH", "{here}");

fn start(stage: &Stage, variables: &[(&str, &str)]) -> Ended {
    stage.run(stage.command(TRACED, &["return"], variables))
}

/// The build that was loaded, if it was the only one and got all spans.
#[track_caller]
fn build(ended: &Ended) -> String {
    let told = ended.told();
    let build = told[0].strip_prefix("telltale: telltale: build ").and_then(|rest| rest.strip_suffix(" with {}"));
    let build = build.unwrap_or_else(|| panic!("{told:?}"));
    assert_eq!(told[1..], [format!("telltale: telltale: build {build} got 100 spans")]);
    assert_eq!(ended.opened(), 1);
    build.to_owned()
}

/// How many spans are in a trace file.
fn spans(stage: &Stage, file: &str) -> usize {
    let file = TraceFile::read(&stage.path(file));
    assert_eq!((file.unreadable, file.is_torn), (0, false));
    assert_eq!(file.distinct_ids(), file.spans.len());
    file.spans.len()
}

/// Each place is the first one in turn, when those before it have nothing.
#[test]
fn the_places_are_searched_in_their_order() {
    let stage = Stage::new();
    let program = stage.install(Path::new(TRACED), "bin/traced");
    stage.write("spandrel.toml", "plugin_dirs = ['{here}/dir1', '${BASE:-{here}}/dir2']\n");
    let places = ["dir1", "dir2", "path1", "path2", "bin/spandrel-plugins", "xdg/spandrel/plugins"];
    for (i, place) in places.iter().enumerate() {
        stage.telltale(&format!("{place}/libspandrel_telltale.so"), &[&format!("-DBUILD=\"{i}\"")]);
    }
    let variables =
        [TELLTALE, ("SPANDREL_PLUGIN_PATH", ":{here}/path1::{here}/path2"), ("XDG_DATA_HOME", "{here}/xdg")];
    for (i, place) in places.iter().enumerate() {
        let ended = stage.run(stage.command(program.to_str().unwrap(), &["return"], &variables));
        assert_eq!(build(&ended), i.to_string(), "{place}");
        fs::remove_file(stage.path(&format!("{place}/libspandrel_telltale.so"))).unwrap();
    }
    let ended = stage.run(stage.command(program.to_str().unwrap(), &["return"], &variables));
    assert!(ended.refusal().starts_with("there is no provider `telltale`"), "{}", ended.log);

    // Without XDG_DATA_HOME, or with a relative one, as its specification says.
    stage.telltale("home/.local/share/spandrel/plugins/libspandrel_telltale.so", &[]);
    for data in ["", "xdg"] {
        assert_eq!(build(&start(&stage, &[TELLTALE, ("XDG_DATA_HOME", data)])), "1");
    }
}

#[test]
fn a_manifest_leads_to_the_library() {
    let stage = Stage::new();
    let absolute = stage.telltale("elsewhere/absolute.so", &["-DBUILD=\"absolute\""]);
    let below = stage.telltale("lib/below.so", &["-DBUILD=\"below\""]);
    stage.telltale("libspandrel_telltale.so", &["-DBUILD=\"beside\""]);
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let sum = sha256(&below);
    for (rest, expected) in [
        ("library = 'lib/below.so'".to_owned(), "below"),
        ("library = '../{name}/lib/below.so'".replace("{name}", &folder_name(&stage)), "below"),
        (format!("library = '{}'", absolute.display()), "absolute"),
        (format!("[library]\n{platform} = 'lib/below.so'\nplan9-mips = 'gone.so'"), "below"),
        (format!("library = 'lib/below.so'\nsha256 = '{sum}'"), "below"),
        (
            format!("library = 'lib/below.so'\n[sha256]\nplan9-mips = 'x'\n{platform} = '{}'", sum.to_uppercase()),
            "below",
        ),
        (
            "version = '9'\ndescription = 'd'\nlicense = 'MIT'\nurl = 'https://example.org'\nlibrary = 'lib/below.so'"
                .to_owned(),
            "below",
        ),
    ] {
        stage.write("telltale.toml", &format!("manifest_version = 1\nname = 'telltale'\n{rest}\n"));
        assert_eq!(build(&start(&stage, &[TELLTALE, HERE])), expected, "{rest}");
    }
    fs::remove_file(stage.path("telltale.toml")).unwrap();
    assert_eq!(build(&start(&stage, &[TELLTALE, HERE])), "beside");
}

fn folder_name(stage: &Stage) -> String {
    stage.path("").file_name().unwrap().to_string_lossy().into_owned()
}

/// An instance has the name and the settings of its table, whatever the provider calls itself.
#[test]
fn a_table_makes_an_instance_of_a_plugin() {
    let stage = Stage::new();
    let library = stage.telltale("libspandrel_telltale.so", &[]);
    let audit = ("TRACING_TYPE", "audit");
    let pinned = format!("[plugin.telltale]\nsha256 = '{}'\n[plugin.audit]\nprovider = 'telltale'", sha256(&library));
    for (file, variables) in [
        ("[plugin.audit]\nprovider = 'telltale'", &[audit][..]),
        ("[plugin.audit]\nfile = '{here}/libspandrel_telltale.so'", &[audit]),
        (&pinned, &[audit]),
        ("", &[audit, ("TRACING_PLUGIN__AUDIT__PROVIDER", "telltale")]),
        ("", &[audit, ("TRACING_PLUGIN__AUDIT__FILE", "{here}/libspandrel_telltale.so")]),
        // The variable wins over the file.
        (
            "type = 'noop'\n[plugin.audit]\nfile = '{here}/gone.so'",
            &[audit, ("TRACING_PLUGIN__AUDIT__PROVIDER", "telltale")],
        ),
        ("type = 'audit'\n[plugin.audit]\nfile = '{here}/libspandrel_telltale.so'", &[]),
    ] {
        let settings = "\n[provider.audit]\nwhere = 'there'\n[provider.telltale]\nwhere = 'not here'\n";
        stage.write("spandrel.toml", &format!("{file}{settings}"));
        assert_eq!(
            start(&stage, &[variables, &[HERE]].concat()).told(),
            ["telltale: audit: build 1 with {where = \"there\" }", "telltale: audit: build 1 got 100 spans"],
            "{file}"
        );
    }
}

#[test]
fn a_name_means_the_linked_provider_unless_it_is_said_otherwise() {
    let stage = Stage::new();
    let loaded = plugin("file");
    symlink(&loaded, stage.path("good/libspandrel_file.so")).unwrap();
    stage.write("bad/libspandrel_file.so", "text");
    let file = ("TRACING_TYPE", "file");
    let (bad, good) = (("SPANDREL_PLUGIN_PATH", "{here}/bad"), ("SPANDREL_PLUGIN_PATH", "{here}/good"));
    let debug = ("SPANDREL_LOADER_DEBUG", "1");
    let unlinked = ("TRACING_PLUGIN__FILE__LINKED", "false");
    let [by_path, sum] = [loaded.to_str().unwrap(), &sha256(&loaded)].map(str::to_owned);
    for (variables, is_loaded) in [
        (&[file, bad][..], false),
        (&[file, good], false),
        (&[file, good, ("TRACING_PLUGIN__FILE__LINKED", "true")], false),
        // A pin says what a plugin must be, not that it is one.
        (&[file, bad, ("TRACING_PLUGIN__FILE__SHA256", &sum)], false),
        (&[file, good, unlinked], true),
        (&[file, good, unlinked, ("TRACING_PLUGIN__FILE__SHA256", &sum)], true),
        (&[file, bad, ("TRACING_PLUGIN__FILE__FILE", &by_path)], true),
        (&[("TRACING_TYPE", &by_path)], true),
        (&[("TRACING_TYPE", "more"), ("TRACING_PLUGIN__MORE__PROVIDER", "file"), bad], false),
        (&[("TRACING_TYPE", "more"), ("TRACING_PLUGIN__MORE__PROVIDER", "file"), good, unlinked], true),
    ] {
        let ended = start(&stage, &[variables, &[debug]].concat());
        let found = ended.log.contains(": provider file 0.1.0, ABI 1.0");
        assert_eq!((ended.code, found), (Some(0), is_loaded), "{variables:?}: {}", ended.log);
        assert_eq!(ended.log.is_empty(), !is_loaded, "{variables:?}: {}", ended.log);
        assert_eq!(spans(&stage, "traces.jsonl"), 100, "{variables:?}");
        fs::remove_file(stage.path("traces.jsonl")).unwrap();
    }
}

#[test]
fn linked_and_loaded_work_side_by_side() {
    let stage = Stage::new();
    let loaded = plugin("file");
    let settings =
        format!("[plugin.loaded]\nfile = '{}'\n[provider.loaded]\npath = 'loaded.jsonl'\n", loaded.display());
    stage.write("spandrel.toml", &settings);
    for types in ["file,loaded", "loaded,file"] {
        assert_eq!(start(&stage, &[("TRACING_TYPE", types)]).told(), [""; 0]);
        let [mut linked, mut loaded] = ["traces.jsonl", "loaded.jsonl"].map(|file| {
            assert_eq!(spans(&stage, file), 100);
            let spans = TraceFile::read(&stage.path(file)).spans;
            fs::remove_file(stage.path(file)).unwrap();
            spans
        });
        linked.sort_by_key(ToString::to_string);
        loaded.sort_by_key(ToString::to_string);
        assert_eq!(linked, loaded, "each has all spans, ids and times included");
    }
}

#[test]
fn several_plugins_work_side_by_side() {
    let stage = Stage::new();
    let telltale = stage.telltale("libspandrel_telltale.so", &[]);
    stage.telltale("libspandrel_other.so", &["-DNAME=\"other\"", "-DBUILD=\"2\""]);
    fs::copy(&telltale, stage.path("copy.so")).unwrap();
    symlink(&telltale, stage.path("link.so")).unwrap();
    let telltale = telltale.to_str().unwrap();
    for (types, instances, opened) in [
        ("telltale,other", vec![("telltale: telltale: build 1", "{}"), ("other: other: build 2", "{}")], 2),
        // Settings of their own, one library.
        ("one,two", vec![("telltale: one: build 1", "{x = 1 }"), ("telltale: two: build 1", "{x = 2 y = 3 }")], 1),
        ("telltale,telltale", vec![("telltale: telltale: build 1", "{}"); 2], 1),
        ("{here}/libspandrel_telltale.so,{here}/link.so", vec![("telltale: telltale: build 1", "{}"); 2], 1),
        // To the system, the same bytes at another path are another library.
        ("{here}/libspandrel_telltale.so,{here}/copy.so", vec![("telltale: telltale: build 1", "{}"); 2], 2),
        (
            "telltale, noop, {here}/libspandrel_other.so",
            vec![("telltale: telltale: build 1", "{}"), ("other: other: build 2", "{}")],
            2,
        ),
    ] {
        let variables = [
            ("TRACING_TYPE", types),
            HERE,
            ("TRACING_PLUGIN__ONE__FILE", telltale),
            ("TRACING_PLUGIN__TWO__PROVIDER", "telltale"),
            ("TRACING_PROVIDER__ONE__X", "1"),
            ("TRACING_PROVIDER__TWO__X", "2"),
            ("TRACING_PROVIDER__TWO__Y", "3"),
        ];
        let ended = start(&stage, &variables);
        let told = ended.told();
        let (created, ended_with) = told.split_at(instances.len());
        let created_as: Vec<String> = instances.iter().map(|(name, config)| format!("{name} with {config}")).collect();
        assert_eq!(created, created_as, "{types}");
        let mut got: Vec<String> = instances.iter().map(|(name, _)| format!("{name} got 100 spans")).collect();
        let mut ended_with = ended_with.to_vec();
        got.sort_unstable();
        ended_with.sort_unstable();
        assert_eq!(ended_with, got, "{types}");
        assert_eq!(ended.opened(), opened, "{types}");
    }
}

#[test]
fn the_variable_of_opentelemetry_may_name_plugins() {
    let stage = Stage::new();
    stage.telltale("libspandrel_telltale.so", &[]);
    for names in ["telltale", "{here}/libspandrel_telltale.so", "none,telltale"] {
        assert_eq!(build(&start(&stage, &[("OTEL_TRACES_EXPORTER", names), HERE])), "1", "{names}");
    }
    // Of others it may have been meant for, so the rest works.
    let ended = start(&stage, &[("OTEL_TRACES_EXPORTER", "logging,telltale"), HERE]);
    let told = ended.told();
    assert_eq!(
        told[0],
        "spandrel: warning: OTEL_TRACES_EXPORTER names providers that this program does not have, they are left out: \
         logging; set TRACING_TYPE to choose another"
    );
    assert_eq!(told[1..].len(), 2, "{told:?}");
    // Where it is meant for this program alone, a name is a mistake.
    let ended = start(&stage, &[("OTEL_TRACES_EXPORTER", "telltale"), ("TRACING_TYPE", "logging"), HERE]);
    assert!(ended.refusal().starts_with("there is no provider `logging` (available: "), "{}", ended.log);
}

#[test]
fn settings_of_a_plugin_are_no_surprise_however_it_is_named() {
    let stage = Stage::new();
    stage.telltale("libspandrel_telltale.so", &[]);
    let set = ("TRACING_PROVIDER__TELLTALE__X", "1");
    let table = ("TRACING_PLUGIN__TELLTALE__FILE", "{here}/libspandrel_telltale.so");
    for variables in [
        &[("TRACING_TYPE", "{here}/libspandrel_telltale.so"), set][..],
        &[TELLTALE, HERE, set],
        &[TELLTALE, table, set],
        &[("OTEL_TRACES_EXPORTER", "{here}/libspandrel_telltale.so"), set],
    ] {
        let expected = ["telltale: telltale: build 1 with {x = 1 }", "telltale: telltale: build 1 got 100 spans"];
        assert_eq!(start(&stage, variables).told(), expected, "{variables:?}");
    }
    // Not used now, but there.
    for variables in [[("TRACING_TYPE", "noop"), HERE, set], [("TRACING_TYPE", "noop"), table, set]] {
        assert_eq!(start(&stage, &variables).told(), [""; 0], "{variables:?}");
    }
    let misspelt = ("TRACING_PROVIDER__TELTALE__X", "1");
    assert_eq!(
        start(&stage, &[TELLTALE, HERE, misspelt]).told()[1],
        "spandrel: warning: there are settings for a provider `teltale`, which this program does not have; did you mean \
         `telltale`?"
    );
}
