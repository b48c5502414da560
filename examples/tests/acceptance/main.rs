//! One and the same program, not built again, traced by one provider after the other: linked into
//! it, in a dynamic library, written in C, written by others. Each gives the same traces.

#![cfg(unix)]

mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use spandrel_integration_tests::plugins::{c_plugin, foreign_plugin, plugin, root};
use spandrel_integration_tests::process::{Folder, command, run};
use spandrel_integration_tests::stage::sha256;

use seen::{Seen, Span};

const QUICKSTART: &str = env!("CARGO_BIN_EXE_quickstart");
const SPANS: usize = 274;
const TRACES: usize = 24;

/// What a provider has written.
struct Written {
    file: &'static str,
    read: fn(&str) -> Vec<Span>,
}

const TRACE_FILE: Written = Written { file: "traces.jsonl", read: seen::in_trace_file };

/// Runs the program; `providers` are those which it says have got all spans.
#[track_caller]
fn spans_of<const N: usize>(variables: &[(&str, &str)], providers: &[&str], written: [Written; N]) -> [Vec<Span>; N] {
    let folder = Folder::new();
    let output = run(command(QUICKSTART, &folder, &[], variables));
    let [said, log] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(output.status.code(), Some(0), "{variables:?}: {said}{log}");
    let accounts: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("spans     ")).collect();
    let all = |name: &&str| format!("{name}: {SPANS} recorded = {SPANS} exported + 0 dropped + 0 pending, balanced");
    assert_eq!(accounts, providers.iter().map(all).collect::<Vec<_>>(), "{said}");
    assert!(said.contains("24 sent: 21 ok, 3 failed as intended, 0 went wrong"), "{said}");
    let complaints: Vec<&str> = log.lines().filter(|line| line.contains("warning")).collect();
    assert_eq!(complaints, [""; 0]);
    let is_expected = |name: &str| written.iter().any(|written| written.file == name);
    let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let others: Vec<String> = files.filter(|name| !is_expected(name)).collect();
    assert_eq!(others, [""; 0], "nothing else is written");
    written.map(|written| {
        let text = std::fs::read_to_string(folder.file(written.file)).unwrap();
        (written.read)(&seen::without_ports(&text))
    })
}

/// What is the same in each run, and how often it is there.
fn counted(seen: Vec<Seen>) -> BTreeMap<Seen, usize> {
    let mut counted = BTreeMap::new();
    seen.into_iter().for_each(|seen| *counted.entry(seen).or_default() += 1);
    counted
}

#[track_caller]
fn assert_same(provider: &str, found: Vec<Seen>, expected: Vec<Seen>) {
    let (found, expected) = (counted(found), counted(expected));
    let only = |these: &BTreeMap<Seen, usize>, those: &BTreeMap<Seen, usize>| -> String {
        let only = these.iter().filter(|(seen, count)| those.get(seen) != Some(count));
        only.map(|(seen, count)| format!("\n  {count} {seen:?}")).collect()
    };
    let (surplus, missing) = (only(&found, &expected), only(&expected, &found));
    assert!(surplus.is_empty() && missing.is_empty(), "{provider} has{surplus}\nand should have{missing}");
}

#[test]
fn each_provider_gives_the_same_traces_of_the_same_program() {
    let program = sha256(Path::new(QUICKSTART));
    println!("quickstart {program}");
    let folder = Folder::new();
    let print = c_plugin(&root().join("examples/plugins/c/print.c"), "print", folder.path());
    let journal = foreign_plugin("examples/plugins/rust/journal/Cargo.toml", "dev", "journal");
    let file = plugin("file");
    let [print, journal, file] = [&print, &journal, &file].map(|path| path.to_str().unwrap());
    let plugins = Path::new(file).parent().unwrap().to_str().unwrap();

    let [linked] = spans_of(&[], &["file"], [TRACE_FILE]);
    assert_eq!((linked.len(), seen::traces(&linked)), (SPANS, TRACES));
    let expected = || seen::in_full(&linked);

    let unlinked =
        [("TRACING_TYPE", "file"), ("TRACING_PLUGIN__FILE__LINKED", "false"), ("SPANDREL_PLUGIN_PATH", plugins)];
    let [loaded] = spans_of(&unlinked, &["file"], [TRACE_FILE]);
    assert_same("file, loaded by name", seen::in_full(&loaded), expected());

    let [loaded] = spans_of(&[("TRACING_TYPE", file)], &["file"], [TRACE_FILE]);
    assert_same("file, loaded by path", seen::in_full(&loaded), expected());

    let by_path = [("TRACING_TYPE", journal), ("TRACING_PROVIDER__JOURNAL__PATH", "journal.jsonl")];
    let [live] = spans_of(&by_path, &["journal"], [Written { file: "journal.jsonl", read: seen::in_journal }]);
    assert_same("journal", seen::in_full(&live), expected());

    let by_path = [("TRACING_TYPE", print), ("TRACING_PROVIDER__PRINT__PATH", "spans.txt")];
    let [printed] = spans_of(&by_path, &["print"], [Written { file: "spans.txt", read: seen::in_print }]);
    assert_eq!(seen::traces(&printed), TRACES);
    assert_same("print", seen::without_relations(&printed), seen::without_relations(&linked));

    let both = [
        ("TRACING_TYPE", "file,loaded"),
        ("TRACING_PLUGIN__LOADED__FILE", file),
        ("TRACING_PROVIDER__LOADED__PATH", "loaded.jsonl"),
    ];
    let second = Written { file: "loaded.jsonl", ..TRACE_FILE };
    let [first, second] = spans_of(&both, &["file", "loaded"], [TRACE_FILE, second]);
    assert_same("file, linked beside loaded", seen::in_full(&first), expected());
    assert_same("file, loaded beside linked", seen::in_full(&second), expected());
    let [first, second] = [first, second].map(BTreeSet::from_iter);
    assert_eq!(first, second, "ids and all");

    assert_eq!(sha256(Path::new(QUICKSTART)), program, "it was one program");
}
