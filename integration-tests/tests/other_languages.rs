//! Plugins and hosts that are not written in Rust: the examples in C and Python.

#![cfg(unix)]

use std::path::{Path, PathBuf};

use spandrel_integration_tests::compiler::Compiler;
use spandrel_integration_tests::process::{self, Folder};

const PRINTED: &str = r#"2.250ms SELECT cart 4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b8 unset db.rows=3 cache.hit=false
8.000ms charge_card 4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b9 error="card declined" amount=-12.5 note="two \"lines\"\x0a"
12.500ms POST /checkout 4bf92f3577b34da6a3ce929d0e0e4736/00f067aa0ba902b7 ok http.request.method="POST" customer="Zoë"
"#;

#[test]
fn python_exports_to_a_plugin_in_c() {
    let folder = Folder::new();
    let plugin = print_plugin(&folder);
    let Some(output) = export_batch(&folder, &[&plugin]) else { return };
    let expected = format!(
        "plugin print 1.0.0, ABI 1.0\ncreate: ok\n{PRINTED}\
         export of 3 spans: ok\nflush: ok\nshutdown: ok\ndestroy: ok\n"
    );
    assert_eq!(output, (expected, String::new(), Some(0)));
}

#[test]
fn a_plugin_in_c_is_configured() {
    let folder = Folder::new();
    let plugin = print_plugin(&folder);
    let configs = ["# where\n\n\tpath = \"spans.txt\"  # here\r\n", "\"path\"=\"spans.txt\""];
    for (before, config) in configs.into_iter().enumerate() {
        let Some((output, _, code)) = export_batch(&folder, &[&plugin, "--config", config]) else { return };
        assert_eq!(code, Some(0), "{output}");
        assert_eq!(std::fs::read_to_string(folder.file("spans.txt")).unwrap(), PRINTED.repeat(before + 1));
    }
}

#[test]
fn a_plugin_in_c_says_what_is_wrong() {
    let folder = Folder::new();
    let plugin = print_plugin(&folder);
    let not_a_name = "not a file name in double quotes, without backslashes, key = path";
    for (config, expected) in [
        ("pth = \"spans.txt\"", "unknown setting, there is only `path`, key = pth"),
        ("path = \"spans.txt\"\n[more]", "unknown setting, there is only `path`, key = [more]"),
        ("path = 1", not_a_name),
        ("path = \"\"", not_a_name),
        ("path = \"spans.txt", not_a_name),
        ("path = \"spans.txt\" else", not_a_name),
        ("path = \"none/spans.txt\"", "the file cannot be opened: No such file or directory, key = path"),
    ] {
        let Some((output, _, code)) = export_batch(&folder, &[&plugin, "--config", config]) else { return };
        assert_eq!(output, format!("plugin print 1.0.0, ABI 1.0\ncreate: config invalid: {expected}\n"), "{config}");
        assert_eq!(code, Some(1));
    }
    assert!(!folder.file("spans.txt").exists());
}

#[test]
fn a_plugin_in_c_notices_what_is_not_otlp() {
    let folder = Folder::new();
    let plugin = print_plugin(&folder);
    // A span with an id of three bytes behind a good one; Python counts it, C reads it.
    let batch = std::fs::read(example("python/batch.binpb")).unwrap();
    let bad = [0x0a, 9, 0x12, 7, 0x12, 5, 0x0a, 3, 1, 2, 3];
    std::fs::write(folder.file("bad.binpb"), [&batch[..], &bad].concat()).unwrap();
    let Some((output, _, code)) = export_batch(&folder, &[&plugin, "--batch", "bad.binpb"]) else { return };
    assert!(output.contains("\nexport of 4 spans: malformed: the batch is not OTLP\n"), "{output}");
    assert!(!output.contains("charge_card"), "{output}");
    assert_eq!(code, Some(1));
}

