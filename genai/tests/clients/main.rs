//! The clients against a model server on the loopback interface.

mod calls;
mod connection;
mod reasoning;
mod retries;
mod secrets;
mod streams;
mod wrapped;

use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::{Value as Json, json};
use spandrel::{InSpanExt, OwnedValue, SpanData, SpanKind, StatusData};
use spandrel_api_client::Retry;
use spandrel_genai::clients::{ClientOptions, TracedAnthropic, TracedOpenAi};
use spandrel_model_server::ModelServer;
use spandrel_provider_memory::{MemoryExporter, MemoryStore};

const KEY: &str = "sk-very-secret-0123456789";

fn openai(server: &ModelServer) -> TracedOpenAi {
    TracedOpenAi::new(options(server)).unwrap()
}

fn anthropic(server: &ModelServer) -> TracedAnthropic {
    TracedAnthropic::new(options(server)).unwrap()
}

fn options(server: &ModelServer) -> ClientOptions {
    patient(server).retry(quick(2))
}

/// With waits as they are unless set.
fn patient(server: &ModelServer) -> ClientOptions {
    ClientOptions::new(KEY).base_url(&format!("{}/v1", server.url()))
}

/// Retries that do not wait, unless they are asked to.
fn quick(retries: u32) -> Retry {
    Retry::new(retries).waits(Duration::from_millis(1), Duration::from_millis(1))
}

fn ask(text: &str) -> Json {
    json!({ "model": "gpt-4o-mini", "messages": [{ "role": "user", "content": text }] })
}

fn ask_anthropic(text: &str) -> Json {
    json!({ "model": "claude-3-5-haiku-latest", "max_tokens": 100, "messages": [{ "role": "user", "content": text }] })
}

/// What came of the work and the spans that it left, with content.
async fn traced<T>(work: impl Future<Output = T>) -> (T, Spans) {
    traced_as("[ai]\ncontent = true", work).await
}

async fn traced_as<T>(config: &str, work: impl Future<Output = T>) -> (T, Spans) {
    let store = MemoryStore::new(NonZeroUsize::MAX);
    let exported = store.clone();
    let builder = spandrel::builder().default_config(config).redaction(false);
    let tracer = builder.exporter("test", move || MemoryExporter::new(exported.clone())).build().unwrap();
    let result = work.in_context(tracer.context()).await;
    tracer.shutdown(Duration::from_secs(60)).unwrap();
    (result, Spans(store.take()))
}

#[derive(Debug)]
struct Spans(Vec<SpanData>);

impl Spans {
    /// The only one with this name.
    fn only(&self, name: &str) -> &SpanData {
        let found: Vec<&SpanData> = self.0.iter().filter(|span| span.name == name).collect();
        assert_eq!(found.len(), 1, "{name} among {:?}", self.names());
        found[0]
    }

    fn names(&self) -> Vec<&str> {
        self.0.iter().map(|span| span.name.as_str()).collect()
    }

    fn attempts(&self) -> Vec<&SpanData> {
        let is_one = |span: &&SpanData| span.kind == SpanKind::Client && span.name.starts_with("POST");
        let mut attempts: Vec<&SpanData> = self.0.iter().filter(is_one).collect();
        attempts.sort_by_key(|span| span.start);
        attempts
    }

    fn statuses(&self) -> Vec<i64> {
        self.attempts().iter().filter_map(|span| count(span, "http.response.status_code")).collect()
    }
}

fn text<'a>(span: &'a SpanData, key: &str) -> Option<&'a str> {
    match span.attribute(key) {
        Some(OwnedValue::Str(text)) => Some(text),
        Some(other) => panic!("{key} is {other:?}"),
        None => None,
    }
}

fn count(span: &SpanData, key: &str) -> Option<i64> {
    match span.attribute(key) {
        Some(OwnedValue::I64(count)) => Some(*count),
        Some(other) => panic!("{key} is {other:?}"),
        None => None,
    }
}

/// Input and output.
fn tokens(span: &SpanData) -> (Option<i64>, Option<i64>) {
    (count(span, "gen_ai.usage.input_tokens"), count(span, "gen_ai.usage.output_tokens"))
}

/// In billionths of a dollar.
fn cost(span: &SpanData) -> Option<i64> {
    match span.attribute("spandrel.cost.total") {
        Some(OwnedValue::F64(usd)) => Some((usd * 1e9).round() as i64),
        Some(other) => panic!("{other:?}"),
        None => None,
    }
}

fn error(span: &SpanData) -> Option<&str> {
    match &span.status {
        StatusData::Error(text) => Some(text),
        _ => None,
    }
}
