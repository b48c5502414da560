//! What a whole process may rely on: forks, ends, threads, files, its own output.

use std::fs;
use std::path::Path;
use std::process::Output;

use spandrel_integration_tests::plugins::{foreign_plugin, plugin};
use spandrel_integration_tests::process::{Folder, command, run};
use spandrel_integration_tests::trace_file::TraceFile;

use crate::misbehaving::Misbehaving;

const TRACED: &str = env!("CARGO_BIN_EXE_traced");
const LONG_MS: &str = "30000";
const ON_SIGNALS: (&str, &str) = ("TRACING_FLUSH_ON_SIGNALS", "true");

fn live_memory() -> std::path::PathBuf {
    foreign_plugin("integration-tests/plugins/live-memory/Cargo.toml", "dev", "live_memory")
}

/// Runs the program in a folder, over the library and with this configuration.
fn traced(folder: &Folder, library: &Path, arguments: &[&str], variables: &[(&str, &str)], config: &str) -> Output {
    fs::write(folder.file("spandrel.toml"), config).unwrap();
    let variables = [&[("TRACING_TYPE", library.to_str().unwrap())], variables].concat();
    run(command(TRACED, folder, arguments, &variables))
}

/// Runs the program over a misbehaving plugin.
fn traced_over(plugin: &Misbehaving, mode: &str, behaviour: &str, timeout_ms: &str) -> Output {
    let config = format!("[provider.{}]\n{}", plugin.word, plugin.config(behaviour));
    let timeout = ("TRACING_SHUTDOWN_TIMEOUT_MS", timeout_ms);
    traced(plugin.folder(), &plugin.library, &[mode], &[timeout], &config)
}

fn said(output: &Output) -> (String, String) {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (out, err)
}

/// The calls in the process that created the instance, and those in others.
fn calls_by_process(plugin: &Misbehaving) -> (Vec<String>, Vec<String>) {
    let text = fs::read_to_string(plugin.folder().file("calls")).unwrap();
    let lines: Vec<(&str, &str)> = text.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let parent = lines[0].0;
    let calls = |of_parent: bool| {
        let calls = lines.iter().filter(|(process, _)| (*process == parent) == of_parent);
        calls.map(|(_, call)| (*call).to_owned()).collect()
    };
    (calls(true), calls(false))
}

#[test]
fn a_child_calls_a_plugin_that_follows_a_fork_once_before_all_else() {
    for plugin in Misbehaving::both("following") {
        let (out, err) = said(&traced_over(&plugin, "fork-once", "", LONG_MS));
        assert!(out.contains("child 0\n"), "{out}{err}");
        let (parent, child) = calls_by_process(&plugin);
        let count = |calls: &[String], call: &str| calls.iter().filter(|known| *known == call).count();
        assert_eq!((child[0].as_str(), count(&child, "after_fork_child")), ("after_fork_child", 1), "{child:?}");
        assert_eq!(count(&child, "shutdown"), 1, "{child:?}");
        assert_eq!(count(&child, "started child"), 400);
        assert_eq!((count(&parent, "after_fork_child"), count(&parent, "shutdown")), (0, 1), "{parent:?}");
    }
}

#[test]
fn a_child_does_not_call_a_plugin_that_does_not_follow_a_fork() {
    for (behaviour, asked) in [
        ("no_after_fork_child=yes", 0),
        ("after_fork_child=2", 1),
        ("after_fork_child=4711", 1),
        ("after_fork_child=7", 1),
    ] {
        for plugin in Misbehaving::both("staying") {
            let (out, err) = said(&traced_over(&plugin, "fork-once", behaviour, LONG_MS));
            assert!(out.contains("child 0\n"), "{behaviour}: {out}{err}");
            // None of them is lost in silence.
            let why = match plugin.word.ends_with("live") {
                true => "(forked 401)",
                false => "(export failed 400, forked 1)",
            };
            assert!(out.contains(why) && out.contains("child: recorded 401; "), "{behaviour}: {out}{err}");
            let (parent, child) = calls_by_process(&plugin);
            assert_eq!(child, vec!["after_fork_child"; asked], "{behaviour}");
            assert!(parent.contains(&"shutdown".to_owned()), "{behaviour}: {parent:?}");
        }
    }
}

