use serde_json::Value as Json;

use crate::script::Script;

/// A request, whichever vendor's form it has.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) model: String,
    pub(crate) is_stream: bool,
    /// Whether a stream of OpenAI tells usage, which it does only if asked.
    pub(crate) wants_usage: bool,
    pub(crate) tools: Vec<Tool>,
    pub(crate) system: String,
    pub(crate) messages: Vec<Message>,
    /// Of the user, with the script in it.
    pub(crate) last_text: String,
    /// The same without the script.
    pub(crate) text: String,
    pub(crate) script: Script,
    pub(crate) has_cache_marks: bool,
    pub(crate) body: Json,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    Assistant,
    Tool,
}

#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) text: String,
    /// Tools that it calls.
    pub(crate) calls: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) schema: Json,
}

impl Asked {
    /// `None` if it names no model.
    pub(crate) fn read(body: Json) -> Option<Self> {
        let model = body["model"].as_str()?.to_owned();
        let mut system = text_of(&body["system"]) + &text_of(&body["instructions"]);
        let mut messages = Vec::new();
        for item in ["messages", "input"].iter().flat_map(|key| body[*key].as_array().into_iter().flatten()) {
            match item["role"].as_str() {
                Some("system" | "developer") => system.push_str(&text_of(&item["content"])),
                _ => messages.push(Message::read(item)),
            }
        }
        if let Some(text) = body["input"].as_str() {
            messages.push(Message { role: Role::User, text: text.to_owned(), calls: Vec::new() });
        }
        let last = messages.iter().rev().find(|message| message.role == Role::User);
        let last_text = last.map(|message| message.text.clone()).unwrap_or_default();
        let (script, text) = Script::read(&last_text);
        Some(Self {
            model,
            is_stream: body["stream"] == true,
            wants_usage: body["stream_options"]["include_usage"] == true,
            tools: body["tools"].as_array().into_iter().flatten().map(Tool::read).collect(),
            system,
            messages,
            last_text,
            text,
            script,
            has_cache_marks: body.to_string().contains("\"cache_control\""),
            body,
        })
    }

    /// What came since the user spoke last.
    pub(crate) fn since_user(&self) -> &[Message] {
        let at = self.messages.iter().rposition(|message| message.role == Role::User).map_or(0, |at| at + 1);
        &self.messages[at..]
    }
}

impl Message {
    fn read(item: &Json) -> Self {
        let blocks = || item["content"].as_array().into_iter().flatten();
        let is_result = |block: &Json| block["type"] == "tool_result";
        let role = match (item["role"].as_str(), item["type"].as_str()) {
            (Some("tool"), _) | (_, Some("function_call_output")) => Role::Tool,
            (Some("assistant"), _) | (_, Some("function_call" | "reasoning")) => Role::Assistant,
            _ if blocks().any(is_result) => Role::Tool,
            _ => Role::User,
        };
        let of_openai = item["tool_calls"].as_array().into_iter().flatten().map(|call| &call["function"]["name"]);
        let of_anthropic = blocks().filter(|block| block["type"] == "tool_use").map(|block| &block["name"]);
        let of_responses = Some(&item["name"]).filter(|_| item["type"] == "function_call");
        let calls = of_openai.chain(of_anthropic).chain(of_responses).filter_map(Json::as_str);
        let calls = calls.map(str::to_owned).collect();
        Self { role, text: text_of(&item["content"]) + &text_of(&item["output"]), calls }
    }
}

impl Tool {
    fn read(tool: &Json) -> Self {
        // OpenAI's chat has it within `function`.
        let inner = if tool["function"].is_object() { &tool["function"] } else { tool };
        let text = |key: &str| inner[key].as_str().unwrap_or_default().to_owned();
        let schema = ["parameters", "input_schema"].iter().map(|key| &inner[*key]).find(|schema| schema.is_object());
        Self { name: text("name"), description: text("description"), schema: schema.cloned().unwrap_or_default() }
    }
}

/// The texts of content, whichever form it has.
fn text_of(content: &Json) -> String {
    match content {
        Json::String(text) => text.clone(),
        Json::Array(blocks) => {
            let texts = blocks.iter().map(|block| text_of(&block["text"]) + &text_of(&block["content"]));
            texts.collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}
