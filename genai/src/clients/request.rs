use serde_json::{Map, Value as Json, json};

use crate::{Message, Part};

/// A request to a model that is written in the form of each provider; see [`TracedOpenAi::chat`](super::TracedOpenAi::chat).
///
/// ```
/// use serde_json::json;
/// use spandrel_genai::clients::ChatRequest;
///
/// let request = ChatRequest::new("gpt-4o-mini").system("Be brief.").user("What is a spandrel?").max_tokens(100);
/// assert_eq!(request.to_openai(), json!({
///     "model": "gpt-4o-mini", "max_completion_tokens": 100,
///     "messages": [{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "What is a spandrel?" }],
/// }));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a request does nothing until a client sends it"]
pub struct ChatRequest {
    model: String,
    system: Option<String>,
    messages: Vec<Message>,
    tools: Vec<Tool>,
    temperature: Option<f64>,
    max_tokens: Option<u64>,
    more: Map<String, Json>,
}

#[derive(Debug, Clone, PartialEq)]
struct Tool {
    name: String,
    description: String,
    schema: Json,
}

/// For Anthropic, which must be told a limit.
const MAX_TOKENS: u64 = 4096;

impl ChatRequest {
    /// To a model.
    pub fn new(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            system: None,
            messages: Vec::new(),
            tools: Vec::new(),
            temperature: None,
            max_tokens: None,
            more: Map::new(),
        }
    }

    /// What the program tells the model to be.
    pub fn system(mut self, text: impl Into<String>) -> Self {
        self.system = Some(text.into());
        self
    }

    /// One more message of the user.
    pub fn user(self, text: impl Into<String>) -> Self {
        self.message(Message::user(text))
    }

    /// One more message.
    pub fn message(mut self, message: Message) -> Self {
        self.messages.push(message);
        self
    }

    /// More messages.
    pub fn messages(mut self, messages: impl IntoIterator<Item = Message>) -> Self {
        self.messages.extend(messages);
        self
    }

    /// A tool that the model may call, with the JSON schema of its arguments.
    pub fn tool(mut self, name: &str, description: &str, schema: Json) -> Self {
        self.tools.push(Tool { name: name.to_owned(), description: description.to_owned(), schema });
        self
    }

    /// How random the answer may be.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// The most tokens that may come out; Anthropic is told 4,096 unless set.
    pub fn max_tokens(mut self, tokens: u64) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// A field of the body, as the provider calls it; in place of what stands there.
    pub fn set(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// The body for [`TracedOpenAi::chat`](super::TracedOpenAi::chat).
    #[must_use]
    pub fn to_openai(&self) -> Json {
        let system = self.system.iter().map(|text| json!({ "role": "system", "content": text }));
        let messages: Vec<Json> = system.chain(self.messages.iter().flat_map(to_chat)).collect();
        let function =
            |tool: &Tool| json!({ "name": tool.name, "description": tool.description, "parameters": tool.schema });
        let tools = self.tools.iter().map(|tool| json!({ "type": "function", "function": function(tool) }));
        self.body("max_completion_tokens", self.max_tokens, [("messages", messages), ("tools", tools.collect())])
    }

    /// The body for [`TracedOpenAi::responses`](super::TracedOpenAi::responses).
    #[must_use]
    pub fn to_openai_responses(&self) -> Json {
        let tools = self.tools.iter().map(|tool| {
            json!({ "type": "function", "name": tool.name, "description": tool.description, "parameters": tool.schema })
        });
        let input = self.messages.iter().flat_map(to_items).collect();
        let mut body = self.body("max_output_tokens", self.max_tokens, [("input", input), ("tools", tools.collect())]);
        if let Some(system) = &self.system {
            body["instructions"] = system.as_str().into();
        }
        body
    }

    /// The body for [`TracedAnthropic::messages`](super::TracedAnthropic::messages).
    #[must_use]
    pub fn to_anthropic(&self) -> Json {
        let tools = self
            .tools
            .iter()
            .map(|tool| json!({ "name": tool.name, "description": tool.description, "input_schema": tool.schema }));
        let mut messages: Vec<Json> = Vec::new();
        for message in &self.messages {
            let (role, blocks) = to_blocks(message);
            if blocks.is_empty() {
                continue;
            }
            // Results of tools that were called together must come together.
            match messages.last_mut() {
                Some(last) if last["role"] == role => {
                    if let Some(content) = last["content"].as_array_mut() {
                        content.extend(blocks);
                    }
                }
                _ => messages.push(json!({ "role": role, "content": blocks })),
            }
        }
        let limit = Some(self.max_tokens.unwrap_or(MAX_TOKENS));
        let mut body = self.body("max_tokens", limit, [("messages", messages), ("tools", tools.collect())]);
        if let Some(system) = &self.system {
            body["system"] = json!([{ "type": "text", "text": system }]);
        }
        body
    }

    fn body(&self, limit: &str, max_tokens: Option<u64>, lists: [(&str, Vec<Json>); 2]) -> Json {
        let mut body = Map::new();
        body.insert("model".to_owned(), self.model.as_str().into());
        for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            body.insert(name.to_owned(), list.into());
        }
        if let Some(temperature) = self.temperature {
            body.insert("temperature".to_owned(), temperature.into());
        }
        if let Some(tokens) = max_tokens {
            body.insert(limit.to_owned(), tokens.into());
        }
        body.extend(self.more.clone());
        Json::Object(body)
    }
}

