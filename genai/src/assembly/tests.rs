use serde_json::{Value as Json, json};

use super::Assembly;
use crate::content::outputs;
use crate::{Message, Part};

fn assembled(chunks: &[Json]) -> Json {
    let mut assembly = Assembly::default();
    chunks.iter().for_each(|chunk| assembly.add(chunk));
    assembly.body().clone()
}

fn expected(reason: &str) -> Vec<Message> {
    let call = Part::ToolCall { id: "c1".into(), name: "search".into(), arguments: r#"{"q":"x"}"#.into() };
    vec![Message::assistant("Let me see.").with_part(call).with_finish_reason(reason)]
}

#[test]
fn chunks_of_chat_make_a_completion() {
    let delta = |delta: Json| json!({ "id": "a", "model": "m", "choices": [{ "index": 0, "delta": delta, "finish_reason": null }], "usage": null });
    let body = assembled(&[
        delta(json!({ "role": "assistant", "content": "" })),
        delta(json!({ "content": "Let me " })),
        delta(json!({ "content": "see." })),
        delta(
            json!({ "tool_calls": [{ "index": 0, "id": "c1", "type": "function", "function": { "name": "search", "arguments": "" } }] }),
        ),
        delta(json!({ "tool_calls": [{ "index": 0, "function": { "arguments": "{\"q\":" } }] })),
        delta(json!({ "tool_calls": [{ "index": 0, "function": { "arguments": "\"x\"}" } }] })),
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "tool_calls" }] }),
        json!({ "choices": [], "usage": { "prompt_tokens": 5 } }),
    ]);
    assert_eq!(outputs(&body), expected("tool_calls"));
    assert_eq!((&body["model"], &body["usage"]["prompt_tokens"]), (&json!("m"), &json!(5)));
}

#[test]
fn several_choices_stay_apart() {
    let delta = |at: u64, text: &str| json!({ "choices": [{ "index": at, "delta": { "content": text } }] });
    let body = assembled(&[delta(1, "b"), delta(0, "a"), delta(1, "B")]);
    let texts: Vec<Message> = outputs(&body);
    assert_eq!((&texts[0].parts[0], &texts[1].parts[0]), (&Part::Text("a".into()), &Part::Text("bB".into())));
}

