//! The last spans arrive however the program ends.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;

use spandrel_integration_tests::process::{self, Folder, command, run};
use spandrel_integration_tests::trace_file::TraceFile;

const TRACED: &str = env!("CARGO_BIN_EXE_traced");
const FILE: (&str, &str) = ("TRACING_TYPE", "file");
const ON_SIGNALS: (&str, &str) = ("TRACING_FLUSH_ON_SIGNALS", "true");

#[test]
fn all_spans_arrive_after_each_way_to_end() {
    for (mode, variables, code) in [
        ("return", &[FILE][..], 0),
        ("panic", &[FILE], 101),
        ("exit", &[FILE, ON_SIGNALS], 7),
        ("current-thread", &[FILE], 0),
        ("inside-async", &[FILE], 0),
        ("inside-drop", &[FILE], 0),
    ] {
        let folder = Folder::new();
        let output = run(command(TRACED, &folder, &[mode], variables));
        let file = TraceFile::read(&folder.file("traces.jsonl"));
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{mode}: {text}");
        assert_eq!((file.spans.len(), file.is_torn, file.unreadable), (100, false, 0), "{mode}: {text}");
    }
}

#[test]
fn all_spans_arrive_after_a_signal_and_the_signal_still_ends_the_program() {
    for signal in [libc::SIGTERM, libc::SIGINT].into_iter().filter(|signal| !is_ignored(*signal)) {
        let folder = Folder::new();
        let mut child = command(TRACED, &folder, &["wait"], &[FILE, ON_SIGNALS]).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        process::signal(child.id(), signal);
        let output = process::wait(child);
        assert_eq!(output.status.signal(), Some(signal), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(TraceFile::read(&folder.file("traces.jsonl")).spans.len(), 100);
    }
}

/// What the program says after the configuration became `second`, and SIGHUP came.
fn reloaded(folder: &Folder, second: &str) -> String {
    let config = |path: &str| format!("type = 'file'\nreload_on_sighup = true\n[provider.file]\npath = '{path}'\n");
    std::fs::write(folder.file("spandrel.toml"), config("first.jsonl")).unwrap();
    let mut child = command(TRACED, folder, &["reload"], &[]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    std::fs::write(folder.file("spandrel.toml"), second.replace("SECOND", &config("second.jsonl"))).unwrap();
    process::signal(child.id(), libc::SIGHUP);
    let mut said = String::new();
    out.read_to_string(&mut said).unwrap();
    let output = process::wait(child);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Whoever started this, with `nohup` for example or in the background of a script, wants no such signal: programs
/// below inherit that.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    let bits = ignored.and_then(|bits| u64::from_str_radix(bits, 16).ok()).unwrap_or(0);
    let is_ignored = bits & 1 << (signal - 1) != 0;
    if is_ignored {
        println!("skipped: signal {signal} is ignored here");
    }
    is_ignored
}

#[test]
fn a_hangup_switches_the_provider_and_loses_nothing() {
    if is_ignored(libc::SIGHUP) {
        return;
    }
    let folder = Folder::new();
    let said = reloaded(&folder, "SECOND");
    assert_eq!(said, "SIGHUP: the configuration was read again; provider: file\n201 201\n");
    let first = TraceFile::read(&folder.file("first.jsonl"));
    // A span ends with the provider that it began with.
    assert_eq!((first.count("op"), first.count("across")), (100, 1));
    assert_eq!(TraceFile::read(&folder.file("second.jsonl")).count("op"), 100);
}

#[test]
fn a_hangup_with_a_mistake_in_the_configuration_changes_nothing() {
    if is_ignored(libc::SIGHUP) {
        return;
    }
    let folder = Folder::new();
    let said = reloaded(&folder, "tpye = 'file'");
    let place = "spandrel.toml:1:1: unknown configuration key `tpye`; did you mean `type`?";
    assert!(said.starts_with(&format!("SIGHUP: tracing stays as it is: {place}")), "{said}");
    assert_eq!(TraceFile::read(&folder.file("first.jsonl")).count("op"), 200);
}

#[test]
fn a_forked_child_neither_hangs_nor_exports_twice() {
    for _ in 0..20 {
        let folder = Folder::new();
        let output = run(command(TRACED, &folder, &["fork"], &[FILE]));
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said, "child 0\n", "{}", String::from_utf8_lossy(&output.stderr));
        let file = TraceFile::read(&folder.file("traces.jsonl"));
        assert_eq!(file.unreadable, 0);
        assert_eq!(file.distinct_ids(), file.spans.len(), "nothing twice, no equal ids");
        assert_eq!((file.count("op"), file.count("parent"), file.count("across")), (100, 100, 1));
        // The exporter is the child's, too, unless the parent was at work with it.
        assert!([0, 100].contains(&file.count("child")), "{}", file.count("child"));
    }
}
