//! Several writers on one path: threads and processes.
//!
//! A binary of its own, because a process being started holds the locks on all
//! files of its parent until it runs its program: for that moment the tests of
//! rotation would find their files in use.

use std::path::Path;
use std::process::Command;

#[path = "../support/mod.rs"]
mod support;

use support::{Directory, export, lines, open, span_names};

const BATCHES: usize = 500;
const PATH_OF_CHILD: &str = "SPANDREL_TEST_TRACE_FILE";

/// Writes batches that rotate the file at nearly every turn.
fn write(path: &Path, writer: &str) {
    let mut exporter = open(path, |config| {
        config.rotate.max_bytes = 1000;
        config.rotate.keep = 0;
    });
    for batch in 0..BATCHES {
        export(&mut exporter, &format!("{writer} {batch}")).unwrap();
    }
}

/// Asserts that each writer's spans are there, once each.
fn assert_complete(directory: &Directory, writers: &[String]) {
    let mut paths = directory.rotated();
    paths.push(directory.trace_file());
    let mut names: Vec<String> = paths.iter().flat_map(|path| span_names(&lines(path))).collect();
    let mut expected: Vec<String> =
        writers.iter().flat_map(|writer| (0..BATCHES).map(move |batch| format!("{writer} {batch}"))).collect();
    names.sort();
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn threads_with_one_path_lose_nothing() {
    let directory = Directory::new();
    let writers: Vec<String> = (0..4).map(|i| format!("thread {i}")).collect();
    std::thread::scope(|scope| {
        for writer in &writers {
            scope.spawn(|| write(&directory.trace_file(), writer));
        }
    });
    assert_complete(&directory, &writers);
}

#[test]
fn processes_with_one_path_lose_nothing() {
    let directory = Directory::new();
    let spawn = |_| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child"])
            .env(PATH_OF_CHILD, directory.trace_file())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..4).map(spawn).collect();
    let writers = children.iter().map(|child| format!("process {}", child.id())).collect::<Vec<_>>();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_complete(&directory, &writers);
}

/// Not a test of its own: what the child processes run.
#[test]
fn child() {
    if let Some(path) = std::env::var_os(PATH_OF_CHILD) {
        write(Path::new(&path), &format!("process {}", std::process::id()));
    }
}
