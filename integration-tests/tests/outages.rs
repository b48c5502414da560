//! A service that is killed while its backend is away: what was on disk arrives.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use spandrel_integration_tests::backend::{Backend, Mood};
use spandrel_integration_tests::process::{self, Folder, command, run};

const OUTAGE: &str = env!("CARGO_BIN_EXE_outage");
const SPANS: usize = 3000;

fn spool(folder: &Folder) -> String {
    folder.file("spool").display().to_string()
}

/// Lets a service record until at least so many spans are on disk, and kills it; how many
/// it had said to be there.
fn kill_after(backend: &Backend, folder: &Folder, spooled: usize) -> usize {
    let (url, count) = (backend.url(), SPANS.to_string());
    let arguments = ["written", &url, &count];
    let mut child = command(OUTAGE, folder, &arguments, &[("TRACING_SPOOL_DIR", &spool(folder))]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let is_enough = |line: &String| line.parse::<usize>().unwrap() >= spooled;
    assert!(lines.any(|line| is_enough(&line)), "the service goes on until it is killed");
    process::signal(child.id(), libc::SIGKILL);
    let said = lines.filter_map(|line| line.parse().ok()).fold(spooled, std::cmp::max);
    assert_eq!(process::wait(child).status.signal(), Some(libc::SIGKILL));
    said
}

fn segments(folder: &Path) -> usize {
    let folders = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    folders.map(|folder| std::fs::read_dir(folder).unwrap().count() - 1).sum()
}

#[test]
fn what_was_on_disk_when_the_service_was_killed_is_delivered_by_the_next() {
    for spooled in [1, 500, SPANS] {
        let folder = Folder::new();
        let backend = Backend::start(Mood::Away);
        let said = kill_after(&backend, &folder, spooled);
        assert_eq!(backend.span_count(), 0);
        backend.set_mood(Mood::Healthy);
        let url = backend.url();
        let output = run(command(OUTAGE, &folder, &["drain", &url], &[("TRACING_SPOOL_DIR", &spool(&folder))]));
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        let arrived = backend.spans();
        // One thread records, so the first ones are written first.
        let missing = (0..said).filter(|n| arrived.get(&format!("op {n}")) != Some(&1)).count();
        assert_eq!(missing, 0, "of {said}: {text}");
        assert!(arrived.values().all(|times| *times == 1), "none was in hand, so none comes twice");
        // The kill may have torn the last batch, whose spans are dropped as damaged then.
        let exported = format!("recorded 0; otlp: exported {}, dropped ", arrived.len());
        assert!(text.starts_with(&exported) && text.contains(", pending 0, recovered "), "{text}");
        assert_eq!(segments(&folder.file("spool")), 0, "what was delivered takes no place");
    }
}

#[test]
fn services_that_were_killed_one_after_the_other_leave_all_to_the_next() {
    let folder = Folder::new();
    let backend = Backend::start(Mood::Away);
    for _ in 0..3 {
        // Each takes over what the one before has left, so that it has more on disk at once.
        kill_after(&backend, &folder, SPANS);
    }
    backend.set_mood(Mood::Healthy);
    let url = backend.url();
    let output = run(command(OUTAGE, &folder, &["drain", &url], &[("TRACING_SPOOL_DIR", &spool(&folder))]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let arrived = backend.spans();
    assert_eq!(arrived.len(), SPANS, "{}", String::from_utf8_lossy(&output.stdout));
}
