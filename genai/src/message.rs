use serde_json::{Value as Json, json};
use spandrel::OwnedAttribute;

use crate::settings::Settings;

/// A message to a model or from one.
///
/// ```
/// use spandrel_genai::Message;
///
/// let messages = [Message::system("Be brief."), Message::user("What is a spandrel?")];
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// What it consists of.
    pub parts: Vec<Part>,
    /// Why the model stopped, for a message from one.
    pub finish_reason: Option<String>,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Part {
    /// Text.
    Text(String),
    /// What the model thought before it answered, or a summary of it.
    Reasoning {
        /// Empty if the provider keeps it to itself.
        text: String,
        /// The block as the provider sent it, with the signature or the encrypted text that it wants back in the
        /// next request. It is not recorded.
        block: Option<Json>,
    },
    /// An image: a URL, or a `data:` URL with its bytes.
    Image(String),
    /// The model wants a tool to be called.
    ToolCall {
        /// Its id.
        id: String,
        /// The tool.
        name: String,
        /// As the model wrote them: JSON, nearly always.
        arguments: String,
    },
    /// What the tool answered.
    ToolResult {
        /// The id of the call.
        id: String,
        /// What came of it.
        result: String,
    },
}

impl Message {
    /// A message of text.
    #[must_use]
    pub fn new(role: &str, text: impl Into<String>) -> Self {
        Self { role: role.to_owned(), parts: vec![Part::Text(text.into())], finish_reason: None }
    }

    /// What the program tells the model to be.
    #[must_use]
    pub fn system(text: impl Into<String>) -> Self {
        Self::new("system", text)
    }

    /// What the user says.
    #[must_use]
    pub fn user(text: impl Into<String>) -> Self {
        Self::new("user", text)
    }

    /// What the model says.
    #[must_use]
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new("assistant", text)
    }

    /// What a tool answered to the call with this id.
    #[must_use]
    pub fn tool_result(id: impl Into<String>, result: impl Into<String>) -> Self {
        let result = Part::ToolResult { id: id.into(), result: result.into() };
        Self { role: "tool".to_owned(), parts: vec![result], finish_reason: None }
    }

    /// The same message with one more part.
    #[must_use]
    pub fn with_part(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    /// The same message with the reason why the model stopped.
    #[must_use]
    pub fn with_finish_reason(mut self, reason: impl Into<String>) -> Self {
        self.finish_reason = Some(reason.into());
        self
    }
}

/// What stands in place of content that is hidden; OpenInference's word for it.
pub(crate) const HIDDEN: &str = "__REDACTED__";

/// OpenInference's limit for images within a span.
const MAX_IMAGE_BYTES: usize = 32_000;

/// Which of a message may be recorded.
#[derive(Clone, Copy)]
pub(crate) struct Allowed {
    texts: bool,
    images: bool,
    max_bytes: usize,
}

impl Allowed {
    /// Of messages that go in; `None` if they are not recorded at all.
    pub(crate) fn in_inputs(settings: &Settings) -> Option<Self> {
        let hide = &settings.hide;
        let allowed =
            Self { texts: !hide.input_text, images: !hide.input_images, max_bytes: settings.max_content_bytes };
        (settings.content && !hide.inputs && !hide.input_messages).then_some(allowed)
    }

    /// Of messages that come out; `None` if they are not recorded at all.
    pub(crate) fn in_outputs(settings: &Settings) -> Option<Self> {
        let hide = &settings.hide;
        let allowed = Self { texts: !hide.output_text, images: true, max_bytes: settings.max_content_bytes };
        (settings.content && !hide.outputs && !hide.output_messages).then_some(allowed)
    }

    pub(crate) fn text(self, text: &str) -> String {
        if self.texts { cut(text, self.max_bytes) } else { HIDDEN.to_owned() }
    }

    fn image(self, url: &str) -> String {
        if self.images && (url.len() <= MAX_IMAGE_BYTES || !url.starts_with("data:")) {
            cut(url, MAX_IMAGE_BYTES)
        } else {
            HIDDEN.to_owned()
        }
    }
}

/// At most so many bytes of a text, and how many are missing.
pub(crate) fn cut(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let end = (0..=max_bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}… [{} bytes more]", &text[..end], text.len() - end)
}

/// A text and what it is.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) mime: &'static str,
}

impl Content {
    pub(crate) fn new(text: &str, max_bytes: usize) -> Self {
        // What is cut is no JSON any more.
        let is_whole = text.len() <= max_bytes;
        let looks_like_json = is_whole && text.starts_with(['{', '[']) && text.ends_with(['}', ']']);
        let mime = if looks_like_json { JSON } else { "text/plain" };
        Self { text: cut(text, max_bytes), mime }
    }
}