/// The texts and images, in blocks of these types, and as a text where there is nothing else.
fn content(parts: &[Part], block: impl Fn(&Part) -> Option<Json>) -> Json {
    let mut blocks: Vec<Json> = parts.iter().filter_map(block).collect();
    match &mut blocks[..] {
        [only] if only["text"].is_string() => only["text"].take(),
        _ => Json::Array(blocks),
    }
}

fn to_chat(message: &Message) -> Vec<Json> {
    let results = message.parts.iter().filter_map(|part| match part {
        Part::ToolResult { id, result } => Some(json!({ "role": "tool", "tool_call_id": id, "content": result })),
        _ => None,
    });
    let mut all: Vec<Json> = results.collect();
    let calls = message.parts.iter().filter_map(|part| match part {
        Part::ToolCall { id, name, arguments } => {
            Some(json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } }))
        }
        _ => None,
    });
    let calls: Vec<Json> = calls.collect();
    let content = content(&message.parts, |part| match part {
        Part::Text(text) => Some(json!({ "type": "text", "text": text })),
        Part::Image(url) => Some(json!({ "type": "image_url", "image_url": { "url": url } })),
        _ => None,
    });
    let is_empty = content.as_array().is_some_and(Vec::is_empty);
    if !is_empty || !calls.is_empty() {
        let mut spoken = json!({ "role": message.role, "content": if is_empty { Json::Null } else { content } });
        if !calls.is_empty() {
            spoken["tool_calls"] = calls.into();
        }
        all.push(spoken);
    }
    all
}

fn to_items(message: &Message) -> Vec<Json> {
    let text_type = if message.role == "assistant" { "output_text" } else { "input_text" };
    let is_spoken = |part: &Part| matches!(part, Part::Text(_) | Part::Image(_));
    // In their order: what was thought belongs to the item that follows it.
    let groups = message.parts.chunk_by(|one, next| is_spoken(one) && is_spoken(next));
    let items = groups.filter_map(|group| match &group[0] {
        Part::ToolCall { id, name, arguments } => {
            Some(json!({ "type": "function_call", "call_id": id, "name": name, "arguments": arguments }))
        }
        Part::ToolResult { id, result } => {
            Some(json!({ "type": "function_call_output", "call_id": id, "output": result }))
        }
        Part::Reasoning { block, .. } => own_block(block, &[("reasoning", "id")]),
        Part::Text(_) | Part::Image(_) => {
            let content = content(group, |part| match part {
                Part::Text(text) => Some(json!({ "type": text_type, "text": text })),
                Part::Image(url) => Some(json!({ "type": "input_image", "image_url": url })),
                _ => None,
            });
            Some(json!({ "role": message.role, "content": content }))
        }
    });
    items.collect()
}

fn to_blocks(message: &Message) -> (&'static str, Vec<Json>) {
    let role = if message.role == "assistant" { "assistant" } else { "user" };
    let blocks = message.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(json!({ "type": "text", "text": text })),
        Part::Reasoning { block, .. } => own_block(block, &[("thinking", "signature"), ("redacted_thinking", "data")]),
        Part::Image(url) => Some(json!({ "type": "image", "source": image_source(url) })),
        Part::ToolCall { id, name, arguments } => {
            let input: Json = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
            Some(json!({ "type": "tool_use", "id": id, "name": name, "input": input }))
        }
        Part::ToolResult { id, result } => Some(json!({ "type": "tool_result", "tool_use_id": id, "content": result })),
    });
    (role, blocks.collect())
}

/// What was thought, as this provider sent it: of these types, with the field that shows that it is whole. It refuses
/// what others sent.
fn own_block(block: &Option<Json>, types: &[(&str, &str)]) -> Option<Json> {
    let is_own = |block: &Json| {
        let has = |name: &str| block[name].as_str().is_some_and(|text| !text.is_empty());
        types.iter().any(|(kind, needed)| block["type"] == *kind && has(needed))
    };
    block.clone().filter(is_own)
}

