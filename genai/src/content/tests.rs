use serde_json::{Value as Json, json};

use super::outputs;
use crate::{Message, Part};

fn thought(text: &str, block: Option<Json>) -> Part {
    Part::Reasoning { text: text.into(), block }
}

#[test]
fn answers_are_read_from_all_forms() {
    let stop = |reason: &str| Message::assistant("Yes").with_finish_reason(reason);
    let chat =
        json!({ "choices": [{ "message": { "role": "assistant", "content": "Yes" }, "finish_reason": "stop" }] });
    assert_eq!(outputs(&chat), [stop("stop")]);
    let responses = json!({ "status": "completed", "output": [
        { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Yes" }] },
    ] });
    assert_eq!(outputs(&responses), [stop("completed")]);
    let anthropic =
        json!({ "role": "assistant", "content": [{ "type": "text", "text": "Yes" }], "stop_reason": "end_turn" });
    assert_eq!(outputs(&anthropic), [stop("end_turn")]);
    let google = json!({ "candidates": [{ "content": { "role": "model", "parts": [{ "text": "Yes" }] }, "finishReason": "STOP" }] });
    assert_eq!(outputs(&google), [stop("STOP")]);
    assert_eq!(outputs(&json!({ "error": "none" })), []);
}

#[test]
fn reasoning_is_read_from_all_forms() {
    let parts = |answer: Json| outputs(&answer).remove(0).parts;
    let yes = || Part::Text("Yes".into());

    let block = json!({ "type": "thinking", "thinking": "Hm.", "signature": "s1" });
    let redacted = json!({ "type": "redacted_thinking", "data": "opaque" });
    let anthropic = json!({ "content": [block, redacted, { "type": "text", "text": "Yes" }] });
    assert_eq!(parts(anthropic), [thought("Hm.", Some(block)), thought("", Some(redacted)), yes()]);

    let summary = |text: &str| json!({ "type": "summary_text", "text": text });
    let summarized = json!({ "type": "reasoning", "id": "rs_1", "summary": [summary("Hm."), summary("Well.")] });
    let told = json!({ "type": "reasoning", "id": "rs_2", "summary": [], "content": [{ "type": "reasoning_text", "text": "So." }] });
    let kept = json!({ "type": "reasoning", "id": "rs_3", "summary": [], "encrypted_content": "opaque" });
    let said = json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Yes" }] });
    let read = parts(json!({ "output": [summarized, told, kept, said] }));
    let thoughts =
        [thought("Hm.\nWell.", Some(summarized)), thought("So.", Some(told)), thought("", Some(kept.clone()))];
    assert_eq!((&read[..3], &read[3]), (&thoughts[..], &yes()));

    for key in ["reasoning_content", "reasoning"] {
        let message = json!({ "role": "assistant", "content": "Yes", key: "Hm." });
        assert_eq!(parts(json!({ "choices": [{ "message": message }] })), [thought("Hm.", None), yes()]);
    }
    let block = json!({ "type": "thinking", "thinking": [{ "type": "text", "text": "Hm." }] });
    let mistral = json!({ "choices": [{ "message": { "content": [block, { "type": "text", "text": "Yes" }] } }] });
    assert_eq!(parts(mistral), [thought("Hm.", Some(block)), yes()]);
    let google =
        json!({ "candidates": [{ "content": { "parts": [{ "text": "Hm.", "thought": true }, { "text": "Yes" }] } }] });
    assert_eq!(parts(google), [thought("Hm.", None), yes()]);
}
