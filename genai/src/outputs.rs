//! What comes out of an operation, where it is recorded.

use std::fmt;

use serde_json::Value as Json;
use spandrel::OwnedAttribute;

use crate::assembly::Assembly;
use crate::document::{self, Document};
use crate::message::{Allowed, Content, Message, flatten, shown, to_json};
use crate::settings::Settings;
use crate::{Dialect, Operation, content};

/// As the program told it, or as it stands in the JSON of the answer.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    messages: Vec<Message>,
    /// Whether the program told the messages: then they are not read from JSON.
    are_told: bool,
    at_end: Option<AtEnd>,
    /// The answer as far as it came, if it comes in pieces.
    so_far: Option<Assembly>,
    pub(crate) documents: Vec<Document>,
    /// What came of the operation as a whole.
    pub(crate) value: Option<Content>,
}

/// Asks for the messages of an answer, once.
struct AtEnd(Box<dyn FnOnce() -> Vec<Message> + Send + Sync>);

impl fmt::Debug for AtEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtEnd")
    }
}

impl Outputs {
    pub(crate) fn tell(&mut self, messages: Vec<Message>) {
        (self.messages, self.are_told, self.at_end) = (messages, true, None);
    }

    pub(crate) fn tell_at_end(&mut self, messages: impl FnOnce() -> Vec<Message> + Send + Sync + 'static) {
        (self.are_told, self.at_end) = (true, Some(AtEnd(Box::new(messages))));
    }

    pub(crate) fn read(&mut self, answer: &Json) {
        if !self.are_told {
            (self.messages, self.so_far) = (content::outputs(answer), None);
        }
    }

    pub(crate) fn read_chunk(&mut self, chunk: &Json) {
        if !self.are_told {
            self.so_far.get_or_insert_default().add(chunk);
        }
    }

    /// Nothing more is to come.
    pub(crate) fn finish(&mut self) {
        if let Some(AtEnd(messages)) = self.at_end.take() {
            self.messages = messages();
        } else if let Some(so_far) = self.so_far.take().filter(|_| !self.are_told) {
            self.messages = content::outputs(so_far.body());
        }
    }

    /// What the dialects in force have of it, each in its own form. `value` is not in it: it has the same form in all.
    pub(crate) fn attributes(&self, operation: Operation, settings: &Settings) -> Vec<OwnedAttribute> {
        let mut list = Vec::new();
        if !self.documents.is_empty() {
            list.extend(document::attributes(&self.documents, operation, settings));
        }
        let Some(allowed) = Allowed::in_outputs(settings) else { return list };
        let Some(first) = self.messages.first() else { return list };
        if settings.dialect.iter().any(|dialect| dialect.is_otel()) {
            list.push(OwnedAttribute::new("gen_ai.output.messages", to_json(&self.messages, allowed)));
        }
        if settings.dialect.contains(&Dialect::OpenInference) {
            list.extend(flatten("llm.output_messages", &self.messages, allowed));
            // As of the input: the answer alone rather than its whole JSON.
            if let Some(first) = shown(first, allowed).filter(|_| self.value.is_none()) {
                list.push(OwnedAttribute::new("output.value", first.text));
                list.push(OwnedAttribute::new("output.mime_type", first.mime));
            }
        }
        list
    }
}