const JSON: &str = "application/json";

/// What a message says, for a list of spans: its texts and results of tools, or else the tools that it calls, as JSON.
pub(crate) fn shown(message: &Message, allowed: Allowed) -> Option<Content> {
    let texts = message.parts.iter().filter_map(|part| match part {
        Part::Text(text) | Part::ToolResult { result: text, .. } => Some(text.as_str()),
        _ => None,
    });
    let text = texts.collect::<Vec<_>>().join("\n");
    if !text.is_empty() {
        return Some(Content { text: allowed.text(&text), mime: "text/plain" });
    }
    let calls = message.parts.iter().filter(|part| matches!(part, Part::ToolCall { .. }));
    let calls: Vec<Json> = calls.map(|call| part_to_json(call, allowed)).collect();
    (!calls.is_empty()).then(|| Content { text: Json::Array(calls).to_string(), mime: JSON })
}

/// The messages as OpenTelemetry has them: one JSON text.
///
/// Source: OpenTelemetry semantic conventions 1.41, gen-ai input and output messages schema.
pub(crate) fn to_json(messages: &[Message], allowed: Allowed) -> String {
    let messages = messages.iter().map(|message| {
        let mut json = json!({ "role": message.role, "parts": parts_to_json(message, allowed) });
        if let Some(reason) = &message.finish_reason {
            json["finish_reason"] = reason.as_str().into();
        }
        json
    });
    Json::Array(messages.collect()).to_string()
}

pub(crate) fn parts_to_json(message: &Message, allowed: Allowed) -> Vec<Json> {
    message.parts.iter().map(|part| part_to_json(part, allowed)).collect()
}

fn part_to_json(part: &Part, allowed: Allowed) -> Json {
    match part {
        Part::Text(text) => json!({ "type": "text", "content": allowed.text(text) }),
        Part::Reasoning { text, .. } => json!({ "type": "reasoning", "content": allowed.text(text) }),
        Part::Image(url) => json!({ "type": "uri", "modality": "image", "uri": allowed.image(url) }),
        Part::ToolCall { id, name, arguments } => {
            json!({ "type": "tool_call", "id": id, "name": name, "arguments": arguments_to_json(arguments, allowed) })
        }
        Part::ToolResult { id, result } => {
            json!({ "type": "tool_call_response", "id": id, "response": allowed.text(result) })
        }
    }
}

/// As the object that they are, so that redaction finds their keys.
fn arguments_to_json(arguments: &str, allowed: Allowed) -> Json {
    if !allowed.texts || arguments.len() > allowed.max_bytes {
        return allowed.text(arguments).into();
    }
    serde_json::from_str(arguments).unwrap_or_else(|_| arguments.into())
}

