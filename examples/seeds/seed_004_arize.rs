//! What the "Tracing Improvements Guide" shows, with Spandrel: cost, templates of prompts, users and sessions, functions and
//! agents, performance, links.
//!
//! ```sh
//! cargo run -p spandrel-examples --bin seed_004_arize
//! ```
//!
//! Needs neither a network nor a key: a function plays the model.

#![forbid(unsafe_code)]

use spandrel::{self as tracing, SpanContext};
use spandrel_genai as ai;

const HAIKU: &str = "claude-3-5-haiku-20241022";

/// `MODEL_COSTS` are `[prices]`, in US dollars per million tokens; without the table, the prices that come with Spandrel count.
const CONFIG: &str = r#"
type = "console"
service = { name = "call-analyzer" }

[ai]
dialect = "legacy-arize"
content = true

[prices]
"claude-3-5-haiku-20241022" = { input = 0.25, output = 1.25 }
"claude-3-5-sonnet-20241022" = { input = 3.00, output = 15.00 }
"#;

fn main() -> Result<(), tracing::Error> {
    let _guard = tracing::builder().default_config(CONFIG).read_configuration().install()?;

    let metadata = [("call_id", "call789"), ("customer", "Acme Corp")];
    ai::with_metadata("user123", "session456", &["production", "v2"], &metadata, || {
        let transcript = "Hello, this is Acme.";
        ai::with_prompt_template("Analyze this call: {transcript}", "2.0", &[("transcript", transcript)], || {
            analyze_transcript(transcript, HAIKU);
        });
        let evaluated = evaluate(transcript);
        follow_up(evaluated.as_ref());
    });
    Ok(())
}

/// `@trace_function(span_kind="agent", capture_args=True, capture_result=True, add_cost_tracking=True, model_name_attr="model")`
#[tracing::traced(name = "analyze_transcript", agent, capture(args, result, max_bytes = 500))]
fn analyze_transcript(transcript: &str, model: &str) -> String {
    ask(model, &format!("Analyze this call: {transcript}"))
}

/// `TokenTrackingCallback`: the cost follows from the usage.
#[tracing::traced(llm(provider = "anthropic", model = model), capture(args, result), as call)]
fn ask(model: &str, prompt: &str) -> String {
    // ... ask the model ...
    call.set_usage(ai::Usage::new(1000, 500));
    format!("{} words", prompt.split(' ').count())
}

/// `trace_agent_execution(...)`
fn evaluate(transcript: &str) -> Option<SpanContext> {
    let mut agent = ai::agent("technical_evaluator")
        .role("Senior Technical Architect")
        .description("Evaluate technical depth")
        .input(|| transcript)
        .start();
    let result = agent.within(|_| ask(HAIKU, "How deep is it?"));
    agent.set_output(|| format!("{{\"depth\":\"{result}\"}}"));
    let context = agent.context();
    let totals = agent.end();
    println!("the evaluation cost {} USD in {} model call", totals.cost, totals.calls);
    context
}

/// `create_span_link(..., {"link.type": "related_analysis"})`
fn follow_up(related: Option<&SpanContext>) {
    let mut operation = ai::workflow("child_operation");
    if let Some(related) = related {
        operation = operation.link(related, "related_analysis");
    }
    operation.run(|_| ());
}
