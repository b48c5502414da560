//! What the document "Cost Katana Distributed Tracing" shows, with Spandrel: a service that calls models, storage by
//! configuration, sessions with what they cost.
//!
//! ```sh
//! cargo run -p spandrel-examples --bin seed_000_cost_katana
//! ```
//!
//! Needs neither a network nor a key: a server on loopback plays the models.

#![forbid(unsafe_code)]

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use spandrel::{self as tracing, OwnedValue, SpanData};
use spandrel_api_client::{ApiClient, reqwest};
use spandrel_genai as ai;
use spandrel_genai::clients::{ClientOptions, TracedAnthropic, TracedModel, TracedOpenAi};
use spandrel_model_server::ModelServer;
use spandrel_provider_memory::MemoryStore;
use spandrel_tower::TraceLayer;
use tokio::net::TcpListener;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// `storageMode` is `type`, one or several; `TraceClient` of the cloud is `type = "otlp"` with `endpoint`
/// and `headers` in `[provider.otlp]`.
const CONFIG: &str = r#"
type = ["console", "memory"]
service = { name = "chat" }

[provider.memory]
max_spans = 1000

[redaction]
keys = ["my-secret-key"]

[ai]
dialect = "legacy-cost-katana"
content = true

[ai.budget]
session_usd = 0.001
"#;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let guard = tracing::builder().default_config(CONFIG).read_configuration().install()?;
    ai::on_budget(|crossed| {
        println!("budget: {} {} spent {} USD of {}", crossed.scope, crossed.id, crossed.spent, crossed.limit_usd);
    });

    let models = ModelServer::start().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let service = Router::new()
        .route("/chat", post(chat))
        .layer(TraceLayer::new()) // `createTraceMiddleware`; reads `x-session-id`
        .with_state(Clients::new(models.url())?);
    let server = tokio::spawn(async { axum::serve(listener, service).await });

    let http = reqwest::Client::builder().no_proxy();
    let browser = ApiClient::builder().reqwest(http).base_url(&url).build()?;
    for (session, message) in [
        ("session-1", "What is a spandrel?"),
        ("session-1", "And what is an arch? My password: hunter2"),
        ("session-2", "Who built the first one?"),
    ] {
        let body = json!({ "message": message });
        let request = browser.post("/chat").header("x-session-id", session).tracing(false).json(&body);
        let answer: Value = request.send_json().await?;
        println!("{session}: {}", answer["answer"]);
    }
    server.abort();

    // `destroy()`: the last spans are delivered, and counted.
    let report = guard.shutdown(Duration::from_secs(5))?;
    sessions(&MemoryStore::shared().spans());
    println!("{report}");
    Ok(())
}

/// `TrackedOpenAI`, `TrackedAnthropic`, and `createTrackedProvider` for any other.
#[derive(Clone)]
struct Clients {
    openai: TracedOpenAi,
    anthropic: TracedAnthropic,
}

impl Clients {
    fn new(models: &str) -> Result<Self, Error> {
        // Without a base URL it is that of the vendor.
        let options = ClientOptions::new("any key").base_url(&format!("{models}/v1"));
        Ok(Self { openai: TracedOpenAi::new(options.clone())?, anthropic: TracedAnthropic::new(options)? })
    }
}

async fn chat(State(clients): State<Clients>, Json(body): Json<Value>) -> Result<Json<Value>, StatusCode> {
    let message = body["message"].as_str().unwrap_or_default().to_owned();
    ai::record_message("user", &message);
    // It gets the sums of what happens within as well.
    let answer = ai::scope().user("user-7").run_async(answer(&clients, &message)).await;
    let answer = answer.map_err(|_| StatusCode::BAD_GATEWAY)?;
    ai::record_message("assistant", &answer);
    Ok(Json(json!({ "answer": answer })))
}

async fn answer(clients: &Clients, message: &str) -> Result<String, Error> {
    // A custom span of the type `tool`, with metadata.
    let rows = ai::tool("database-query").attribute("metadata.query", "SELECT * FROM users").run(|tool| {
        let rows = ["Ada", "Grace"];
        tool.set_attribute("metadata.rowCount", rows.len());
        tool.set_attribute("metadata.my-secret-key", "k-123");
        rows
    });

    let messages = json!([{ "role": "user", "content": message }]);
    let request = json!({ "model": "gpt-4", "messages": messages, "max_tokens": 150 });
    let answer = clients.openai.chat(request).send().await?.text();

    let request = json!({ "model": "claude-3-5-haiku-20241022", "messages": messages, "max_tokens": 150 });
    clients.anthropic.messages(request).send().await?;

    let generic = TracedModel::new("groq", "llama-3.3-70b-versatile", ask_another);
    generic.call(json!({ "messages": messages })).await?;

    Ok(format!("{answer} ({} users know)", rows.len()))
}

/// `originalProvider.makeRequest`: a client of another crate, or a function of your own.
async fn ask_another(_request: Value) -> Result<Value, Error> {
    Ok(json!({
        "choices": [{ "message": { "role": "assistant", "content": "So it is." }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 4 }
    }))
}

/// `listSessions` and `getSessionGraph`, from the spans that the provider `memory` kept.
fn sessions(spans: &[SpanData]) {
    let text = |span: &SpanData, key: &str| match span.attribute(key) {
        Some(OwnedValue::Str(text)) => text.clone(),
        _ => String::new(),
    };
    let mut ids: Vec<String> = spans.iter().map(|span| text(span, "session.id")).filter(|id| !id.is_empty()).collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        let spans: Vec<&SpanData> = spans.iter().filter(|span| text(span, "session.id") == id).collect();
        let cost = spans.iter().filter_map(|span| match span.attribute("costUSD") {
            Some(OwnedValue::F64(usd)) => Some(*usd),
            _ => None,
        });
        println!("{id}: totalSpans={} totalCostUSD={:.6}", spans.len(), cost.sum::<f64>());
        let messages = spans.iter().flat_map(|span| &span.events).filter(|event| event.name == "gen_ai.message");
        for message in messages {
            let texts = message.attributes.iter().filter_map(|attribute| match &attribute.value {
                OwnedValue::Str(text) => Some(text.as_str()),
                _ => None,
            });
            println!("  {}", texts.collect::<Vec<_>>().join(": "));
        }
    }
}
