//! Every mistake in the set-up is one sentence with the remedy, and an exit code.

use spandrel_integration_tests::process::{Folder, command, run};

const TRACED: &str = env!("CARGO_BIN_EXE_traced");

struct Case {
    what: &'static str,
    mode: &'static str,
    file: &'static str,
    variables: &'static [(&'static str, &'static str)],
    says: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        what: "unknown provider",
        mode: "return",
        file: "",
        variables: &[("TRACING_TYPE", "fiel")],
        says: &[
            "there is no provider `fiel`; did you mean `file`?",
            "available: console, file, jaeger, memory, noop, otlp, zipkin",
        ],
    },
    Case {
        what: "unknown key",
        mode: "return",
        file: "type = 'noop'\n[sampelr]\nratio = 1\n",
        variables: &[],
        says: &["spandrel.toml:2:2: unknown configuration key `sampelr`; did you mean `sampler`?"],
    },
    Case {
        what: "unknown key of a provider",
        mode: "return",
        file: "type = 'file'\n[provider.file]\npaht = 'x'\n",
        variables: &[],
        says: &["unknown configuration key `paht`; did you mean `path`?", "at: spandrel.toml:3:1", "provider: file"],
    },
    Case {
        what: "unknown key of a provider, from the environment",
        mode: "return",
        file: "",
        variables: &[("TRACING_TYPE", "file"), ("TRACING_PROVIDER__FILE__PAHT", "x")],
        says: &["unknown configuration key `paht`; did you mean `path`?", "at: TRACING_PROVIDER__FILE__PAHT"],
    },
    Case { what: "bad TOML", mode: "return", file: "type = 'noop\n", variables: &[], says: &["spandrel.toml:1:"] },
    Case {
        what: "bad ratio in the file",
        mode: "return",
        file: "[sampler]\nratio = 1.5\n",
        variables: &[],
        says: &["spandrel.toml:2:1: the sampling ratio must be a number from 0 to 1, not 1.5"],
    },
    Case {
        what: "bad ratio in the environment",
        mode: "return",
        file: "",
        variables: &[("TRACING_SAMPLER", "ratio"), ("TRACING_SAMPLER_ARG", "ten percent")],
        says: &["the environment variable TRACING_SAMPLER_ARG must be a number, not `ten percent`"],
    },
    Case {
        what: "a file that cannot be written",
        mode: "return",
        file: "type = 'file'\n[provider.file]\npath = '/proc/nowhere/traces.jsonl'\n",
        variables: &[],
        says: &["path: /proc/nowhere/traces.jsonl", "remedy: ", "provider: file"],
    },
    Case {
        what: "a configuration file that is not there",
        mode: "return",
        file: "",
        variables: &[("SPANDREL_CONFIG", "missing.toml")],
        says: &[
            "cannot read the configuration file (path: missing.toml; remedy: set SPANDREL_CONFIG to a readable file",
        ],
    },
    Case {
        what: "init twice",
        mode: "init-twice",
        file: "type = 'noop'\n",
        variables: &[],
        says: &["tracing is installed already; call `init` once, and `reload` or `set_provider` to change it later"],
    },
];

#[test]
fn every_mistake_is_one_sentence_with_the_remedy() {
    for case in CASES {
        let folder = Folder::new();
        if !case.file.is_empty() {
            std::fs::write(folder.file("spandrel.toml"), case.file).unwrap();
        }
        let output = run(command(TRACED, &folder, &[case.mode], case.variables));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}: {said}", case.what);
        assert_eq!(said.trim_end().lines().count(), 1, "{}: {said}", case.what);
        for part in case.says {
            assert!(said.contains(part), "{}\n  said {said}\n  without {part}", case.what);
        }
        assert!(!folder.file("traces.jsonl").exists(), "{}", case.what);
    }
}

#[test]
fn a_broken_provider_can_be_made_to_cost_only_the_traces() {
    let folder = Folder::new();
    let variables = [("TRACING_TYPE", "fiel"), ("TRACING_ON_ERROR", "noop")];
    let output = run(command(TRACED, &folder, &["return"], &variables));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success());
    assert!(said.contains("tracing is off because on_error = \"noop\": there is no provider `fiel`"), "{said}");
}
