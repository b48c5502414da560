//! The program does what it says; no figure is looked at.

use std::process::{Command, Output};

use serde_json::Value;

fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spandrel-bench")).args(arguments).output().expect("the program runs")
}

fn printed(arguments: &[&str]) -> String {
    let output = bench(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}

fn lines_of_json(arguments: &[&str]) -> Vec<Value> {
    let text = printed(arguments);
    text.lines().map(|line| serde_json::from_str(line).expect("each line is an object")).collect()
}

/// The names that `--list` has below a heading.
fn listed(heading: &str) -> Vec<String> {
    let list = printed(&["--list"]);
    let below = list.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| line.starts_with("  "));
    below.filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect()
}

#[test]
fn each_cell_runs_and_loses_nothing() {
    let (workloads, subjects) = (listed("workloads"), listed("subjects"));
    let mut cells = 0;
    for subject in subjects.iter().filter(|subject| *subject != "spandrel-plugin") {
        for workload in workloads.iter().filter(|workload| *workload != "burst") {
            let output = bench(&["cell", workload, subject, "--operations", "3"]);
            let said = String::from_utf8_lossy(&output.stderr);
            if said.contains("has no workload") {
                continue;
            }
            assert!(output.status.success(), "{workload} of {subject}: {said}");
            let measured: Value = serde_json::from_slice(&output.stdout).expect("a cell prints an object");
            assert_eq!(measured["lost"], 0, "{workload} of {subject}: {measured}");
            cells += 1;
        }
    }
    assert!(cells > 90, "only {cells} of {workloads:?} by {subjects:?}");
}

#[test]
fn json_has_an_object_for_each_figure() {
    let figures = lines_of_json(&["--json", "--rounds", "1", "--only", "root,spandrel,spandrel-plugin,otel"]);
    let subjects: Vec<_> = figures.iter().map(|figure| figure["subject"].as_str().unwrap_or_default()).collect();
    assert_eq!(subjects, ["spandrel", "spandrel-plugin", "otel"]);
    for figure in &figures {
        assert_eq!(figure["workload"], "root");
        for key in ["ns_min", "ns_median", "allocations", "process_ns"] {
            assert!(figure[key].is_number(), "`{key}` in {figure}");
        }
        assert!(figure["instructions"].is_null(), "{figure}");
        assert_eq!(figure["lost"], 0, "{figure}");
    }
}

#[test]
fn the_table_has_workloads_down_and_subjects_across() {
    let table = printed(&["--rounds", "1", "--only", "one-more-poll,closure,floor"]);
    let starts = |word: &str| table.lines().any(|line| line.split_whitespace().next() == Some(word));
    for word in ["closure", "poll-1", "poll-10", "one-more-poll", "median", "allocations"] {
        assert!(starts(word), "no line begins with `{word}`:\n{table}");
    }
}

#[test]
fn a_burst_is_counted_at_both_ends() {
    let runs = lines_of_json(&["--json", "--rounds", "1", "--only", "burst", "--spans", "3000"]);
    assert_eq!(runs.len(), listed("subjects of `burst`").len());
    for run in &runs {
        let number = |key: &str| run[key].as_u64().unwrap_or_else(|| panic!("no `{key}` in {run}"));
        assert_eq!(number("sent"), 3_000);
        assert_eq!(number("delivered") + number("lost"), 3_000, "{run}");
        assert!(number("memory_bytes") > 0 && number("requests") > 0, "{run}");
    }
    assert_eq!(runs[0]["lost_as_told"], runs[0]["lost"], "{}", runs[0]);
}

#[test]
fn an_unknown_word_is_refused() {
    let output = bench(&["--only", "everything"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("spandrel-bench: `--only` knows no `everything`; workloads: off, "), "{said}");
}
