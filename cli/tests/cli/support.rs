//! Runs of the command, and trace files of the real provider `file`.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use spandrel_integration_tests::process::{self, Folder};
use spandrel_plugin_api::{
    Attribute, Event, InstrumentationScope, Link, Resource, SpanContext, SpanId, SpanKind, SpanStart, Status,
    Timestamp, TraceFlags, TraceId, TraceState, TracingProvider,
};
use spandrel_provider_file::{FileConfig, FileExporter};
use spandrel_recorder::{Recorder, RecorderConfig};

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The command in the folder, with nothing in its environment but these variables.
pub(crate) fn command(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spandrel"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder.path());
    command.envs(variables.iter().copied()).args(arguments).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn ended(child: Child) -> Run {
    let output = process::wait(child);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

pub(crate) fn run(folder: &Folder, arguments: &[&str]) -> Run {
    run_with(folder, arguments, &[])
}

pub(crate) fn run_with(folder: &Folder, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    ended(command(folder, arguments, variables).spawn().unwrap())
}

/// With this on its standard input.
pub(crate) fn run_on(folder: &Folder, arguments: &[&str], input: &[u8]) -> Run {
    let mut child = command(folder, arguments, &[]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // It may write before it has read all.
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let run = ended(child);
    writer.join().unwrap().unwrap();
    run
}

/// What a successful run prints.
pub(crate) fn ok(folder: &Folder, arguments: &[&str]) -> String {
    let run = run(folder, arguments);
    assert_eq!((run.code, &*run.err), (0, ""), "{arguments:?}\n{}", run.out);
    run.out
}

/// 2025-08-16T15:27:07Z.
pub(crate) const START: u64 = 1_755_358_027_000_000_000;
pub(crate) const CHECKOUT: u8 = 0x4b;
pub(crate) const HEALTH: u8 = 0x5c;

pub(crate) fn trace_id(trace: u8) -> TraceId {
    TraceId::from_bytes([trace; 16])
}

/// A span of a test: times in microseconds after [`START`].
pub(crate) struct Made<'a> {
    pub(crate) trace: u8,
    pub(crate) id: u8,
    pub(crate) parent: Option<u8>,
    pub(crate) name: &'a str,
    pub(crate) kind: SpanKind,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) status: Status<'a>,
    pub(crate) attributes: &'a [Attribute<'a>],
    pub(crate) is_rich: bool,
}

impl<'a> Made<'a> {
    pub(crate) fn new(trace: u8, id: u8, parent: Option<u8>, name: &'a str, from: u64, to: u64) -> Self {
        let (kind, status) = (SpanKind::Internal, Status::Unset);
        Self { trace, id, parent, name, kind, from, to, status, attributes: &[], is_rich: false }
    }

    fn record(&self, recorder: &Recorder) {
        let at = |micros: u64| Timestamp::from_unix_nanos(START + micros * 1_000);
        let context =
            |span: u8| SpanContext::new(trace_id(self.trace), SpanId::from_bytes([span; 8]), TraceFlags::SAMPLED);
        let own = match self.is_rich {
            true => context(self.id).with_trace_state(TraceState::parse("vendor=1").unwrap()),
            false => context(self.id),
        };
        let parent = self.parent.map(context);
        let other = SpanContext::new(trace_id(0x77), SpanId::from_bytes([0x78; 8]), TraceFlags::SAMPLED);
        let why = [Attribute::new("why", "retry")];
        let links = [Link { context: &other, attributes: &why }];
        let mut state = recorder.start_span(&SpanStart {
            name: self.name,
            context: &own,
            parent: parent.as_ref(),
            kind: self.kind,
            time: at(self.from),
            attributes: self.attributes,
            links: if self.is_rich { &links } else { &[] },
            scope: InstrumentationScope { name: "shop-lib", version: "1.2.0" },
        });
        if self.is_rich {
            let amount = [Attribute::new("amount", &9.5)];
            recorder
                .add_span_event(&mut state, &Event { name: "paid", time: at(self.from + 1_001), attributes: &amount });
        }
        recorder.set_span_status(&mut state, self.status);
        recorder.end_span(state, at(self.to));
    }
}

