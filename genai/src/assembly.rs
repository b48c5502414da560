//! The answer that the parts of a stream make together.
//!
//! Sources: API references of OpenAI (chat completions, responses: streaming events), Anthropic (messages: streaming)
//! and Google (streamGenerateContent) of 2026-08.

use serde_json::{Map, Value as Json};

/// As far as an answer came: the JSON that it would have been in one piece.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    body: Json,
    /// What `content` of Anthropic has as an object comes as pieces of JSON.
    inputs: Vec<String>,
}

impl Assembly {
    pub(crate) fn add(&mut self, chunk: &Json) {
        match chunk["type"].as_str() {
            Some(kind) if kind.starts_with("response.") => self.add_event_of_responses(kind, chunk),
            Some(kind) => self.add_event_of_anthropic(kind, chunk),
            None => self.add_chunk_of_chat(chunk),
        }
    }

    pub(crate) const fn body(&self) -> &Json {
        &self.body
    }

    fn add_chunk_of_chat(&mut self, chunk: &Json) {
        // What has a message of its own in each chunk is Ollama's language; its pieces are not known here.
        let is_apart = |key: &str| matches!(key, "choices" | "candidates" | "message");
        let told = chunk.as_object().into_iter().flatten().filter(|(key, value)| !is_apart(key) && !value.is_null());
        for (key, value) in told {
            *field(&mut self.body, key) = value.clone();
        }
        items(&chunk["candidates"]).for_each(|candidate| self.add_candidate_of_google(candidate));
        for choice in items(&chunk["choices"]) {
            let kept = slot(field(&mut self.body, "choices"), &choice["index"]);
            if !choice["finish_reason"].is_null() {
                *field(kept, "finish_reason") = choice["finish_reason"].clone();
            }
            if let Some(text) = choice["text"].as_str() {
                append(field(kept, "text"), text);
            }
            let message = field(kept, "message");
            for (key, value) in choice["delta"].as_object().into_iter().flatten() {
                match (key.as_str(), value) {
                    ("tool_calls", _) => {
                        let mut merge =
                            |call: &Json| merge_tool_call(slot(field(message, "tool_calls"), &call["index"]), call);
                        items(value).for_each(&mut merge);
                    }
                    ("role", role) => *field(message, "role") = role.clone(),
                    (key, Json::String(text)) => append(field(message, key), text),
                    _ => {}
                }
            }
        }
    }

    fn add_candidate_of_google(&mut self, candidate: &Json) {
        let kept = slot(field(&mut self.body, "candidates"), &candidate["index"]);
        if !candidate["finishReason"].is_null() {
            *field(kept, "finishReason") = candidate["finishReason"].clone();
        }
        let content = field(kept, "content");
        if !candidate["content"]["role"].is_null() {
            *field(content, "role") = candidate["content"]["role"].clone();
        }
        let mut parts = match field(content, "parts").take() {
            Json::Array(parts) => parts,
            _ => Vec::new(),
        };
        for part in items(&candidate["content"]["parts"]) {
            match (parts.last_mut(), part["text"].as_str()) {
                (Some(last), Some(text)) if last["text"].is_string() && last["thought"] == part["thought"] => {
                    append(field(last, "text"), text);
                }
                _ => parts.push(part.clone()),
            }
        }
        *field(content, "parts") = Json::Array(parts);
    }

