//! The ways of spans out of a program.

use std::collections::BTreeMap;

use spandrel_integration_tests::plugins::plugin;
use spandrel_integration_tests::process::{self, Folder};

/// All of them.
pub(crate) const WAYS: &[Way] = &[
    Way { name: "otlp, HTTP with protobuf", word: "otlp", form: Form::Otlp, settings: otlp_protobuf },
    Way { name: "otlp, HTTP with JSON", word: "otlp", form: Form::Otlp, settings: otlp_json },
    Way { name: "otlp, gRPC", word: "otlp", form: Form::Otlp, settings: otlp_grpc },
    Way { name: "opentelemetry", word: "opentelemetry", form: Form::OpenTelemetry, settings: at_root },
    Way { name: "zipkin", word: "zipkin", form: Form::Zipkin, settings: at_root },
    Way { name: "jaeger, Thrift", word: "jaeger", form: Form::Jaeger, settings: at_root },
    Way { name: "jaeger, OTLP", word: "jaeger", form: Form::Otlp, settings: jaeger_otlp },
    Way { name: "file, otlp", word: "file", form: Form::Otlp, settings: |_| String::new() },
    Way { name: "file, log", word: "file", form: Form::Log, settings: |_| "format = 'log'".to_owned() },
];

/// A provider with settings.
pub(crate) struct Way {
    /// What it is called in messages.
    pub(crate) name: &'static str,
    word: &'static str,
    pub(crate) form: Form,
    settings: fn(&Endpoints<'_>) -> String,
}

/// What arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Otlp,
    /// OTLP, as the SDK makes it.
    OpenTelemetry,
    Zipkin,
    Jaeger,
    /// The lines for log pipelines.
    Log,
}

/// The URLs of a backend.
pub(crate) struct Endpoints<'a> {
    pub(crate) http: &'a str,
    pub(crate) grpc: &'a str,
}

/// The ids that the program did not choose, each with a name for it.
pub(crate) type Names = BTreeMap<String, String>;

const SERVICE: &str = "
[service]
name = 'golden'
version = '1.2.0'
environment = 'production'
attributes = { region = 'eu-1', 'test.int' = 7, 'test.bool' = true, 'test.double' = 1.5 }
";

/// Limits that count for the facade and, if they are those of a span, for the SDK of OpenTelemetry.
const LIMITS: &[(&str, &str)] = &[
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "32"),
    ("OTEL_SPAN_EVENT_COUNT_LIMIT", "6"),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", "5"),
    ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "5"),
    ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "3"),
];

impl Way {
    /// Has the program send its spans, as lines to `traces.jsonl` in the folder if to no endpoint.
    #[track_caller]
    pub(crate) fn run(&self, folder: &Folder, is_loaded: bool, endpoints: &Endpoints<'_>) -> Names {
        let (word, settings) = (self.word, (self.settings)(endpoints));
        let mut config = format!("type = '{word}'\n{SERVICE}\n[provider.{word}]\n{settings}\n");
        if is_loaded {
            config += &format!("[plugin.{word}]\nfile = '{}'\n", plugin(word).display());
        }
        std::fs::write(folder.file("spandrel.toml"), config).unwrap();
        let output = process::run(process::command(env!("CARGO_BIN_EXE_golden"), folder, &[], LIMITS));
        let [said, log] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!((&*log, output.status.code()), ("", Some(0)), "{}: {said}", self.name);
        names(&said)
    }
}

fn names(said: &str) -> Names {
    let mut names = Names::new();
    for line in said.lines() {
        let [name, trace, span] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("three words: {line}") };
        names.insert(span.to_owned(), format!("<{name}>"));
        // It begins a trace of its own.
        if name == "bare" {
            names.insert(trace.to_owned(), "<trace of bare>".to_owned());
        }
    }
    assert_eq!(names.len(), 7, "{said}");
    names
}

fn otlp_protobuf(endpoints: &Endpoints<'_>) -> String {
    format!("endpoint = '{}'\nproxy = 'none'\nprotocol = 'http/protobuf'", endpoints.http)
}

fn otlp_json(endpoints: &Endpoints<'_>) -> String {
    format!("endpoint = '{}'\nproxy = 'none'\nprotocol = 'http/json'", endpoints.http)
}

fn otlp_grpc(endpoints: &Endpoints<'_>) -> String {
    format!("endpoint = '{}'\nproxy = 'none'\nprotocol = 'grpc'", endpoints.grpc)
}

fn at_root(endpoints: &Endpoints<'_>) -> String {
    format!("endpoint = '{}'\nproxy = 'none'", endpoints.http)
}

fn jaeger_otlp(endpoints: &Endpoints<'_>) -> String {
    format!("endpoint = '{}/v1/traces'\nproxy = 'none'", endpoints.http)
}