#[test]
fn events_of_anthropic_make_a_message() {
    let delta = |at: u64, delta: Json| json!({ "type": "content_block_delta", "index": at, "delta": delta });
    let tool = json!({ "type": "tool_use", "id": "c1", "name": "search", "input": {} });
    let mut events = vec![
        json!({ "type": "message_start", "message": { "id": "m", "role": "assistant", "content": [], "usage": { "input_tokens": 7, "output_tokens": 1 } } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        delta(0, json!({ "type": "text_delta", "text": "Let me " })),
        delta(0, json!({ "type": "text_delta", "text": "see." })),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "content_block_start", "index": 1, "content_block": tool }),
        delta(1, json!({ "type": "input_json_delta", "partial_json": "{\"q\":" })),
    ];
    // Dropped here, what came of the arguments is no JSON, and left out.
    assert_eq!(outputs(&assembled(&events))[0].parts.len(), 2);
    events.extend([
        delta(1, json!({ "type": "input_json_delta", "partial_json": "\"x\"}" })),
        json!({ "type": "content_block_stop", "index": 1 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" }, "usage": { "output_tokens": 12 } }),
        json!({ "type": "message_stop" }),
    ]);
    let body = assembled(&events);
    assert_eq!(outputs(&body), expected("tool_use"));
    assert_eq!(body["usage"], json!({ "input_tokens": 7, "output_tokens": 12 }));
}

#[test]
fn events_of_responses_make_a_response() {
    let text = |delta: &str| json!({ "type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": delta });
    let message = json!({ "type": "message", "role": "assistant", "content": [] });
    let call =
        |arguments: &str| json!({ "type": "function_call", "call_id": "c1", "name": "search", "arguments": arguments });
    let mut events = vec![
        json!({ "type": "response.created", "response": { "id": "r", "status": "in_progress", "output": [] } }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": message }),
        text("Let me "),
        text("see."),
        json!({ "type": "response.output_item.added", "output_index": 1, "item": call("") }),
        json!({ "type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{\"q\":\"x\"}" }),
    ];
    assert_eq!(outputs(&assembled(&events)), expected("in_progress"));
    let done = json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Let me see." }] });
    let whole = json!({ "id": "r", "status": "completed", "output": [done, call("{\"q\":\"x\"}")], "usage": { "input_tokens": 3 } });
    events.push(json!({ "type": "response.completed", "response": whole }));
    let body = assembled(&events);
    assert_eq!(outputs(&body), expected("completed"));
    assert_eq!(body["usage"]["input_tokens"], 3);
}

#[test]
fn reasoning_comes_in_pieces_as_well() {
    let thoughts = |body: &Json| {
        let parts = outputs(body).remove(0).parts.into_iter();
        parts
            .filter_map(|part| if let Part::Reasoning { text, .. } = part { Some(text) } else { None })
            .collect::<Vec<_>>()
    };
    let delta = |at: u64, delta: Json| json!({ "type": "content_block_delta", "index": at, "delta": delta });
    let start = |at: u64, block: Json| json!({ "type": "content_block_start", "index": at, "content_block": block });
    let redacted = json!({ "type": "redacted_thinking", "data": "opaque" });
    let body = assembled(&[
        json!({ "type": "message_start", "message": { "role": "assistant", "content": [] } }),
        start(0, json!({ "type": "thinking", "thinking": "", "signature": "" })),
        delta(0, json!({ "type": "thinking_delta", "thinking": "Hm, " })),
        delta(0, json!({ "type": "thinking_delta", "thinking": "well." })),
        delta(0, json!({ "type": "signature_delta", "signature": "s1" })),
        start(1, redacted.clone()),
    ]);
    assert_eq!(thoughts(&body), ["Hm, well.", ""]);
    let block = json!({ "type": "thinking", "thinking": "Hm, well.", "signature": "s1" });
    assert_eq!(body["content"], json!([block, redacted]));

    let item = json!({ "type": "reasoning", "id": "rs_1", "summary": [] });
    let added = json!({ "type": "response.output_item.added", "output_index": 0, "item": item });
    let summary = |at: u64, text: &str| json!({ "type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": at, "delta": text });
    let body = assembled(&[added.clone(), summary(0, "Hm, "), summary(0, "well."), summary(1, "So.")]);
    assert_eq!(thoughts(&body), ["Hm, well.\nSo."]);
    let told = |text: &str| json!({ "type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0, "delta": text });
    assert_eq!(thoughts(&assembled(&[added, told("Hm, "), told("well.")])), ["Hm, well."]);

    let chunk =
        |text: &str| json!({ "choices": [{ "index": 0, "delta": { "content": null, "reasoning_content": text } }] });
    assert_eq!(thoughts(&assembled(&[chunk("Hm, "), chunk("well.")])), ["Hm, well."]);
}

#[test]
fn nonsense_takes_no_memory_and_does_not_panic() {
    let far =
        json!({ "choices": [{ "index": u64::MAX, "delta": { "content": "x", "tool_calls": [{ "index": -1 }] } }] });
    for chunk in [
        json!(null),
        json!([1]),
        json!("x"),
        far,
        json!({ "type": 3, "choices": {} }),
        json!({ "type": "message_delta", "delta": [] }),
    ] {
        assembled(&[chunk]);
    }
    assembled(&[
        json!({ "type": "message_start" }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "text": "x" } }),
    ]);
    assembled(&[
        json!({ "type": "response.completed", "response": { "output": "x" } }),
        json!({ "type": "response.output_item.added", "item": 1 }),
    ]);
}

#[test]
fn chunks_of_google_make_one_answer() {
    let chunk = |parts: Json, reason: Json| json!({ "candidates": [{ "content": { "role": "model", "parts": parts }, "finishReason": reason }], "modelVersion": "m" });
    let call = json!({ "functionCall": { "id": "c1", "name": "search", "args": { "q": "x" } } });
    let body = assembled(&[
        chunk(json!([{ "text": "Hm, ", "thought": true }]), Json::Null),
        chunk(json!([{ "text": "well.", "thought": true }, { "text": "Let me " }]), Json::Null),
        chunk(json!([{ "text": "see." }]), Json::Null),
        chunk(json!([call]), "STOP".into()),
    ]);
    let mut message = expected("STOP").remove(0);
    message.parts.insert(0, Part::Reasoning { text: "Hm, well.".into(), block: None });
    assert_eq!(outputs(&body), [message]);
    assert_eq!(body["modelVersion"], "m");
}

#[test]
fn chunks_of_a_continued_text_and_of_a_language_not_known_here() {
    let body = assembled(&["Yes", ", of course."].map(|text| json!({ "choices": [{ "index": 0, "text": text }] })));
    assert_eq!(outputs(&body), [Message::assistant("Yes, of course.")]);
    // Not the last piece as if it were all.
    let ollama = ["Yes", "."].map(|text| json!({ "message": { "role": "assistant", "content": text }, "done": false }));
    assert_eq!(outputs(&assembled(&ollama)), []);
}