    fn add_event_of_responses(&mut self, kind: &str, event: &Json) {
        if event["response"].is_object() {
            // That of the last event is whole; those before have no output yet.
            let output = field(&mut self.body, "output").take();
            self.body = event["response"].clone();
            if items(&self.body["output"]).next().is_none() && output.is_array() {
                *field(&mut self.body, "output") = output;
            }
            return;
        }
        let item = slot(field(&mut self.body, "output"), &event["output_index"]);
        match (kind, event["delta"].as_str()) {
            ("response.output_item.added" | "response.output_item.done", _) => *item = event["item"].clone(),
            ("response.output_text.delta", Some(text)) => {
                let part = slot(field(item, "content"), &event["content_index"]);
                *field(part, "type") = "output_text".into();
                append(field(part, "text"), text);
            }
            ("response.reasoning_summary_text.delta", Some(text)) => {
                let part = slot(field(item, "summary"), &event["summary_index"]);
                *field(part, "type") = "summary_text".into();
                append(field(part, "text"), text);
            }
            ("response.reasoning_text.delta", Some(text)) => {
                let part = slot(field(item, "content"), &event["content_index"]);
                *field(part, "type") = "reasoning_text".into();
                append(field(part, "text"), text);
            }
            ("response.function_call_arguments.delta", Some(text)) => append(field(item, "arguments"), text),
            _ => {}
        }
    }

    fn add_event_of_anthropic(&mut self, kind: &str, event: &Json) {
        match kind {
            "message_start" => self.body = event["message"].clone(),
            "content_block_start" => *self.block_of(event) = event["content_block"].clone(),
            "content_block_delta" => {
                let delta = &event["delta"];
                if let Some(json) = delta["partial_json"].as_str() {
                    self.input_of(event).push_str(json);
                    return;
                }
                let block = self.block_of(event);
                for key in ["text", "thinking", "signature"] {
                    if let Some(text) = delta[key].as_str() {
                        append(field(block, key), text);
                    }
                }
            }
            "content_block_stop" => {
                let input = std::mem::take(self.input_of(event));
                if !input.is_empty() {
                    let parsed = serde_json::from_str(&input).unwrap_or_else(|_| input.into());
                    *field(self.block_of(event), "input") = parsed;
                }
            }
            "message_delta" => {
                let merge = |into: &mut Json, from: &Json| {
                    for (key, value) in from.as_object().into_iter().flatten() {
                        *field(into, key) = value.clone();
                    }
                };
                merge(&mut self.body, &event["delta"]);
                if event["usage"].is_object() {
                    merge(field(&mut self.body, "usage"), &event["usage"]);
                }
            }
            _ => {}
        }
    }

    fn block_of(&mut self, event: &Json) -> &mut Json {
        slot(field(&mut self.body, "content"), &event["index"])
    }

    fn input_of(&mut self, event: &Json) -> &mut String {
        let at = index(&event["index"]);
        if self.inputs.len() <= at {
            self.inputs.resize(at + 1, String::new());
        }
        &mut self.inputs[at]
    }
}

fn merge_tool_call(kept: &mut Json, call: &Json) {
    for key in ["id", "type"] {
        if call[key].is_string() {
            *field(kept, key) = call[key].clone();
        }
    }
    for key in ["name", "arguments"] {
        if let Some(text) = call["function"][key].as_str() {
            append(field(field(kept, "function"), key), text);
        }
    }
}

/// More places than any answer has; a server must not choose how much memory is taken.
const MAX_PLACES: usize = 4096;

fn index(index: &Json) -> usize {
    index.as_u64().map_or(0, |index| index.min(MAX_PLACES as u64 - 1) as usize)
}

/// The place of a list that a part is for. What is no list becomes one.
fn slot<'a>(list: &'a mut Json, at: &Json) -> &'a mut Json {
    let at = index(at);
    let mut items = match list.take() {
        Json::Array(items) => items,
        _ => Vec::new(),
    };
    if items.len() <= at {
        items.resize(at + 1, Json::Object(Map::new()));
    }
    *list = Json::Array(items);
    &mut list[at]
}

/// The field of an object. What is no object becomes one: servers may send anything.
fn field<'a>(object: &'a mut Json, key: &str) -> &'a mut Json {
    if !object.is_object() {
        *object = Json::Object(Map::new());
    }
    &mut object[key]
}

fn append(kept: &mut Json, text: &str) {
    match kept {
        Json::String(kept) => kept.push_str(text),
        kept => *kept = text.into(),
    }
}

fn items(list: &Json) -> impl Iterator<Item = &Json> {
    list.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests;