fn image_source(url: &str) -> Json {
    let data = url.strip_prefix("data:").and_then(|data| data.split_once(";base64,"));
    match data {
        Some((kind, data)) => json!({ "type": "base64", "media_type": kind, "data": data }),
        None => json!({ "type": "url", "url": url }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::ChatRequest;
    use crate::clients::content;
    use crate::{Message, Part};

    fn conversation() -> ChatRequest {
        let call = |id: &str| Part::ToolCall { id: id.into(), name: "search".into(), arguments: r#"{"q":"x"}"#.into() };
        ChatRequest::new("m")
            .system("Be brief.")
            .user("Hi")
            .message(Message::assistant("Let me see.").with_part(call("c1")).with_part(call("c2")))
            .messages([Message::tool_result("c1", "found"), Message::tool_result("c2", "nothing")])
            .tool("search", "Looks things up.", json!({ "type": "object" }))
            .temperature(0.5)
            .max_tokens(10)
            .set("seed", 7)
    }

    #[test]
    fn what_is_written_is_read_again() {
        let request = conversation();
        let system = Message::system("Be brief.");
        assert_eq!(content::inputs(&request.to_openai())[0], system);
        assert_eq!(content::inputs(&request.to_openai())[1..], request.messages);
        let anthropic = request.to_anthropic();
        assert_eq!(content::system(&anthropic).as_deref(), Some("Be brief."));
        // Results of both tools are one message of the user there.
        let messages = content::inputs(&anthropic);
        assert_eq!((messages.len(), messages[2].parts.len(), messages[2].role.as_str()), (3, 2, "user"));
        let responses = request.to_openai_responses();
        let parts =
            |messages: &[Message]| messages.iter().flat_map(|message| message.parts.clone()).collect::<Vec<_>>();
        assert_eq!(parts(&content::inputs(&responses)), parts(&request.messages));
        assert_eq!(responses["instructions"], "Be brief.");
    }

    #[test]
    fn what_was_thought_goes_back_to_who_thought_it_and_in_its_order() {
        let thought = |block: Json| Part::Reasoning { text: "Hm.".into(), block: Some(block) };
        let of_anthropic = json!({ "type": "thinking", "thinking": "Hm.", "signature": "s1" });
        let of_openai = json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e1" });
        let call = Part::ToolCall { id: "c1".into(), name: "search".into(), arguments: "{}".into() };
        let parts = vec![thought(of_anthropic.clone()), thought(of_openai.clone()), call, Part::Text("So.".into())];
        let mut message = Message::assistant("");
        message.parts = parts;
        let request = ChatRequest::new("m").user("Hi").message(message);
        let types = |list: &Json| {
            let kind = |item: &Json| item["type"].as_str().or(item["role"].as_str()).unwrap().to_owned();
            list.as_array().unwrap().iter().map(kind).collect::<Vec<_>>()
        };
        let blocks = &request.to_anthropic()["messages"][1]["content"];
        assert_eq!(types(blocks), ["thinking", "tool_use", "text"]);
        assert_eq!(blocks[0], of_anthropic);
        let items = &request.to_openai_responses()["input"];
        assert_eq!(types(items), ["user", "reasoning", "function_call", "assistant"]);
        assert_eq!(items[1], of_openai);
        assert!(!request.to_openai().to_string().contains("Hm."));
        // A message of nothing but what others thought, or of half a thought, is none.
        let cut_off = json!({ "type": "thinking", "thinking": "Hm", "signature": "" });
        for block in [of_openai, cut_off] {
            let mut message = Message::assistant("");
            message.parts = vec![thought(block)];
            assert_eq!(ChatRequest::new("m").message(message).to_anthropic()["messages"], Json::Null);
        }
    }

    #[test]
    fn each_provider_gets_its_own_names() {
        let request = conversation();
        let limits = [request.to_openai(), request.to_openai_responses(), request.to_anthropic()];
        let limits = limits.map(|body| {
            (body["max_completion_tokens"].clone(), body["max_output_tokens"].clone(), body["max_tokens"].clone())
        });
        assert_eq!(
            limits,
            [
                (json!(10), json!(null), json!(null)),
                (json!(null), json!(10), json!(null)),
                (json!(null), json!(null), json!(10))
            ]
        );
        assert_eq!(request.to_openai()["tools"][0]["function"]["name"], "search");
        assert_eq!(request.to_openai_responses()["tools"][0]["name"], "search");
        assert_eq!(request.to_anthropic()["tools"][0]["input_schema"], json!({ "type": "object" }));
        assert_eq!((&request.to_openai()["seed"], &request.to_openai()["temperature"]), (&json!(7), &json!(0.5)));
        assert_eq!(ChatRequest::new("m").user("Hi").to_anthropic()["max_tokens"], 4096);
        let data = Message::user("What?").with_part(Part::Image("data:image/png;base64,AA".into()));
        let body = ChatRequest::new("m").message(data).to_anthropic();
        assert_eq!(
            body["messages"][0]["content"][1]["source"],
            json!({ "type": "base64", "media_type": "image/png", "data": "AA" })
        );
    }
}
