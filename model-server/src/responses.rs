//! Responses of OpenAI.

use axum::response::Response;
use serde_json::{Value as Json, json};

use crate::asked::Asked;
use crate::reply::{Reply, Tokens, dated};
use crate::wire::{Vendor, event, events, json as respond_with, pieces};

pub(crate) fn respond(asked: &Asked, reply: Reply) -> Response {
    if asked.is_stream {
        return events(asked, Vendor::OpenAi, stream(asked, &reply));
    }
    respond_with(200, &whole(asked, &reply))
}

fn whole(asked: &Asked, reply: &Reply) -> Json {
    let mut body = begun(asked);
    body["status"] = "completed".into();
    body["output"] = thought(reply).into_iter().chain([item(reply, "completed")]).collect();
    if !asked.script.has_no_usage {
        let Tokens { input, output, cached, reasoning, .. } = reply.tokens;
        body["usage"] = json!({
            "input_tokens": input, "input_tokens_details": { "cached_tokens": cached },
            "output_tokens": output, "output_tokens_details": { "reasoning_tokens": reasoning },
            "total_tokens": input + output,
        });
    }
    body
}

fn begun(asked: &Asked) -> Json {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1_790_000_000, "status": "in_progress", "error": null,
        "incomplete_details": null, "model": dated(&asked.model), "output": [], "usage": null,
    })
}

fn item(reply: &Reply, status: &str) -> Json {
    match &reply.call {
        Some(call) => json!({
            "type": "function_call", "id": "fc_1", "call_id": call.id, "status": status,
            "name": call.name, "arguments": call.arguments.to_string(),
        }),
        None => json!({
            "type": "message", "id": "msg_1", "role": "assistant", "status": status,
            "content": [{ "type": "output_text", "text": reply.text, "annotations": [] }],
        }),
    }
}

/// What was thought before, if anything: a summary, and a text that is for the provider alone.
fn thought(reply: &Reply) -> Option<Json> {
    let summary = json!([{ "type": "summary_text", "text": reply.thought }]);
    let item = json!({ "type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "b3BhcXVl" });
    (!reply.thought.is_empty()).then_some(item)
}

fn stream(asked: &Asked, reply: &Reply) -> Vec<String> {
    let mut all: Vec<Json> = vec![json!({ "type": "response.created", "response": begun(asked) })];
    if let Some(done) = thought(reply) {
        let mut begun = done.clone();
        begun["summary"] = json!([]);
        all.push(json!({ "type": "response.output_item.added", "output_index": 0, "item": begun }));
        let delta = |piece: &str| json!({ "type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": piece });
        all.extend(pieces(&reply.thought).map(delta));
        all.push(json!({ "type": "response.output_item.done", "output_index": 0, "item": done }));
    }
    let output_index = usize::from(!reply.thought.is_empty());
    let mut first = item(reply, "in_progress");
    let done = item(reply, "completed");
    let at =
        |kind: &str, delta: &str| json!({ "type": kind, "item_id": "1", "output_index": output_index, "delta": delta });
    if let Some(call) = &reply.call {
        first["arguments"] = "".into();
        all.push(json!({ "type": "response.output_item.added", "output_index": output_index, "item": first }));
        all.push(at("response.function_call_arguments.delta", &call.arguments.to_string()));
    } else {
        first["content"] = json!([]);
        all.push(json!({ "type": "response.output_item.added", "output_index": output_index, "item": first }));
        for piece in pieces(&reply.text) {
            let mut delta = at("response.output_text.delta", piece);
            delta["content_index"] = 0.into();
            all.push(delta);
        }
    }
    all.push(json!({ "type": "response.output_item.done", "output_index": output_index, "item": done }));
    all.push(json!({ "type": "response.completed", "response": whole(asked, reply) }));
    let numbered = all.into_iter().enumerate().map(|(number, mut data)| {
        data["sequence_number"] = number.into();
        event(data["type"].as_str(), &data)
    });
    numbered.collect()
}
