//! Providers that are linked into a program.

use std::io::{self, Write};
use std::num::NonZeroUsize;

use spandrel_conformance::{Started, Subject};
use spandrel_integration_tests::otlp_json;
use spandrel_integration_tests::otlp_sink::OtlpSink;
use spandrel_integration_tests::process::Folder;
use spandrel_plugin_api::{Host, Provider, ProviderFactory, Resource, SpanExporter, config};
use spandrel_provider_console::{ConsoleConfig, ConsoleExporter};
use spandrel_provider_file::FileFactory;
use spandrel_provider_memory::{MemoryExporter, MemoryStore};
use spandrel_provider_noop::NoopFactory;
use spandrel_provider_otlp::OtlpFactory;
use spandrel_recorder::{OverflowPolicy, Recorder, RecorderConfig};

spandrel_conformance::suite!(noop, super::noop());
spandrel_conformance::suite!(memory, super::memory());
spandrel_conformance::suite!(memory_in_small_batches, super::memory_in_small_batches());
spandrel_conformance::suite!(file, super::file());
spandrel_conformance::suite!(file_as_log, super::file_as_log());
spandrel_conformance::suite!(console_tree, super::console("tree"));
spandrel_conformance::suite!(console_plain, super::console("plain"));
spandrel_conformance::suite!(console_json, super::console("json"));
spandrel_conformance::suite!(memory_and_file, super::memory_and_file());
spandrel_conformance::suite!(otlp_as_protobuf, super::otlp("http/protobuf"));
spandrel_conformance::suite!(otlp_as_json, super::otlp("http/json"));
spandrel_conformance::suite!(otlp_over_grpc, super::otlp("grpc"));

fn noop() -> Subject {
    let start = |resource: &Resource| {
        let provider = NoopFactory.create("", &Host::new(resource)).expect("noop starts");
        let Provider::Live(provider) = provider else { panic!("noop is a live provider") };
        Started::new(provider)
    };
    Subject::new("noop", start).without_recording()
}

fn memory() -> Subject {
    memory_with("memory", RecorderConfig::default())
}

fn memory_with(name: &str, config: RecorderConfig) -> Subject {
    Subject::new(name, move |resource| {
        let store = MemoryStore::new(NonZeroUsize::MAX);
        let exporter = MemoryExporter::new(store.clone());
        recorder(config.clone(), resource, vec![("memory", Box::new(exporter))]).read_by(move || store.spans())
    })
}

/// The service waits for room, and a batch is often a single span.
fn memory_in_small_batches() -> Subject {
    let mut config = RecorderConfig::default();
    config.batch.max_bytes = 512;
    config.batch.queue_bytes = 1 << 20;
    config.batch.on_full = OverflowPolicy::Block;
    memory_with("memory in small batches", config)
}

fn file() -> Subject {
    Subject::new("file", |resource| {
        let folder = Folder::new();
        let exporter = file_exporter(&folder, "otlp", resource);
        let path = folder.file("traces.jsonl");
        let started = recorder(RecorderConfig::default(), resource, vec![("file", exporter)]);
        started.read_by(move || otlp_json::read(&path)).keeping(folder)
    })
}

fn file_as_log() -> Subject {
    Subject::new("file with format log", |resource| {
        let folder = Folder::new();
        let exporter = file_exporter(&folder, "log", resource);
        recorder(RecorderConfig::default(), resource, vec![("file", exporter)]).keeping(folder)
    })
}

fn console(format: &'static str) -> Subject {
    Subject::new(&format!("console with format {format}"), move |resource| {
        // The configuration can name the streams of the process only.
        let config: ConsoleConfig = config::parse(&format!("format = '{format}'")).expect("a console configuration");
        let exporter = ConsoleExporter::to_writer(&config, Box::new(Terminal));
        recorder(RecorderConfig::default(), resource, vec![("console", Box::new(exporter))])
    })
}

/// Both get every span, and the file has what memory has.
fn memory_and_file() -> Subject {
    Subject::new("memory and file", |resource| {
        let folder = Folder::new();
        let store = MemoryStore::new(NonZeroUsize::MAX);
        let exporters: Vec<(&str, Box<dyn SpanExporter>)> = vec![
            ("memory", Box::new(MemoryExporter::new(store.clone()))),
            ("file", file_exporter(&folder, "otlp", resource)),
        ];
        let path = folder.file("traces.jsonl");
        let started = recorder(RecorderConfig::default(), resource, exporters);
        started.read_by(move || store.spans()).read_by(move || otlp_json::read(&path)).keeping(folder)
    })
}

fn otlp(protocol: &'static str) -> Subject {
    Subject::new(&format!("otlp with protocol {protocol}"), move |resource| {
        let sink = OtlpSink::new();
        let exporter = match OtlpFactory.create(&sink.config(protocol), &Host::new(resource)) {
            Ok(Provider::Exporter(exporter)) => exporter,
            other => panic!("otlp is an exporter: {other:?}"),
        };
        recorder(RecorderConfig::default(), resource, vec![("otlp", exporter)]).read_by(move || sink.spans())
    })
}

pub(crate) fn recorder(
    config: RecorderConfig,
    resource: &Resource,
    exporters: Vec<(&str, Box<dyn SpanExporter>)>,
) -> Started {
    let exporters = exporters.into_iter().map(|(name, exporter)| (name.to_owned(), exporter)).collect();
    Started::new(Box::new(Recorder::new(config, resource, exporters)))
}

fn file_exporter(folder: &Folder, format: &str, resource: &Resource) -> Box<dyn SpanExporter> {
    let config = format!("path = '{}'\nformat = '{format}'", folder.file("traces.jsonl").display());
    match FileFactory.create(&config, &Host::new(resource)) {
        Ok(Provider::Exporter(exporter)) => exporter,
        other => panic!("file is an exporter: {other:?}"),
    }
}

/// Refuses what a terminal would obey. A panic here is one of the exporter, which
/// the recorder counts.
struct Terminal;

impl Write for Terminal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = std::str::from_utf8(bytes).expect("a terminal gets UTF-8");
        let control = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(control, None, "a terminal gets no control characters");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