#[test]
fn python_says_what_is_wrong() {
    let folder = Folder::new();
    let Some((_, message, code)) = export_batch(&folder, &["none.so"]) else { return };
    assert!(message.starts_with("export_batch.py: the library cannot be loaded: "), "{message}");
    assert_eq!(code, Some(1));

    std::fs::write(folder.file("empty.c"), "int nothing;\n").unwrap();
    Compiler::c().run(&folder, &["-shared", "-fPIC", "-o", "empty.so", "empty.c"]).unwrap();
    let Some((_, message, _)) = export_batch(&folder, &["empty.so"]) else { return };
    let expected = "empty.so is not a Spandrel plugin: it does not export spandrel_plugin_v1";
    assert_eq!(message, format!("export_batch.py: {expected}\n"));

    std::fs::write(folder.file("text.binpb"), "not a batch").unwrap();
    let Some((_, message, _)) = export_batch(&folder, &["empty.so", "--batch", "text.binpb"]) else { return };
    assert_eq!(message, "export_batch.py: the batch is not OTLP protobuf (ExportTraceServiceRequest)\n");
}

#[test]
fn the_sample_is_what_python_makes() {
    let folder = Folder::new();
    let Some((_, message, code)) = export_batch(&folder, &["--sample", "sample.binpb"]) else { return };
    assert_eq!((message.as_str(), code), ("", Some(0)));
    let (made, committed) = (std::fs::read(folder.file("sample.binpb")), std::fs::read(example("python/batch.binpb")));
    assert_eq!(made.unwrap(), committed.unwrap());
}

#[test]
fn a_service_loads_a_plugin_in_c() {
    let folder = Folder::new();
    let plugin = folder.file(&print_plugin(&folder));
    let output = traced("return", &folder, &[("TRACING_TYPE", plugin.to_str().unwrap())]);
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.len(), 100);
    for (i, line) in lines.into_iter().enumerate() {
        assert!(line.ends_with(&format!(" unset i={i}")) && line.contains("ms op "), "{line}");
    }
}

#[test]
fn a_plugin_in_c_goes_on_in_a_forked_child() {
    let folder = Folder::new();
    print_plugin(&folder);
    std::fs::write(folder.file("spandrel.toml"), "[provider.print]\npath = \"spans.txt\"\n").unwrap();
    let path = folder.path().to_str().unwrap();
    // Once nothing is exported any more: a child gets no exporter that its parent is at work with.
    let output = traced("fork-once", &folder, &[("TRACING_TYPE", "print"), ("SPANDREL_PLUGIN_PATH", path)]);
    assert!(output.ends_with("child 0\n"), "{output}");
    let spans = std::fs::read_to_string(folder.file("spans.txt")).unwrap();
    let count = |name| spans.lines().filter(|line| line.split(' ').nth(1) == Some(name)).count();
    assert_eq!(["op", "child", "across"].map(count), [200, 400, 1], "{output}");
}

/// What a service in Rust writes to standard output.
fn traced(mode: &str, folder: &Folder, variables: &[(&str, &str)]) -> String {
    let output = process::run(process::command(env!("CARGO_BIN_EXE_traced"), folder, &[mode], variables));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// The exporter `print` of the examples, in the folder.
fn print_plugin(folder: &Folder) -> String {
    let (source, include) = (example("c/print.c"), example("../../plugin-api/include"));
    let warnings = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];
    let paths = [&format!("-I{}", include.display()), source.to_str().unwrap()];
    let output = ["-shared", "-fPIC", "-O2", "-o", "libspandrel_print.so"];
    Compiler::c().run(folder, &[&warnings[..], &paths, &output].concat()).unwrap();
    "libspandrel_print.so".to_owned()
}

/// What the host in Python writes to standard output and error, and its exit code.
fn export_batch(folder: &Folder, arguments: &[&str]) -> Option<(String, String, Option<i32>)> {
    let script = example("python/export_batch.py");
    let arguments = [&[script.to_str().unwrap()], arguments].concat();
    let mut command = process::command("python3", folder, &arguments, &[("PYTHONIOENCODING", "utf-8")]);
    let Ok(child) = command.spawn() else {
        println!("skipped: there is no python3");
        return None;
    };
    let output = process::wait(child);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Some((text(output.stdout), text(output.stderr), output.status.code()))
}

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/plugins").join(path)
}
