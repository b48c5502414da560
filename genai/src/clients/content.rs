//! Messages in the JSON of requests, whichever provider's it is; those of answers are read without the clients, too.
//!
//! Sources: as of `crate::content`.

use serde_json::Value as Json;

use crate::Message;
use crate::content::{items, message, texts};

/// What a model is given.
pub(super) fn inputs(request: &Json) -> Vec<Message> {
    let lists = ["messages", "input", "contents"].iter().flat_map(|key| items(&request[*key]));
    let mut messages: Vec<Message> = lists.map(message).collect();
    messages.extend(["input", "prompt"].iter().filter_map(|key| request[*key].as_str()).map(Message::user));
    messages
}

/// What it is told besides.
pub(super) fn system(request: &Json) -> Option<String> {
    let keys = ["system", "instructions", "systemInstruction"];
    let content = keys.iter().map(|key| &request[*key]).find(|content| !content.is_null())?;
    let content = if content["parts"].is_array() { &content["parts"] } else { content };
    Some(texts(content)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
