use serde_json::Value as Json;
use spandrel_prices::Usage;

use crate::content;
use crate::{Message, Part};

/// What a model answered: the JSON of the provider, and ways to what one wants of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelAnswer {
    json: Json,
    usage: Option<Usage>,
}

/// A tool that a model wants to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolCall {
    /// For the message with the result: [`Message::tool_result`].
    pub id: String,
    /// The tool.
    pub name: String,
    /// As the model wrote them: JSON, nearly always.
    pub arguments: String,
}

impl ModelAnswer {
    pub(super) const fn new(json: Json, usage: Option<Usage>) -> Self {
        Self { json, usage }
    }

    /// The body of the response; of a stream, what it would have been as far as it came.
    #[must_use]
    pub const fn json(&self) -> &Json {
        &self.json
    }

    /// As [`json`](Self::json).
    #[must_use]
    pub fn into_json(self) -> Json {
        self.json
    }

    /// What the call used, if the provider says it.
    #[must_use]
    pub const fn usage(&self) -> Option<&Usage> {
        self.usage.as_ref()
    }

    /// The message of the model, the first of several; for the next request of a conversation.
    #[must_use]
    pub fn message(&self) -> Message {
        content::outputs(&self.json).into_iter().next().unwrap_or_else(|| Message::assistant(""))
    }

    /// The text of the message.
    #[must_use]
    pub fn text(&self) -> String {
        let parts = self.message().parts.into_iter();
        parts.filter_map(|part| if let Part::Text(text) = part { Some(text) } else { None }).collect()
    }

    /// The tools that the model wants to be called.
    #[must_use]
    pub fn tool_calls(&self) -> Vec<ToolCall> {
        let parts = self.message().parts.into_iter();
        let calls = parts.filter_map(|part| match part {
            Part::ToolCall { id, name, arguments } => Some(ToolCall { id, name, arguments }),
            _ => None,
        });
        calls.collect()
    }

    /// The vectors of embeddings, in the order of the texts.
    #[must_use]
    pub fn vectors(&self) -> Vec<Vec<f32>> {
        let numbers = |list: &Json| -> Vec<f32> {
            list.as_array().into_iter().flatten().filter_map(Json::as_f64).map(|number| number as f32).collect()
        };
        self.json["data"].as_array().into_iter().flatten().map(|item| numbers(&item["embedding"])).collect()
    }
}
