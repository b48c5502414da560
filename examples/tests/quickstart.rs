//! The quickstart as a user runs it, with one provider after the other.

use std::collections::HashMap;
use std::process::Output;

use serde_json::Value;
use spandrel_integration_tests::process::{self, Folder};

/// Runs it in an empty folder, with these variables and no others of tracing.
fn run(variables: &[(&str, &str)]) -> (Output, Folder) {
    let folder = Folder::new();
    (run_in(&folder, variables), folder)
}

fn run_in(folder: &Folder, variables: &[(&str, &str)]) -> Output {
    process::run(process::command(env!("CARGO_BIN_EXE_quickstart"), folder, &[], variables))
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
    let (output, folder) = run(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));

    let lines = std::fs::read_to_string(folder.file("traces.jsonl")).unwrap();
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
    for (variables, expected) in [
        (vec![("TRACING_TYPE", "memory")], "charge_card  (payments)"),
        (vec![("TRACING_TYPE", "console")], "  quickstart  "),
        (vec![("TRACING_TYPE", "console"), ("OTEL_SERVICE_NAME", "other")], "  other  "),
        (vec![("TRACING_TYPE", "noop")], "none recorded"),
        (vec![("TRACING_SAMPLER", "always_off")], "file: 0 recorded"),
    ] {
        let (output, folder) = run(&variables);
        let stdout = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{variables:?}: {stdout}{}", text(&output.stderr));
        assert!(stdout.contains(expected), "{variables:?}: {stdout}");
        let has_file = folder.file("traces.jsonl").exists();
        assert_eq!(has_file, expected.starts_with("file"), "{variables:?}");
    }
}

#[test]
fn each_sampler_does_what_it_says() {
    const RULES: &str = "[[sampler.rules]]\nname = 'health check*'\nratio = 0.0\n";
    for (sampler, argument, file, least, most) in [
        ("always_on", "", "", 24, 24),
        ("always_off", "", "", 0, 0),
        ("ratio", "0.5", "", 1, 23),
        ("parentbased_traceidratio", "1.0", "", 24, 24),
        ("parent_ratio", "0", "", 0, 0),
        // One at once, and the next one after a quarter of an hour, when all is over on any machine.
        ("rate_limited", "0.001", "", 1, 1),
        ("", "", RULES, 10, 23),
    ] {
        let folder = Folder::new();
        std::fs::write(folder.file("spandrel.toml"), file).unwrap();
        let output = run_in(&folder, &[("TRACING_SAMPLER", sampler), ("TRACING_SAMPLER_ARG", argument)]);
        assert_eq!(output.status.code(), Some(0), "{sampler}: {}", text(&output.stderr));
        let spans = spans(&std::fs::read_to_string(folder.file("traces.jsonl")).unwrap_or_default());
        let roots: Vec<&Value> = spans.iter().filter(|span| span["parentSpanId"].is_null()).collect();
        assert!((least..=most).contains(&roots.len()), "{sampler}: {} traces", roots.len());
        // A trace is recorded as a whole or not at all.
        let traces = roots.iter().map(|root| &root["traceId"]).collect::<Vec<_>>();
        assert!(spans.iter().all(|span| traces.contains(&&span["traceId"])), "{sampler}");
        let is_health = |root: &&Value| root["name"].as_str().unwrap_or_default().starts_with("health check");
        assert!(file.is_empty() || !roots.iter().any(is_health), "{sampler}");
    }
}

#[test]
fn failures_show_in_the_exit_code() {
    let (output, _) = run(&[("TRACING_TYPE", "consol")]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("quickstart: there is no provider `consol`; did you mean `console`?"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");

    #[cfg(target_os = "linux")]
    {
        let (output, _) = run(&[("TRACING_PROVIDER__FILE__PATH", "/dev/full")]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains(" 0 exported + "), "{}", text(&output.stdout));
    }
}
