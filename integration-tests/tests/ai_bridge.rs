//! `rig`, which knows nothing of Spandrel: the spans of its model calls are part of the trace, by way of `tracing`.

use rig_core::client::CompletionClient;
use rig_core::completion::{CompletionModel, CompletionResponse};
use rig_core::providers::openai;
use spandrel::testing::{Trace, capture_async};
use spandrel::{OwnedValue, SpanData};
use spandrel_api_client::reqwest;
use spandrel_genai as ai;
use spandrel_model_server::ModelServer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

fn text<'a>(span: &'a SpanData, key: &str) -> Option<&'a str> {
    match span.attribute(key) {
        Some(OwnedValue::Str(text)) => Some(text),
        _ => None,
    }
}

fn count(span: &SpanData, key: &str) -> Option<i64> {
    match span.attribute(key) {
        Some(OwnedValue::I64(count)) => Some(*count),
        _ => None,
    }
}

/// Asks by way of rig, within an agent of ours.
async fn asked(text: &str) -> (Trace, Option<CompletionResponse>) {
    let server = ModelServer::start().await.unwrap();
    let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(spandrel_tracing::layer());
    let _subscriber = tracing::subscriber::set_default(subscriber);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let client =
        openai::CompletionsClient::builder().http_client(http).api_key("sk-1").base_url(format!("{}/v1", server.url()));
    let model = client.build().unwrap().completion_model("gpt-4o-mini");
    let mut answer = None;
    let work = async {
        let agent = ai::agent("researcher");
        let request = model.completion_request(text).preamble("Be brief.".to_owned());
        answer = agent.run_async(async |_: &mut ai::Record| request.send().await.ok()).await;
    };
    let trace = capture_async(ai::scope().session("s-1").user("u-1").run_async(work)).await;
    (trace, answer)
}

#[tokio::test]
async fn a_model_call_of_rig_is_part_of_the_trace() {
    let (trace, answer) = asked("Hi #in=100 #out=3 #cached=64").await;
    assert_eq!(answer.unwrap().usage.input_tokens, 100);
    let (agent, call) = (trace.span("invoke_agent researcher"), trace.span("chat"));
    assert_eq!((call.trace_id, call.parent_span_id), (agent.trace_id, Some(agent.span_id)));
    assert_eq!(text(call, "gen_ai.provider.name"), Some("openai"));
    assert_eq!(text(call, "gen_ai.request.model"), Some("gpt-4o-mini"));
    assert_eq!(text(call, "gen_ai.response.model"), Some("gpt-4o-mini-2024-07-18"));
    assert_eq!(count(call, "gen_ai.usage.input_tokens"), Some(100));
    assert_eq!(count(call, "gen_ai.usage.output_tokens"), Some(3));
    assert_eq!(count(call, "gen_ai.usage.cache_read.input_tokens"), Some(64));
    // What is said around it counts for spans of others as well.
    assert_eq!(text(call, "session.id"), Some("s-1"));
    assert_eq!(text(call, "user.id"), Some("u-1"));
}

#[tokio::test]
async fn a_failed_call_of_rig_is_part_of_the_trace() {
    let (trace, answer) = asked("#status=500").await;
    assert!(answer.is_none());
    let (agent, call) = (trace.span("invoke_agent researcher"), trace.span("chat"));
    assert_eq!(call.parent_span_id, Some(agent.span_id));
    assert_eq!(count(call, "gen_ai.usage.input_tokens"), None);
}
