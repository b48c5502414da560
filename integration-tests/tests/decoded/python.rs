//! The official libraries of Python: gRPC, the protobuf messages of OpenTelemetry and their JSON, Thrift.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;
use spandrel_integration_tests::process::{self, Folder};

use crate::recorded;
use crate::ways::{Endpoints, Form, WAYS};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/decode_spans.py");

#[test]
fn python_decodes_what_was_recorded() {
    let Ok(python) = std::env::var("SPANDREL_PYTHON") else {
        println!("skipped: SPANDREL_PYTHON does not name a Python that has opentelemetry-proto, grpcio and thrift");
        return;
    };
    let mut backend = Backend::start(&python);
    for way in WAYS.iter().filter(|way| way.form != Form::Log) {
        for is_loaded in [false, true] {
            let folder = Folder::new();
            let endpoints = Endpoints { http: &backend.http, grpc: &backend.grpc };
            let names = way.run(&folder, is_loaded, &endpoints);
            let spans = backend.taken(&folder.file("traces.jsonl"));
            recorded::check(way, &names, spans);
        }
    }
}

/// `decode_spans.py` at work.
struct Backend {
    http: String,
    grpc: String,
    /// It ends when this does.
    commands: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    child: Option<Child>,
    _folder: Folder,
}

impl Backend {
    fn start(python: &str) -> Self {
        let folder = Folder::new();
        let mut command = process::command(python, &folder, &[SCRIPT], &[("PYTHONIOENCODING", "utf-8")]);
        command.stdin(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("SPANDREL_PYTHON runs");
        let commands = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
        let urls = answers.next().expect("it prints its URLs; what is wrong stands above").unwrap();
        let (http, grpc) = urls.split_once(' ').unwrap();
        Self { http: http.to_owned(), grpc: grpc.to_owned(), commands, answers, child: Some(child), _folder: folder }
    }

    /// The spans that came since the last time, or those in the file if there is one.
    fn taken(&mut self, file: &Path) -> Vec<Value> {
        let command = if file.exists() { format!("file {}", file.display()) } else { "taken".to_owned() };
        writeln!(self.commands.as_ref().unwrap(), "{command}").unwrap();
        let answer: Value = serde_json::from_str(&self.answers.next().unwrap().unwrap()).unwrap();
        let Value::Array(spans) = answer else { panic!("Python cannot decode it: {answer}") };
        spans
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(child) = self.child.take() {
            let _ = process::wait(child);
        }
    }
}