/// Appends the spans to a trace file as a service of this name does.
pub(crate) fn write_spans(path: &Path, service: &str, spans: &[Made<'_>]) {
    let resource = Resource::new().with("service.name", service).with("region", "eu-1");
    let exporter = FileExporter::open(FileConfig::new(path)).unwrap();
    let recorder = Recorder::new(RecorderConfig::default(), &resource, vec![("file".to_owned(), Box::new(exporter))]);
    spans.iter().for_each(|span| span.record(&recorder));
    recorder.shutdown(Duration::from_secs(60)).unwrap();
}

/// A shop: a checkout that fails in another service, then two calls of `health`.
pub(crate) fn shop(folder: &Folder) {
    let path = folder.file("traces.jsonl");
    let status = [Attribute::new("url.path", "/checkout"), Attribute::new("http.response.status_code", &500)];
    let prices = [1.5, f64::NAN, -0.0];
    let rich = [
        Attribute::new("cart.items", &3),
        Attribute::new("big", &i64::MIN),
        Attribute::new("ratio", &0.1),
        Attribute::new("vip", &true),
        Attribute::new("prices", &prices[..]),
        Attribute::new("text", "käse \"🧀\"\n"),
    ];
    write_spans(
        &path,
        "payments",
        &[Made {
            kind: SpanKind::Server,
            status: Status::Error("card declined"),
            ..Made::new(CHECKOUT, 4, Some(3), "POST /pay", 14_000, 40_000)
        }],
    );
    write_spans(
        &path,
        "shop",
        &[
            Made { attributes: &rich, is_rich: true, ..Made::new(CHECKOUT, 2, Some(1), "reserve_stock", 1_000, 2_234) },
            Made { kind: SpanKind::Client, ..Made::new(CHECKOUT, 3, Some(1), "charge_card", 12_000, 42_000) },
            Made {
                kind: SpanKind::Server,
                status: Status::Error(""),
                attributes: &status,
                ..Made::new(CHECKOUT, 1, None, "POST /checkout", 0, 42_340)
            },
            Made { status: Status::Ok, ..Made::new(HEALTH, 9, Some(8), "health", 60_000_000, 60_000_850) },
            Made::new(HEALTH, 10, Some(8), "health", 61_000_000, 61_001_700),
        ],
    );
}

/// An agent with calls of three models: in both dialects, in that of OpenInference, and without a price.
pub(crate) fn ai_calls(folder: &Folder) {
    let inherited = [Attribute::new("tag.tags", "a"), Attribute::new("metadata", "{\"team\":\"search\"}")];
    let with = |own: &[Attribute<'static>]| [&inherited[..], own].concat();
    let agent = with(&[
        Attribute::new("gen_ai.operation.name", "invoke_agent"),
        Attribute::new("gen_ai.usage.input_tokens", &2310),
        Attribute::new("spandrel.sum.model_calls", &4),
        Attribute::new("spandrel.sum.input_tokens", &2310),
        Attribute::new("spandrel.sum.output_tokens", &65),
        Attribute::new("spandrel.sum.cost", &0.003_121_6),
    ]);
    let both = with(&[
        Attribute::new("gen_ai.operation.name", "chat"),
        Attribute::new("openinference.span.kind", "LLM"),
        Attribute::new("gen_ai.provider.name", "openai"),
        Attribute::new("llm.system", "openai"),
        Attribute::new("gen_ai.request.model", "gpt-4o"),
        Attribute::new("llm.model_name", "gpt-4o"),
        Attribute::new("gen_ai.usage.input_tokens", &1500),
        Attribute::new("llm.token_count.prompt", &1500),
        Attribute::new("gen_ai.usage.output_tokens", &60),
        Attribute::new("llm.token_count.completion", &60),
        Attribute::new("gen_ai.usage.cache_read.input_tokens", &1000),
        Attribute::new("llm.token_count.prompt_details.cache_read", &1000),
        Attribute::new("spandrel.cost.total", &0.003_12),
        Attribute::new("llm.cost.total", &0.003_12),
    ]);
    let failed = with(&[
        Attribute::new("gen_ai.operation.name", "chat"),
        Attribute::new("gen_ai.provider.name", "openai"),
        Attribute::new("gen_ai.request.model", "gpt-4o"),
        Attribute::new("error.type", "timeout"),
    ]);
    let embedding = [
        Attribute::new("openinference.span.kind", "EMBEDDING"),
        Attribute::new("embedding.model_name", "mistral-embed"),
        Attribute::new("llm.token_count.prompt", &800),
        Attribute::new("llm.cost.total", &0.000_001_6),
    ];
    let unpriced = [
        Attribute::new("gen_ai.provider.name", "acme"),
        Attribute::new("gen_ai.request.model", "own"),
        Attribute::new("gen_ai.usage.input_tokens", &10),
        Attribute::new("gen_ai.usage.output_tokens", &5),
    ];
    let call = |id, name, from| Made { kind: SpanKind::Client, ..Made::new(0x6d, id, Some(1), name, from, from + 100) };
    let spans = [
        Made { attributes: &both, ..call(2, "chat gpt-4o", 1) },
        Made { attributes: &failed, status: Status::Error("timeout"), ..call(3, "chat gpt-4o", 2) },
        Made { attributes: &embedding, ..call(4, "embed", 3) },
        Made { attributes: &unpriced, ..call(5, "ask", 4) },
        Made { attributes: &inherited, ..Made::new(0x6d, 6, Some(1), "tool", 5, 6) },
        Made { attributes: &agent, ..Made::new(0x6d, 1, None, "invoke_agent helper", 0, 500) },
    ];
    write_spans(&folder.file("traces.jsonl"), "assistant", &spans);
}
