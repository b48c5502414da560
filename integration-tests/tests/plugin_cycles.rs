//! Making and destroying instances of plugins for a long time leaves nothing behind.

#![cfg(target_os = "linux")]

use spandrel_integration_tests::plugins::{c_plugin, foreign_plugin, root, shipped_plugin};
use spandrel_integration_tests::process::{Folder, command, run};

const CYCLES: &str = env!("CARGO_BIN_EXE_cycles");

#[test]
fn ten_thousand_cycles_leave_nothing_behind() {
    let folder = Folder::new();
    let source = root().join("integration-tests/plugins/versions/exporter_new.c");
    let plugins = [
        shipped_plugin("file"),
        shipped_plugin("console"),
        shipped_plugin("noop"),
        c_plugin(&source, "exporter_new", folder.path()),
        foreign_plugin("integration-tests/plugins/live-memory/Cargo.toml", "release", "live_memory"),
    ];
    let paths = plugins.each_ref().map(|plugin| plugin.to_str().unwrap());
    // Every byte is accounted for as soon as it is freed, and not kept for its thread.
    let exact = "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1:glibc.malloc.mxfast=0";
    // Under a sanitizer, which looks for leaks itself, each takes ten times as long.
    let is_sanitized = std::env::var_os("ASAN_OPTIONS").is_some();
    let count = if is_sanitized { "1000" } else { "10000" };
    let arguments = [&[count], &paths[..]].concat();
    let output = run(command(CYCLES, &folder, &arguments, &[("GLIBC_TUNABLES", exact)]));
    let said = String::from_utf8(output.stdout).unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{}", &log[log.len().saturating_sub(5000)..]);
    println!("{said}");
    let numbers = |line: &str| line.split(' ').map(|number| number.parse().unwrap()).collect::<Vec<u64>>();
    let [first, middle, last] = &said.lines().skip(1).map(numbers).collect::<Vec<_>>()[..] else { panic!("{said}") };
    assert_eq!((last[2], last[3]), (first[2], first[3]), "open files and threads: {said}");
    if !is_sanitized {
        // A leak grows in both halves: one byte in each cycle would be 4,950 in each. What is made
        // once, late, grows in one of them.
        let grown = (middle[0].saturating_sub(first[0])).min(last[0].saturating_sub(middle[0]));
        assert!(grown < 500, "bytes from the allocator: {said}");
        // A leak of a page in a hundred cycles would be 400.
        assert!(last[1] < first[1] + 400, "kilobytes of memory: {said}");
    }
}
