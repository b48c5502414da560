use serde_json::{Value as Json, json};

use super::{inputs, system};
use crate::{Message, Part};

fn call() -> Part {
    Part::ToolCall { id: "c1".into(), name: "search".into(), arguments: r#"{"q":"x"}"#.into() }
}

fn of(role: &str, parts: Vec<Part>) -> Message {
    Message { role: role.to_owned(), parts, finish_reason: None }
}

fn thought(text: &str, block: Option<Json>) -> Part {
    Part::Reasoning { text: text.into(), block }
}

fn result() -> Part {
    Part::ToolResult { id: "c1".into(), result: "found".into() }
}

#[test]
fn the_same_conversation_is_read_from_all_forms() {
    let expected = [Message::user("Hi"), of("assistant", vec![call()]), of("tool", vec![result()])];
    let chat = json!({ "messages": [
        { "role": "user", "content": "Hi" },
        { "role": "assistant", "content": null, "tool_calls": [{ "id": "c1", "type": "function", "function": { "name": "search", "arguments": "{\"q\":\"x\"}" } }] },
        { "role": "tool", "tool_call_id": "c1", "content": "found" },
    ] });
    assert_eq!(inputs(&chat), expected);

    let responses = json!({ "instructions": "Be brief.", "input": [
        { "role": "user", "content": [{ "type": "input_text", "text": "Hi" }] },
        { "type": "function_call", "call_id": "c1", "name": "search", "arguments": "{\"q\":\"x\"}" },
        { "type": "function_call_output", "call_id": "c1", "output": "found" },
    ] });
    assert_eq!(inputs(&responses), expected);
    assert_eq!(system(&responses).as_deref(), Some("Be brief."));

    let mut messages = inputs(&json!({ "messages": [
        { "role": "user", "content": "Hi" },
        { "role": "assistant", "content": [{ "type": "thinking", "thinking": "..." }, { "type": "tool_use", "id": "c1", "name": "search", "input": { "q": "x" } }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "c1", "content": [{ "type": "text", "text": "found" }] }] },
    ] }));
    // Anthropic has results of tools in messages of the user.
    assert_eq!(messages[2].role, "user");
    "tool".clone_into(&mut messages[2].role);
    assert_eq!(messages[1].parts.remove(0), thought("...", Some(json!({ "type": "thinking", "thinking": "..." }))));
    assert_eq!(messages, expected);

    assert_eq!(inputs(&json!({ "input": "Hi" })), [Message::user("Hi")]);
    assert_eq!(
        inputs(&json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hi" }] }] })),
        [Message::user("Hi")]
    );
    assert_eq!(system(&json!({ "system": [{ "type": "text", "text": "Be brief." }] })).as_deref(), Some("Be brief."));
    assert_eq!(system(&json!({})), None);
}

#[test]
fn images_keep_their_urls() {
    let url = json!({ "messages": [{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "https://x/y.png" } }] }] });
    assert_eq!(inputs(&url)[0].parts, [Part::Image("https://x/y.png".into())]);
    let bytes = json!({ "messages": [{ "role": "user", "content": [
        { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } },
    ] }] });
    assert_eq!(inputs(&bytes)[0].parts, [Part::Image("data:image/png;base64,AAAA".into())]);
}

#[test]
fn reasoning_that_only_the_provider_can_read_goes_back_to_it() {
    let kept = json!({ "type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": "opaque" });
    assert_eq!(inputs(&json!({ "input": [kept] })), [of("assistant", vec![thought("", Some(kept.clone()))])]);
}
