//! A service with a spool forks in an outage: the child neither hangs nor exports what it has
//! inherited, nor touches the parent's folder, and the parent goes on.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use spandrel_integration_tests::backend::{Backend, Mood};
use spandrel_integration_tests::process::{self, Folder, command, run};

/// Forks once; what arrived from the parent, and what when the next process had come.
fn fork(mode: &str) {
    let (folder, backend) = (Folder::new(), Backend::start(Mood::Away));
    let (url, spool) = (backend.url(), folder.file("spool").display().to_string());
    let variables = [("TRACING_SPOOL_DIR", &*spool)];
    let mut command_of_service = command(env!("CARGO_BIN_EXE_forked"), &folder, &[&url, mode], &variables);
    let mut service = command_of_service.stdin(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(service.stdout.take().unwrap()).lines().map(Result::unwrap);
    let [child, ended] = [(); 2].map(|()| lines.next().unwrap_or_default());
    println!("{child}");
    if ended != "child 0" {
        let output = process::wait(service);
        panic!("{child}\n{ended}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let has_exported = child.starts_with("child 101 1 100 true ");
    assert!(has_exported || child.starts_with("child 101 101 0 "), "{child}");
    assert_eq!(backend.span_count(), 0);

    backend.set_mood(Mood::Healthy);
    service.stdin.take().unwrap().write_all(b"\n").unwrap();
    let parent = lines.next().unwrap_or_default();
    let output = process::wait(service);
    assert!(output.status.success(), "{parent}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{parent}");
    let busy: usize = parent.split(' ').nth(1).unwrap().parse().unwrap();
    let recorded = 301 + busy;
    let expected = format!("recorded {recorded}; otlp: exported {recorded}, dropped 0, pending 0 true");
    assert!(parent.ends_with(&expected), "{parent}");
    let mut expected: BTreeMap<String, u32> = (0..busy).map(|n| (format!("busy {n}"), 1)).collect();
    for name in ["before", "inherited", "after"] {
        expected.extend((0..100).map(|n| (format!("{name} {n}"), 1)));
    }
    expected.insert("across".to_owned(), 1);
    assert!(backend.spans() == expected, "the parent's spans arrive, each once");

    // What the child has kept is in a folder of its own.
    let output = run(command(env!("CARGO_BIN_EXE_outage"), &folder, &["drain", &url], &variables));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    if has_exported {
        expected.extend((0..100).map(|n| (format!("child {n}"), 1)));
    }
    assert!(backend.spans() == expected, "the child's spans arrive, each once: {said}");
}

#[test]
fn a_quiet_parent_finds_its_folder_as_it_was() {
    for _ in 0..5 {
        fork("quiet");
    }
}

#[test]
fn a_parent_at_work_loses_nothing() {
    for _ in 0..5 {
        fork("busy");
    }
}
