//! What the document "Distributed Tracing" of ai-infra shows, with Spandrel: model calls, agents and tools, spans by hand,
//! propagation, sampling, errors, logs, metrics, and how to switch it off.
//!
//! ```sh
//! cargo run -p spandrel-examples --bin seed_001_ai_infra
//! ```
//!
//! Needs neither a network nor a key: a function plays the model.

#![forbid(unsafe_code)]

use std::collections::HashMap;

use log::{LevelFilter, Log, Metadata, Record};
use serde_json::{Value, json};
use spandrel::{self as tracing, Sampler, SpanKind, attrs};
use spandrel_genai as ai;
use spandrel_genai::clients::TracedModel;
use spandrel_log::{Logger, write_json};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// `configure_tracing(...)`. With `exporter = "otlp"`, `"jaeger"` or `"zipkin"`, `endpoint` says where to: each is a feature
/// of the facade, or a plugin.
const CONFIG: &str = r#"
service_name = "my-ai-service"
service_version = "1.0.0"
environment = "production"
exporter = "console"
propagators = ["tracecontext", "baggage"]

[ai]
dialect = "legacy-ai-infra"
content = true
"#;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let _guard =
        tracing::builder().default_config(CONFIG).sampler(custom_sampler(1.0)?).read_configuration().install()?;
    Logger::new(Stdout).install(LevelFilter::Info)?;

    // Automatic: model calls, agents, tools.
    generate("Hello").await?;
    run("Do something").await?;
    let openai = TracedModel::new("openai", "gpt-4o", model);
    openai.call_with(prompt("Not traced, but counted"), |call| call.trace(false)).await?;

    by_hand().await;
    propagated().await?;
    let _ = tracing::try_with_span("operation", |_| risky_operation());

    // `enabled=False`, here for a while; `enabled = false` or `TRACING_ENABLED=false` for good.
    tracing::disable();
    generate("Nobody sees this").await?;
    tracing::enable();

    tracing::flush(std::time::Duration::from_secs(5))?;
    println!("metrics");
    ai::prometheus().lines().filter(|line| line.starts_with("ai_llm_")).for_each(|line| println!("  {line}"));
    Ok(())
}

/// `LLM(provider="openai").generate(...)`
async fn generate(text: &str) -> Result<Value, Error> {
    TracedModel::new("openai", "gpt-4o", model).call(prompt(text)).await
}

fn prompt(text: &str) -> Value {
    json!({ "messages": [{ "role": "user", "content": text }] })
}

async fn model(_request: Value) -> Result<Value, Error> {
    log::info!("the model is asked"); // with trace_id and span_id
    Ok(json!({
        "choices": [{ "message": { "role": "assistant", "content": "Hello." }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 20, "total_tokens": 25 }
    }))
}

/// `Agent(persona, tools).run(task)`
#[tracing::traced(agent(role = "helper"), err)]
async fn run(task: &str) -> Result<Value, Error> {
    step(1, task).await?;
    step(2, task).await
}

#[tracing::traced(step(number = round), err)]
async fn step(round: u32, task: &str) -> Result<Value, Error> {
    if round > 1 {
        search(task, 10);
    }
    generate(task).await
}

#[tracing::traced(tool, capture(args, result))]
fn search(query: &str, limit: usize) -> usize {
    query.len().min(limit)
}

async fn by_hand() {
    tracing::with_span("my_operation", |span| {
        span.set_attribute("custom_key", "value");
        span.set_attribute("result_count", 3);
    });
    tracing::with_span_async("async_operation", tokio::task::yield_now()).await;
    tracing::with_span("processing", |span| {
        span.add_event("step_1_complete", &attrs! { "items_processed" => 100 });
        span.add_event("step_2_complete", &attrs! { "items_processed" => 200 });
    });
    tracing::with_span("custom", |span| {
        span.set_attributes(&attrs! { "user.id" => "user123", "feature.name" => "chat", "request.size" => 1024 });
    });
}

/// Context goes along with async code by itself; between services it is put into headers and taken out of them.
async fn propagated() -> Result<(), Error> {
    let mut headers = HashMap::<String, String>::new();
    tracing::span("caller").kind(SpanKind::Client).run(|_| tracing::inject(&mut headers));
    let context = tracing::extract(&headers);
    let child = tracing::span("child").kind(SpanKind::Server).parent(&context).start();
    tracing::InSpanExt::in_span(generate("From elsewhere"), child).await?;
    Ok(())
}

fn risky_operation() -> Result<u32, std::num::ParseIntError> {
    "risky".parse()
}

/// Always what begins with `error`, of the rest a share. The share alone is `sample_rate = 0.1`.
fn custom_sampler(share: f64) -> Result<Sampler, tracing::Error> {
    let others = Sampler::ratio(share)?;
    let always_errors = Sampler::custom(move |span| span.name.starts_with("error") || others.should_sample(span));
    Ok(Sampler::parent_based(always_errors))
}

/// `configure_logging`: in a service this is env_logger, fern, ….
struct Stdout;

impl Log for Stdout {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= LevelFilter::Info && metadata.target().starts_with("seed_001")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // A closed pipe is no reason to stop working.
            let _ = write_json(&mut std::io::stdout().lock(), record);
        }
    }

    fn flush(&self) {}
}
