//! The same providers from dynamic libraries.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use spandrel::provider::Plugin;
use spandrel_conformance::{Started, Subject};
use spandrel_integration_tests::otlp_json;
use spandrel_integration_tests::otlp_sink::OtlpSink;
use spandrel_integration_tests::plugins::{foreign_plugin, plugin};
use spandrel_integration_tests::process::{Folder, command, run};
use spandrel_plugin_api::{Host, Provider, ProviderFactory, Resource};
use spandrel_recorder::RecorderConfig;

use crate::linked::recorder;

spandrel_conformance::suite!(noop, super::noop());
spandrel_conformance::suite!(memory, super::memory());
spandrel_conformance::suite!(file, super::file());
spandrel_conformance::suite!(file_as_log, super::file_as_log());
spandrel_conformance::suite!(otlp, super::otlp("http/protobuf"));
spandrel_conformance::suite!(otlp_over_grpc, super::otlp("grpc"));
spandrel_conformance::suite!(live, super::live());
spandrel_conformance::suite!(journal, super::journal());

fn noop() -> Subject {
    subject("noop, loaded", "noop", |resource| start("noop", "", resource)).without_recording()
}

/// Its store is the library's own and cannot be read from outside.
fn memory() -> Subject {
    subject("memory, loaded", "memory", |resource| start("memory", "", resource))
}

fn file() -> Subject {
    into_file("file, loaded", "file", "")
}

fn file_as_log() -> Subject {
    subject("file with format log, loaded", "file", |resource| {
        let folder = Folder::new();
        start("file", &to(&folder, "format = 'log'"), resource).keeping(folder)
    })
}

fn otlp(protocol: &'static str) -> Subject {
    subject(&format!("otlp with protocol {protocol}, loaded"), "otlp", move |resource| {
        let sink = OtlpSink::new();
        start("otlp", &sink.config(protocol), resource).read_by(move || sink.spans())
    })
}

/// A recorder within the library, so that each call crosses the boundary.
fn live() -> Subject {
    into_file("live, loaded", "live_memory", "")
}

/// The example of `examples/plugins/rust`, with lines of its own kind.
fn journal() -> Subject {
    subject("journal", "journal", |resource| {
        let folder = Folder::new();
        let path = folder.file("traces.jsonl");
        start("journal", &to(&folder, "slow_ms = 60000"), resource)
            .read_by(move || crate::journal::read(&path))
            .keeping(folder)
    })
}

/// A provider that writes OTLP/JSON lines to the file that its configuration names.
fn into_file(name: &str, word: &'static str, config: &'static str) -> Subject {
    subject(name, word, move |resource| {
        let folder = Folder::new();
        let path = folder.file("traces.jsonl");
        start(word, &to(&folder, config), resource).read_by(move || otlp_json::read(&path)).keeping(folder)
    })
}

/// A subject whose library is built and loaded before anybody looks at the time.
fn subject(name: &str, word: &'static str, start: impl Fn(&Resource) -> Started + Send + Sync + 'static) -> Subject {
    loaded(word);
    Subject::new(name, start)
}

fn to(folder: &Folder, config: &str) -> String {
    format!("path = '{}'\n{config}", folder.file("traces.jsonl").display())
}

fn start(word: &'static str, config: &str, resource: &Resource) -> Started {
    match loaded(word).create(config, &Host::new(resource)) {
        Ok(Provider::Exporter(exporter)) => recorder(RecorderConfig::default(), resource, vec![(word, exporter)]),
        Ok(Provider::Live(provider)) => Started::new(provider),
        other => panic!("{word} is an exporter or a live provider: {other:?}"),
    }
}

/// The plugin, loaded once.
pub(crate) fn loaded(word: &'static str) -> Plugin {
    static LOADED: Mutex<BTreeMap<&str, Plugin>> = Mutex::new(BTreeMap::new());
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    loaded.entry(word).or_insert_with(|| Plugin::load(&library(word)).unwrap()).clone()
}

fn library(word: &str) -> PathBuf {
    match word {
        "journal" => foreign_plugin("examples/plugins/rust/journal/Cargo.toml", "dev", word),
        "live_memory" => foreign_plugin("integration-tests/plugins/live-memory/Cargo.toml", "dev", word),
        word => plugin(word),
    }
}

/// Its output is that of the process, so the promises are kept in one of their own.
#[test]
fn console() {
    let library = plugin("console");
    for format in ["tree", "plain", "json"] {
        let folder = Folder::new();
        let arguments = [&*library.to_string_lossy(), format];
        let output = run(command(env!("CARGO_BIN_EXE_console_promises"), &folder, &arguments, &[]));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{format}: {said}");
        let text = String::from_utf8(output.stdout).expect("a terminal gets UTF-8");
        let control = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(control, None, "a terminal gets no control characters");
        assert!(text.lines().count() > 10_000, "{format}: the spans of the promises: {said}");
    }
}
