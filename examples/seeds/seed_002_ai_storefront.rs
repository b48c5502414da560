//! What the document "AI Storefront Tracing Implementation" shows, with Spandrel: a chat turn and its model call, as
//! lines of JSON for Datadog, New Relic or BigQuery.
//!
//! ```sh
//! cargo run -p spandrel-examples --bin seed_002_ai_storefront
//! ```
//!
//! Needs neither a network nor a key: a function plays the model. Prints the lines that it wrote, and nothing else.

#![forbid(unsafe_code)]

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use spandrel as tracing;
use spandrel_genai as ai;

type Error = Box<dyn std::error::Error + Send + Sync>;

fn config(file: &Path) -> String {
    format!(
        r#"
type = "file"
service = {{ name = "ai-storefront", version = "1.0.0" }}

[provider.file]
path = {file:?}
format = "json-log"

[ai]
dialect = "legacy-ai-storefront"
"#
    )
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let file = std::env::temp_dir().join(format!("ai-storefront-{}.jsonl", std::process::id()));
    let guard = tracing::builder().default_config(config(&file)).read_configuration().install()?;

    let scope = ai::scope().session("test-thread-123").user("test-user");
    scope.run_async(continue_thread("test-thread-123", "A gift for an architect?")).await?;
    // A model that answers nothing: a line with the level ERROR.
    let failed = scope.run_async(continue_thread("test-thread-123", "")).await;
    assert!(failed.is_err());

    guard.shutdown(Duration::from_secs(5))?;
    print!("{}", std::fs::read_to_string(&file)?);
    std::fs::remove_file(&file)?;
    Ok(())
}

/// `traceChatTurn("continue_thread", ...)`
async fn continue_thread(thread: &str, prompt: &str) -> Result<String, Error> {
    let turn = ai::chat_turn("continue_thread").id(format!("{thread}-1755358043101"));
    turn.try_run_async(async |_| process_user_message(prompt).await).await
}

/// `traceLLMCall("openai.chat.completions.create", ...)`
async fn process_user_message(prompt: &str) -> Result<String, Error> {
    let call = ai::llm_call("openai", "gpt-4o-mini").temperature(0.7);
    call.try_run_async(async |call| {
        let completion = complete(prompt).await?;
        call.set_answer(&completion); // usage and finish reason are in it
        Ok(completion["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

/// `openai.chat.completions.create`
async fn complete(prompt: &str) -> Result<Value, Error> {
    tokio::task::yield_now().await;
    if prompt.is_empty() {
        return Err("400: there is no prompt".into());
    }
    Ok(json!({
        "choices": [{ "message": { "role": "assistant", "content": "A book on arches." }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 159, "completion_tokens": 237, "total_tokens": 396 }
    }))
}