#[test]
fn plugins_of_ours_work_on_in_a_forked_child() {
    for library in [plugin("file"), live_memory()] {
        let folder = Folder::new();
        let config = "[provider.live_memory]\npath = 'traces.jsonl'";
        let (out, err) = said(&traced(&folder, &library, &["fork-once"], &[], config));
        assert!(out.contains("child 0\n"), "{out}{err}");
        let file = TraceFile::read(&folder.file("traces.jsonl"));
        assert_eq!((file.count("op"), file.count("child"), file.count("across")), (200, 400, 1), "{out}{err}");
        assert_eq!((file.distinct_ids(), file.unreadable), (601, 0));
    }
}

#[test]
fn the_last_spans_arrive_when_the_guard_is_dropped_or_the_hook_is_on() {
    for library in [plugin("file"), live_memory()] {
        for (mode, variables, code, arrive) in [
            ("return", &[][..], 0, true),
            ("panic", &[], 101, true),
            ("exit", &[ON_SIGNALS], 7, true),
            // Nobody shuts down: what was not flushed is lost, and nothing else happens.
            ("exit", &[], 7, false),
        ] {
            let folder = Folder::new();
            let config = "[provider.live_memory]\npath = 'traces.jsonl'\n[batch]\ndelay_ms = 600000";
            let output = traced(&folder, &library, &[mode], variables, config);
            let file = TraceFile::read(&folder.file("traces.jsonl"));
            let (out, err) = said(&output);
            assert_eq!(output.status.code(), Some(code), "{mode}: {out}{err}");
            assert_eq!((file.is_torn, file.unreadable), (false, 0), "{mode}: {err}");
            assert!(file.spans.len() == 100 || !arrive && file.spans.is_empty(), "{mode}: {} {err}", file.spans.len());
        }
    }
}

#[test]
fn a_program_ends_whatever_its_plugin_does() {
    // An exporter that takes part in nothing else is destroyed when it is shut down.
    const ALONE: &str = "destroy=hangs no_on_start=yes no_sample=yes no_extract=yes no_inject=yes no_health=yes";
    for (behaviour, told) in [
        ("shutdown=hangs", [true, true]),
        ("shutdown=hangs flush=hangs export=hangs", [true, true]),
        ("shutdown=4711", [true, true]),
        ("destroy=hangs", [false, false]),
        (ALONE, [true, false]),
        ("thread=yes", [false, false]),
    ] {
        for (plugin, told) in Misbehaving::both("ending").iter().zip(told) {
            // Long where nothing is to be told: on a busy machine a short time may pass unused.
            let timeout_ms = if told { "200" } else { LONG_MS };
            let output = traced_over(plugin, "return", behaviour, timeout_ms);
            let (out, err) = said(&output);
            assert_eq!(output.status.code(), Some(0), "{behaviour}: {out}{err}");
            assert_eq!(err.contains("spandrel: warning: "), told, "{behaviour}: {err}");
        }
    }
}

#[test]
fn what_a_plugin_says_and_its_panics_go_to_the_log_of_the_service_alone() {
    let folder = Folder::new();
    let names = ["panic 1", "well", "panic in a thread", "panic 2", "panic 3", "panic 4", "too late"];
    let config = "[provider.live_memory]\npath = 'traces.jsonl'";
    let arguments = [&["hear"], &names[..]].concat();
    let output = traced(&folder, &live_memory(), &arguments, &[], config);
    let (out, err) = said(&output);
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{out}");
    for text in ["at panic 1", "at panic 2", "at panic 3", "in a thread of its own"] {
        let heard = out.lines().filter(|line| {
            line.starts_with("plugin live_memory: panicked at src/provider.rs:") && line.ends_with(&format!(": {text}"))
        });
        assert_eq!(heard.count(), 1, "{text}: {out}");
    }
    assert_eq!(out.matches("provider live_memory panicked 3 times and is out of service now").count(), 1, "{out}");
    assert!(!out.contains("at panic 4") && out.lines().count() == 6, "{out}");
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_left_of_a_dropped_instance() {
    for library in [plugin("file"), plugin("memory"), live_memory()] {
        let folder = Folder::new();
        let config = match library.ends_with("libspandrel_memory.so") {
            true => "",
            false => "path = 'traces.jsonl'",
        };
        let arguments = ["churn", library.to_str().unwrap(), config];
        let output = run(command(TRACED, &folder, &arguments, &[]));
        let (out, err) = said(&output);
        assert!(output.status.success(), "{out}{err}");
        let [threads, first, last] = out.split(" of 20 ").flat_map(str::split_whitespace).collect::<Vec<_>>()[..]
        else {
            panic!("{out}{err}")
        };
        assert_eq!((threads, first), ("20", last), "threads while each lived, open files after the first and the last");
    }
}
