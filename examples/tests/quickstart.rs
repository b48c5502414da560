//! The quickstart as a user runs it, with one provider after the other.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Runs it in an empty directory, with these variables and no others of tracing.
fn run(directory: &str, variables: &[(&str, &str)]) -> (Output, PathBuf) {
    run_in(&prepare(directory), variables)
}

fn prepare(directory: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(directory);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

fn run_in(directory: &Path, variables: &[(&str, &str)]) -> (Output, PathBuf) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["TRACING_", "OTEL_", "SPANDREL_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    let output = command.current_dir(directory).envs(variables.iter().copied()).output().unwrap();
    (output, directory.to_owned())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn spans(lines: &str) -> Vec<Value> {
    let mut spans = Vec::new();
    for line in lines.lines() {
        let mut batch: Value = serde_json::from_str(line).unwrap();
        for resource in batch["resourceSpans"].as_array_mut().unwrap() {
            for scope in resource["scopeSpans"].as_array_mut().unwrap() {
                spans.append(scope["spans"].as_array_mut().unwrap());
            }
        }
    }
    spans
}

#[test]
fn without_any_setting_it_writes_connected_traces_to_a_file() {
    let (output, directory) = run("default", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let lines = std::fs::read_to_string(directory.join("traces.jsonl")).unwrap();
    let spans = spans(&lines);
    assert!(spans.len() >= 60, "{}", spans.len());
    let traces: HashMap<&str, &str> =
        spans.iter().map(|span| (span["spanId"].as_str().unwrap(), span["traceId"].as_str().unwrap())).collect();
    let mut roots = 0;
    for span in &spans {
        match span["parentSpanId"].as_str().filter(|id| !id.is_empty()) {
            Some(parent) => assert_eq!(traces.get(parent).copied(), span["traceId"].as_str(), "{span}"),
            None => roots += 1,
        }
    }
    assert_eq!(roots, 24);
    assert!(!lines.contains("4111 1111") && lines.contains("[REDACTED]"));

    let stdout = text(&output.stdout);
    let accounts = format!("file: {0} recorded = {0} exported + 0 dropped + 0 pending, balanced", spans.len());
    for expected in [&*accounts, "24 sent: 21 ok, 3 failed as intended, 0 went wrong", "charge_card  (payments)"] {
        assert!(stdout.contains(expected), "{stdout}");
    }
    assert_eq!(stdout.lines().filter(|line| line.starts_with("trace ")).count(), 24);
}

#[test]
fn the_environment_chooses_provider_and_sampler() {
    for (directory, variables, expected) in [
        ("memory", vec![("TRACING_TYPE", "memory")], "charge_card  (payments)"),
        ("console", vec![("TRACING_TYPE", "console")], "  quickstart  "),
        ("renamed", vec![("TRACING_TYPE", "console"), ("OTEL_SERVICE_NAME", "other")], "  other  "),
        ("noop", vec![("TRACING_TYPE", "noop")], "none recorded"),
        ("off", vec![("TRACING_SAMPLER", "always_off")], "file: 0 recorded"),
    ] {
        let (output, directory) = run(directory, &variables);
        let stdout = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{variables:?}: {stdout}{}", text(&output.stderr));
        assert!(stdout.contains(expected), "{variables:?}: {stdout}");
        let has_file = directory.join("traces.jsonl").exists();
        assert_eq!(has_file, expected.starts_with("file"), "{variables:?}");
    }
}

#[test]
fn each_sampler_does_what_it_says() {
    const RULES: &str = "[[sampler.rules]]\nname = 'health check*'\nratio = 0.0\n";
    for (directory, sampler, argument, file, least, most) in [
        ("always_on", "always_on", "", "", 24, 24),
        ("always_off", "always_off", "", "", 0, 0),
        ("ratio", "ratio", "0.5", "", 1, 23),
        ("all", "parentbased_traceidratio", "1.0", "", 24, 24),
        ("none", "parent_ratio", "0", "", 0, 0),
        ("rate", "rate_limited", "5", "", 5, 10),
        ("rules", "", "", RULES, 10, 23),
    ] {
        let folder = prepare(directory);
        std::fs::write(folder.join("spandrel.toml"), file).unwrap();
        let (output, _) = run_in(&folder, &[("TRACING_SAMPLER", sampler), ("TRACING_SAMPLER_ARG", argument)]);
        assert_eq!(output.status.code(), Some(0), "{sampler}: {}", text(&output.stderr));
        let spans = spans(&std::fs::read_to_string(folder.join("traces.jsonl")).unwrap_or_default());
        let roots: Vec<&Value> = spans.iter().filter(|span| span["parentSpanId"].is_null()).collect();
        assert!((least..=most).contains(&roots.len()), "{directory}: {} traces", roots.len());
        // A trace is recorded as a whole or not at all.
        let traces = roots.iter().map(|root| &root["traceId"]).collect::<Vec<_>>();
        assert!(spans.iter().all(|span| traces.contains(&&span["traceId"])), "{directory}");
        let is_health = |root: &&Value| root["name"].as_str().unwrap_or_default().starts_with("health check");
        assert!(file.is_empty() || !roots.iter().any(is_health), "{directory}");
    }
}

#[test]
fn failures_show_in_the_exit_code() {
    let (output, _) = run("unknown", &[("TRACING_TYPE", "consol")]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("quickstart: there is no provider `consol`; did you mean `console`?"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");

    #[cfg(target_os = "linux")]
    {
        let (output, _) = run("full", &[("TRACING_PROVIDER__FILE__PATH", "/dev/full")]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains(" 0 exported + "), "{}", text(&output.stdout));
    }
}