/// The messages as OpenInference has them: an attribute for each part, numbered.
///
/// Each result of a tool is a message of its own there, as a message has but one id of a call.
///
/// Source: OpenInference, spec/semantic_conventions.md of 2026-08.
pub(crate) fn flatten<'m>(
    prefix: &str,
    messages: impl IntoIterator<Item = &'m Message>,
    allowed: Allowed,
) -> Vec<OwnedAttribute> {
    let mut list = Vec::new();
    let mut next = 0;
    for message in messages {
        let mut result = |id: &str, text: &str| {
            let mut put = |key: &str, value: &str| {
                list.push(OwnedAttribute::new(format!("{prefix}.{next}.message.{key}"), value));
            };
            put("role", "tool");
            put("tool_call_id", id);
            put("content", &allowed.text(text));
            next += 1;
        };
        let mut is_all = !message.parts.is_empty();
        for part in &message.parts {
            match part {
                Part::ToolResult { id, result: text } => result(id, text),
                _ => is_all = false,
            }
        }
        if is_all {
            continue;
        }
        let mut put = |key: &str, value: &str| {
            list.push(OwnedAttribute::new(format!("{prefix}.{next}.message.{key}"), value));
        };
        put("role", &message.role);
        let is_plain = matches!(message.parts[..], [Part::Text(_)]);
        let (mut contents, mut calls) = (0, 0);
        for part in &message.parts {
            match part {
                Part::Text(text) if is_plain => put("content", &allowed.text(text)),
                Part::Text(text) | Part::Reasoning { text, .. } => {
                    let kind = if matches!(part, Part::Text(_)) { "text" } else { "reasoning" };
                    put(&format!("contents.{contents}.message_content.type"), kind);
                    put(&format!("contents.{contents}.message_content.text"), &allowed.text(text));
                    contents += 1;
                }
                Part::Image(url) => {
                    put(&format!("contents.{contents}.message_content.type"), "image");
                    put(&format!("contents.{contents}.message_content.image.image.url"), &allowed.image(url));
                    contents += 1;
                }
                Part::ToolCall { id, name, arguments } => {
                    put(&format!("tool_calls.{calls}.tool_call.id"), id);
                    put(&format!("tool_calls.{calls}.tool_call.function.name"), name);
                    put(&format!("tool_calls.{calls}.tool_call.function.arguments"), &allowed.text(arguments));
                    calls += 1;
                }
                // Above.
                Part::ToolResult { .. } => {}
            }
        }
        next += 1;
    }
    list
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Allowed, Message, Part, cut, flatten, to_json};
    use crate::settings::Settings;

    fn allowed(settings: &str) -> Option<Allowed> {
        Allowed::in_inputs(&Settings::from_toml(settings).unwrap())
    }

    fn messages() -> [Message; 2] {
        let call = Part::ToolCall { id: "c1".into(), name: "search".into(), arguments: r#"{"q":"x"}"#.into() };
        [Message::user("Hi"), Message::assistant("So").with_part(call).with_finish_reason("tool_calls")]
    }

    #[test]
    fn messages_are_one_json_text_or_numbered_attributes() {
        let allowed = allowed("content = true").unwrap();
        assert_eq!(
            to_json(&messages(), allowed),
            concat!(
                r#"[{"parts":[{"content":"Hi","type":"text"}],"role":"user"},{"finish_reason":"tool_calls","parts":[{"content":"So","type":"text"},"#,
                r#"{"arguments":{"q":"x"},"id":"c1","name":"search","type":"tool_call"}],"role":"assistant"}]"#
            )
        );
        let flat: Vec<String> = flatten("llm.input_messages", &messages(), allowed)
            .iter()
            .map(|a| format!("{}={:?}", a.key, a.value))
            .collect();
        assert!(flat[0].starts_with("llm.input_messages.0.message.role="), "{flat:?}");
        assert!(flat[1].starts_with("llm.input_messages.0.message.content="), "{flat:?}");
        assert!(
            flat.iter().any(|a| a.contains("1.message.tool_calls.0.tool_call.function.name") && a.contains("search"))
        );
    }

    #[test]
    fn what_is_hidden_is_not_there() {
        assert!(allowed("").is_none());
        assert!(allowed("content = true\nhide.inputs = true").is_none());
        let hidden = allowed("content = true\nhide.input_text = true").unwrap();
        let json = to_json(&messages(), hidden);
        assert!(!json.contains("Hi") && json.contains("__REDACTED__") && json.contains("search"), "{json}");
    }

    #[test]
    fn reasoning_is_content_and_what_only_the_provider_can_read_is_not_recorded() {
        let block = json!({ "type": "thinking", "thinking": "The user greets.", "signature": "opaque" });
        let thought = Part::Reasoning { text: "The user greets.".into(), block: Some(block) };
        let mut message = Message::assistant("Hello.");
        message.parts.insert(0, thought);
        let messages = [message];
        let read = allowed("content = true").unwrap();
        assert_eq!(
            to_json(&messages, read),
            concat!(
                r#"[{"parts":[{"content":"The user greets.","type":"reasoning"},"#,
                r#"{"content":"Hello.","type":"text"}],"role":"assistant"}]"#
            )
        );
        let flat = |allowed| {
            let list = flatten("llm.output_messages", &messages, allowed);
            list.iter().map(|a| format!("{}={:?}", a.key, a.value)).collect::<Vec<String>>().join("\n")
        };
        let contents = "llm.output_messages.0.message.contents.";
        for (key, value) in [("0.message_content.type", "reasoning"), ("0.message_content.text", "The user greets.")] {
            assert!(flat(read).contains(&format!("{contents}{key}=Str(\"{value}\")")), "{}", flat(read));
        }
        assert!(flat(read).contains(&format!("{contents}1.message_content.type=Str(\"text\")")));
        assert!(!flat(read).contains("opaque"));

        let hidden = allowed("content = true\nhide.input_text = true").unwrap();
        let cut = allowed("content = true\nmax_content_bytes = 3").unwrap();
        for shown in [to_json(&messages, hidden), flat(hidden), to_json(&messages, cut), flat(cut)] {
            assert!(!shown.contains("greets") && shown.contains("reasoning"), "{shown}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        assert_eq!(cut("grüß", 3), "gr… [4 bytes more]");
        assert_eq!(cut("grüß", 6), "grüß");
    }
}
