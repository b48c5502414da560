//! Messages of Anthropic.

use axum::response::Response;
use serde_json::{Value as Json, json};

use crate::asked::Asked;
use crate::reply::{Reply, Tokens, dated};
use crate::wire::{Vendor, event, events, json as respond, pieces};

/// It says nothing but that it is ours.
const SIGNATURE: &str = "b3BhcXVl";

pub(crate) fn messages(asked: &Asked, reply: Reply) -> Response {
    if asked.body["max_tokens"].as_u64().is_none() {
        return Vendor::Anthropic.error(400, "max_tokens: Field required");
    }
    if asked.is_stream {
        return events(asked, Vendor::Anthropic, stream(asked, &reply));
    }
    let said = match &reply.call {
        Some(call) => json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments }),
        None => json!({ "type": "text", "text": reply.text }),
    };
    let thought = json!({ "type": "thinking", "thinking": reply.thought, "signature": SIGNATURE });
    let content = Some(thought).filter(|_| !reply.thought.is_empty()).into_iter().chain([said]).collect();
    let mut body = begun(asked, content);
    body["stop_reason"] = stop_reason(&reply).into();
    if !asked.script.has_no_usage {
        body["usage"] = usage(reply.tokens, reply.tokens.output);
    }
    respond(200, &body)
}

fn begun(asked: &Asked, content: Json) -> Json {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": dated(&asked.model),
        "content": content, "stop_reason": null, "stop_sequence": null,
    })
}

fn stop_reason(reply: &Reply) -> &'static str {
    if reply.call.is_some() { "tool_use" } else { "end_turn" }
}

/// Exclusive, as Anthropic counts: the input is what the cache had nothing to do with.
fn usage(tokens: Tokens, output: u64) -> Json {
    let Tokens { input, cached, written, .. } = tokens;
    json!({
        "input_tokens": input.saturating_sub(cached + written), "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached, "output_tokens": output, "service_tier": "standard",
    })
}

fn stream(asked: &Asked, reply: &Reply) -> Vec<String> {
    let mut start = begun(asked, json!([]));
    let mut end =
        json!({ "type": "message_delta", "delta": { "stop_reason": stop_reason(reply), "stop_sequence": null } });
    if !asked.script.has_no_usage {
        start["usage"] = usage(reply.tokens, 1);
        end["usage"] = json!({ "output_tokens": reply.tokens.output });
    }
    let mut all = vec![json!({ "type": "message_start", "message": start })];
    let delta = |at: usize, delta: Json| json!({ "type": "content_block_delta", "index": at, "delta": delta });
    let start = |at: usize, block: Json| json!({ "type": "content_block_start", "index": at, "content_block": block });
    let stop = |at: usize| json!({ "type": "content_block_stop", "index": at });
    let at = usize::from(!reply.thought.is_empty());
    if at == 1 {
        all.push(start(0, json!({ "type": "thinking", "thinking": "", "signature": "" })));
        let thoughts = pieces(&reply.thought);
        all.extend(thoughts.map(|piece| delta(0, json!({ "type": "thinking_delta", "thinking": piece }))));
        all.push(delta(0, json!({ "type": "signature_delta", "signature": SIGNATURE })));
        all.push(stop(0));
    }
    let block = match &reply.call {
        Some(call) => json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": {} }),
        None => json!({ "type": "text", "text": "" }),
    };
    all.push(start(at, block));
    all.push(json!({ "type": "ping" }));
    match &reply.call {
        Some(call) => {
            all.push(delta(at, json!({ "type": "input_json_delta", "partial_json": call.arguments.to_string() })));
        }
        None => all.extend(pieces(&reply.text).map(|piece| delta(at, json!({ "type": "text_delta", "text": piece })))),
    }
    all.push(stop(at));
    all.push(end);
    all.push(json!({ "type": "message_stop" }));
    all.iter().map(|data| event(data["type"].as_str(), data)).collect()
}
