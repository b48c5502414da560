use serde_json::{Map, Value as Json};
use spandrel::OwnedAttribute;

use crate::message::cut;
use crate::settings::Settings;
use crate::{Dialect, Operation};

/// A document that was found, or put in order; for [`Record::set_documents`](crate::Record::set_documents).
///
/// ```
/// use spandrel_genai::Document;
///
/// let found = Document::new("doc-7").score(0.9).text("A spandrel is the triangle beside an arch.");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Document {
    /// Its id.
    pub id: String,
    /// How well it fits.
    pub score: Option<f64>,
    /// What stands in it.
    pub text: Option<String>,
    /// What else is known of it.
    pub metadata: Option<Json>,
}

impl Document {
    /// A document of which only the id is known.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), score: None, text: None, metadata: None }
    }

    /// The same document with how well it fits.
    #[must_use]
    pub const fn score(mut self, score: f64) -> Self {
        self.score = Some(score);
        self
    }

    /// The same document with what stands in it. It is recorded only where content is.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// The same document with what else is known of it: author, date. It is recorded only where content is.
    #[must_use]
    pub fn metadata(mut self, metadata: Json) -> Self {
        self.metadata = Some(metadata);
        self
    }
}

/// The documents in the dialects in force. Ids and scores are no content, as they say nothing by themselves.
///
/// Sources: OpenTelemetry semantic conventions 1.41, retrieval documents schema, which allows more than ids and
/// scores; OpenInference, spec/semantic_conventions.md of 2026-08.
pub(crate) fn attributes(documents: &[Document], operation: Operation, settings: &Settings) -> Vec<OwnedAttribute> {
    let shows_content = settings.content && !settings.hide.outputs;
    let text = |document: &Document| {
        document.text.as_deref().filter(|_| shows_content).map(|text| cut(text, settings.max_content_bytes))
    };
    let metadata = |document: &Document| document.metadata.clone().filter(|_| shows_content);
    let mut list = Vec::new();
    if settings.dialect.iter().any(|dialect| dialect.is_otel()) {
        let documents = documents.iter().map(|document| {
            let mut json = Map::new();
            json.insert("id".to_owned(), document.id.as_str().into());
            let told = [
                ("score", document.score.map(Json::from)),
                ("content", text(document).map(Json::from)),
                ("metadata", metadata(document)),
            ];
            json.extend(told.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
            Json::Object(json)
        });
        let json = Json::Array(documents.collect()).to_string();
        list.push(OwnedAttribute::new("gen_ai.retrieval.documents", json));
    }
    if settings.dialect.contains(&Dialect::OpenInference) {
        let are_ranked = operation == Operation::Rerank;
        let prefix = if are_ranked { "reranker.output_documents" } else { "retrieval.documents" };
        for (i, document) in documents.iter().enumerate() {
            let key = |name: &str| format!("{prefix}.{i}.document.{name}");
            list.push(OwnedAttribute::new(key("id"), &document.id));
            list.extend(document.score.map(|score| OwnedAttribute::new(key("score"), score)));
            list.extend(text(document).map(|text| OwnedAttribute::new(key("content"), text)));
            list.extend(metadata(document).map(|json| OwnedAttribute::new(key("metadata"), json.to_string())));
        }
    }
    list
}
