//! What goes into an operation, where it is recorded.

use serde_json::Value as Json;
use spandrel::OwnedAttribute;

use crate::message::{Allowed, Content, Message, flatten, parts_to_json, shown, to_json};
use crate::settings::Settings;
use crate::{Dialect, Operation, tools};

/// As the program gave it.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    pub(crate) messages: Vec<Message>,
    pub(crate) system: Option<String>,
    /// JSON, nearly always.
    pub(crate) tools: Option<String>,
    /// What the operation is given as a whole.
    pub(crate) value: Option<Content>,
    /// The texts that become vectors.
    pub(crate) embedded: Vec<String>,
}

impl Inputs {
    /// What the dialects in force have of it, each in its own form. `value` is not in it: it has the same form in all.
    pub(crate) fn attributes(&self, operation: Operation, settings: &Settings) -> Vec<OwnedAttribute> {
        let mut list = Vec::new();
        let is_openinference = settings.dialect.contains(&Dialect::OpenInference);
        if let Some(allowed) = Allowed::in_inputs(settings) {
            if settings.dialect.iter().any(|dialect| dialect.is_otel()) {
                self.put_otel(&mut list, allowed);
            }
            if is_openinference {
                self.put_openinference(&mut list, allowed);
            }
        }
        list.extend(self.tools.iter().flat_map(|tools| tools::attributes(tools, settings)));
        if let Some(value) = &self.value {
            let is_retrieval = operation == Operation::Retrieval;
            if is_retrieval && settings.dialect.iter().any(|dialect| dialect.is_otel()) {
                list.push(OwnedAttribute::new("gen_ai.retrieval.query.text", &value.text));
            }
            if operation == Operation::Rerank && is_openinference {
                list.push(OwnedAttribute::new("reranker.query", &value.text));
            }
        }
        list
    }

    fn put_otel(&self, list: &mut Vec<OwnedAttribute>, allowed: Allowed) {
        if let Some(system) = &self.system {
            let parts = parts_to_json(&Message::system(system), allowed);
            list.push(OwnedAttribute::new("gen_ai.system_instructions", Json::Array(parts).to_string()));
        }
        if !self.messages.is_empty() {
            list.push(OwnedAttribute::new("gen_ai.input.messages", to_json(&self.messages, allowed)));
        }
    }

    fn put_openinference(&self, list: &mut Vec<OwnedAttribute>, allowed: Allowed) {
        // Some tell the same in both ways; it was said once.
        let is_told = |system: &Message| {
            let mut told =
                self.messages.iter().filter(|message| matches!(message.role.as_str(), "system" | "developer"));
            told.any(|message| message.parts == system.parts)
        };
        let system = self.system.as_ref().map(Message::system).filter(|system| !is_told(system));
        list.extend(flatten("llm.input_messages", system.iter().chain(&self.messages), allowed));
        // OpenInference's own instrumentation has the JSON of the whole request here (spec/llm_spans.md). All of that
        // stands in the messages; what lists of spans and sessions show is better the question alone.
        let last = self.messages.last().filter(|_| self.value.is_none()).and_then(|message| shown(message, allowed));
        if let Some(last) = last {
            list.push(OwnedAttribute::new("input.value", last.text));
            list.push(OwnedAttribute::new("input.mime_type", last.mime));
        }
        for (i, text) in self.embedded.iter().enumerate() {
            list.push(OwnedAttribute::new(format!("embedding.embeddings.{i}.embedding.text"), allowed.text(text)));
        }
    }
}

/// The texts in the input of an embedding: one, or a list of them in JSON. Tokens are none.
pub(crate) fn embedded(input: &str) -> Vec<String> {
    match serde_json::from_str(input) {
        Ok(texts) => texts,
        Err(_) if input.starts_with('[') => Vec::new(),
        Err(_) => vec![input.to_owned()],
    }
}
