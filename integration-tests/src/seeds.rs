//! Secrets where programs leave them: the corpus of `spandrel-redaction`, put into spans.

use serde_json::Value;
use spandrel::{self as tracing, Builder, SpanContext, Status, attrs};
use spandrel_genai::{self as genai, Message};

/// A text with a secret in it, and the place for it.
#[derive(Debug)]
pub struct Seed {
    /// Its number, which is in its span.
    pub number: usize,
    place: String,
    key: Option<String>,
    text: String,
    /// What must be nowhere.
    pub secrets: Vec<String>,
}

/// All of them.
///
/// # Panics
///
/// If the file is not what it should be.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let all: Vec<Value> =
        serde_json::from_str(include_str!("../../redaction/tests/data/secrets.json")).expect("a list of secrets");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let seed = |(number, item): (usize, &Value)| Seed {
        number,
        place: text(&item["where"]),
        key: item["key"].as_str().map(str::to_owned),
        text: text(&item["text"]),
        secrets: std::iter::once(&item["secret"])
            .chain(item["also"].as_array().into_iter().flatten())
            .map(text)
            .collect(),
    };
    all.iter().enumerate().map(seed).collect()
}

impl Seed {
    /// What stands in its span, and in no other.
    #[must_use]
    pub fn name(&self) -> String {
        format!("seed-{}-", self.number)
    }

    fn key(&self) -> &str {
        self.key.as_deref().unwrap_or("app.note")
    }

    /// Records a span, or two, that have it.
    ///
    /// # Panics
    ///
    /// If the corpus names an unknown place.
    pub fn record(&self, linked: &SpanContext) {
        let (key, text) = (self.key(), self.text.as_str());
        let name = if self.place == "span_name" { text } else { "seeded" };
        tracing::with_span(name, |span| {
            span.set_attribute("app.seed", self.name());
            match self.place.as_str() {
                "span_name" | "resource" => {}
                "attribute_key" => span.set_attribute(text, 1),
                "attribute_value" => span.set_attribute(key, text),
                "baggage" => span.set_attributes(&attrs! { "baggage" => text }),
                "url" => span.set_attribute("url.full", text),
                "status" => span.set_status(Status::Error(text)),
                "error" => span.record_error(text),
                "event_name" => span.add_event(text, &[]),
                "event_attribute" => span.add_event("seeded", &attrs! { key => text }),
                "link_attribute" => span.add_link(linked, &attrs! { key => text }),
                "prompt" => {
                    genai::llm_call("openai", "gpt-4o-mini").input_messages(|| vec![Message::user(text)]).run(|_| ());
                }
                "completion" => genai::llm_call("openai", "gpt-4o-mini")
                    .run(|record| record.set_output_messages(|| vec![Message::assistant(text)])),
                "tool_arguments" => genai::tool("search").arguments(|| text).run(|_| ()),
                "tool_result" => genai::tool("search").run(|record| record.set_tool_result(|| text)),
                other => panic!("{other} is a place that the test does not know"),
            }
        });
    }

    /// Adds it to the resource, if it belongs there.
    pub fn add_to_resource(&self, builder: Builder) -> Builder {
        match self.place.as_str() {
            "resource" => builder.resource_attribute(&format!("r{}.{}", self.number, self.key()), &*self.text),
            _ => builder,
        }
    }
}
