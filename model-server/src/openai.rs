//! Chat completions and embeddings of OpenAI.

use axum::response::Response;
use serde_json::{Value as Json, json};

use crate::asked::Asked;
use crate::reply::{Call, Reply, dated, openai_usage, vector};
use crate::wire::{Vendor, event, events, json as respond, pieces, raw_event};

const ID: &str = "chatcmpl-1";
const CREATED: u64 = 1_790_000_000;

pub(crate) fn chat(asked: &Asked, reply: Reply) -> Response {
    if asked.is_stream {
        return events(asked, Vendor::OpenAi, chunks(asked, &reply));
    }
    let finish = finish(reply.call.as_ref());
    let calls: Vec<Json> = reply.call.iter().map(|call| tool_call(call, call.arguments.to_string())).collect();
    let mut message = json!({ "role": "assistant", "content": reply.text, "refusal": null });
    if !reply.thought.is_empty() {
        message["reasoning_content"] = reply.thought.as_str().into();
    }
    if !calls.is_empty() {
        message["content"] = Json::Null;
        message["tool_calls"] = calls.into();
    }
    let mut body = json!({
        "id": ID, "object": "chat.completion", "created": CREATED, "model": dated(&asked.model), "service_tier": "default",
        "choices": [{ "index": 0, "message": message, "logprobs": null, "finish_reason": finish }],
    });
    if !asked.script.has_no_usage {
        body["usage"] = openai_usage(reply.tokens);
    }
    respond(200, &body)
}

fn chunks(asked: &Asked, reply: &Reply) -> Vec<String> {
    let has_usage = asked.wants_usage && !asked.script.has_no_usage;
    let chunk = |choices: Json, usage: Json| {
        let mut chunk = json!({
            "id": ID, "object": "chat.completion.chunk", "created": CREATED, "model": dated(&asked.model), "choices": choices,
        });
        if has_usage {
            // Null in all but the last, as OpenAI has it.
            chunk["usage"] = usage;
        }
        event(None, &chunk)
    };
    let delta =
        |delta: Json, finish: Json| chunk(json!([{ "index": 0, "delta": delta, "finish_reason": finish }]), Json::Null);
    let mut all = vec![delta(json!({ "role": "assistant", "content": "" }), Json::Null)];
    all.extend(pieces(&reply.thought).map(|piece| delta(json!({ "reasoning_content": piece }), Json::Null)));
    all.extend(pieces(&reply.text).map(|piece| delta(json!({ "content": piece }), Json::Null)));
    if let Some(call) = &reply.call {
        all.push(delta(json!({ "tool_calls": [with_index(tool_call(call, String::new()))] }), Json::Null));
        let arguments = call.arguments.to_string();
        let (first, second) =
            arguments.split_at(arguments.len() / 2 - usize::from(!arguments.is_char_boundary(arguments.len() / 2)));
        for part in [first, second] {
            all.push(delta(json!({ "tool_calls": [{ "index": 0, "function": { "arguments": part } }] }), Json::Null));
        }
    }
    all.push(delta(json!({}), finish(reply.call.as_ref()).into()));
    if has_usage {
        all.push(chunk(json!([]), openai_usage(reply.tokens)));
    }
    all.push(raw_event(None, "[DONE]"));
    all
}

fn finish(call: Option<&Call>) -> &'static str {
    if call.is_some() { "tool_calls" } else { "stop" }
}

fn tool_call(call: &Call, arguments: String) -> Json {
    json!({ "id": call.id, "type": "function", "function": { "name": call.name, "arguments": arguments } })
}

fn with_index(mut call: Json) -> Json {
    call["index"] = 0.into();
    call
}

pub(crate) fn embeddings(asked: &Asked) -> Json {
    let input = &asked.body["input"];
    let texts: Vec<&str> = match input {
        Json::Array(texts) => texts.iter().filter_map(Json::as_str).collect(),
        text => text.as_str().into_iter().collect(),
    };
    let data = texts.iter().enumerate();
    let data = data.map(|(at, text)| json!({ "object": "embedding", "index": at, "embedding": vector(text) }));
    let tokens: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
    json!({
        "object": "list", "model": asked.model, "data": data.collect::<Vec<_>>(),
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    })
}
