//! Messages in the JSON of answers, whichever provider's it is.
//!
//! Sources: API references of OpenAI (chat completions, responses), Anthropic (messages) and Google (generateContent)
//! of 2026-08; reasoning besides as DeepSeek, Groq, OpenRouter, Mistral and Cohere have it. What is not known is left out.

use serde_json::Value as Json;

use crate::{Message, Part};

/// What a model answered, a message for each choice.
pub(crate) fn outputs(answer: &Json) -> Vec<Message> {
    let reason = |message: Message, reason: &Json| match reason.as_str() {
        Some(reason) => message.with_finish_reason(reason),
        None => message,
    };
    let choices = items(&answer["choices"]).map(|choice| {
        let spoken = if choice["message"].is_object() {
            message(&choice["message"])
        } else {
            of_parts("assistant", parts(&choice["text"]))
        };
        reason(spoken, &choice["finish_reason"])
    });
    let candidates = items(&answer["candidates"]).map(|it| reason(message(&it["content"]), &it["finishReason"]));
    let mut messages: Vec<Message> = choices.chain(candidates).collect();
    if answer["output"].is_array() {
        let parts = items(&answer["output"]).flat_map(|item| message(item).parts).collect();
        let why = &answer["incomplete_details"]["reason"];
        messages.push(reason(of_parts("assistant", parts), if why.is_null() { &answer["status"] } else { why }));
    }
    if answer["content"].is_array() {
        messages.push(reason(of_parts("assistant", parts(&answer["content"])), &answer["stop_reason"]));
    }
    if answer["message"].is_object() {
        messages.push(message(&answer["message"]));
    }
    messages
}

pub(crate) fn message(item: &Json) -> Message {
    let role = match (item["role"].as_str(), item["type"].as_str()) {
        (Some("model"), _) | (None, Some("function_call" | "reasoning")) => "assistant",
        (None, Some("function_call_output")) => "tool",
        (role, _) => role.unwrap_or("user"),
    };
    // A message of a tool is its result, and so is an item of that kind.
    let result = item["tool_call_id"].as_str().filter(|_| role == "tool").map(|id| (id, &item["content"]));
    if let Some((id, content)) = result {
        return of_parts(role, vec![Part::ToolResult { id: id.to_owned(), result: texts(content) }]);
    }
    let mut all: Vec<Part> = part(item).into_iter().collect();
    let mut thoughts = ["reasoning_content", "reasoning"].iter().filter_map(|key| item[*key].as_str());
    all.extend(thoughts.find(|text| !text.is_empty()).map(|text| reasoning(text.to_owned(), None)));
    all.extend(parts(&item["content"]));
    all.extend(parts(&item["parts"]));
    all.extend(
        items(&item["tool_calls"])
            .map(|call| tool_call(&call["id"], &call["function"]["name"], &call["function"]["arguments"])),
    );
    of_parts(role, all)
}

fn of_parts(role: &str, parts: Vec<Part>) -> Message {
    Message { role: role.to_owned(), parts, finish_reason: None }
}

fn parts(content: &Json) -> Vec<Part> {
    match content {
        Json::String(text) if text.is_empty() => Vec::new(),
        Json::String(text) => vec![Part::Text(text.clone())],
        content => items(content).filter_map(part).collect(),
    }
}

fn part(block: &Json) -> Option<Part> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    match block["type"].as_str() {
        Some("text" | "input_text" | "output_text") => text(&block["text"]).map(Part::Text),
        Some("refusal") => text(&block["refusal"]).map(Part::Text),
        // A list of texts with Mistral.
        Some("thinking") => Some(reasoning(texts(&block["thinking"]), Some(block))),
        Some("redacted_thinking") => Some(reasoning(String::new(), Some(block))),
        // Open models tell it, OpenAI's own a summary, if asked.
        Some("reasoning") => {
            let told = ["content", "summary"].map(|key| joined(items(&block[key]).filter_map(|it| text(&it["text"]))));
            Some(reasoning(told.into_iter().find(|text| !text.is_empty()).unwrap_or_default(), Some(block)))
        }
        Some("image_url") => text(&block["image_url"]["url"]).map(Part::Image),
        Some("input_image") => text(&block["image_url"]).map(Part::Image),
        Some("image") => image(&block["source"]).map(Part::Image),
        Some("tool_use") => Some(tool_call(&block["id"], &block["name"], &block["input"])),
        Some("function_call") => Some(tool_call(&block["call_id"], &block["name"], &block["arguments"])),
        Some("tool_result") => Some(tool_result(&block["tool_use_id"], &block["content"])),
        Some("function_call_output") => Some(tool_result(&block["call_id"], &block["output"])),
        Some(_) => None,
        None if block["thought"] == true => text(&block["text"]).map(|text| reasoning(text, None)),
        None if block["text"].is_string() => text(&block["text"]).map(Part::Text),
        None if block["functionCall"].is_object() => {
            let call = &block["functionCall"];
            Some(tool_call(&call["id"], &call["name"], &call["args"]))
        }
        None if block["functionResponse"].is_object() => {
            let response = &block["functionResponse"];
            Some(tool_result(&response["name"], &response["response"]))
        }
        None => None,
    }
}

fn reasoning(text: String, block: Option<&Json>) -> Part {
    Part::Reasoning { text, block: block.cloned() }
}

fn image(source: &Json) -> Option<String> {
    match source["url"].as_str() {
        Some(url) => Some(url.to_owned()),
        None => Some(format!("data:{};base64,{}", source["media_type"].as_str()?, source["data"].as_str()?)),
    }
}

fn tool_call(id: &Json, name: &Json, arguments: &Json) -> Part {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    Part::ToolCall { id: text(id), name: text(name), arguments: as_text(arguments) }
}

fn tool_result(id: &Json, content: &Json) -> Part {
    let result = if content.is_object() { content.to_string() } else { texts(content) };
    Part::ToolResult { id: id.as_str().unwrap_or_default().to_owned(), result }
}

/// A text as it is, anything else as JSON.
pub(crate) fn as_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        value => value.to_string(),
    }
}

/// The texts of content alone.
pub(crate) fn texts(content: &Json) -> String {
    joined(parts(content).into_iter().filter_map(|part| if let Part::Text(text) = part { Some(text) } else { None }))
}

fn joined(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join("\n")
}

pub(crate) fn items(list: &Json) -> impl Iterator<Item = &Json> {
    list.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests;
