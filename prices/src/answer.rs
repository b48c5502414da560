use serde_json::Value;

use crate::{NanoUsd, Usage};

mod blocks;
mod json;
#[cfg(test)]
mod tests;

use json::{count, text};

/// What the answer of a provider says besides its content.
///
/// It is read by its shape: OpenAI (chat, responses, realtime, embeddings, images) and what speaks its language, Anthropic, Google, Bedrock
/// (converse, invoke), Mistral, Cohere, Ollama and some more. The name of the provider decides only where shapes
/// are alike and mean different things, so one that is not known is read as well.
///
/// ```
/// use serde_json::json;
/// use spandrel_prices::Answer;
///
/// let body = json!({"model": "gpt-4o-2024-08-06", "choices": [{"finish_reason": "stop"}],
///     "usage": {"prompt_tokens": 2006, "completion_tokens": 300, "prompt_tokens_details": {"cached_tokens": 1920}}});
/// let answer = Answer::of("openai", &body);
/// assert_eq!(answer.usage.unwrap().cache_read_tokens, Some(1920));
/// assert_eq!(answer.finish_reasons, ["stop"]);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Answer {
    /// What the call used. `None` if the answer does not tell.
    pub usage: Option<Usage>,
    /// The model that answered.
    pub model: Option<String>,
    /// The id of the answer.
    pub id: Option<String>,
    /// How the call was served: `default`, `flex`, `priority`, `batch`, … as the provider says it.
    pub service_tier: Option<String>,
    /// `fast`, of providers that tell it apart from the service tier.
    pub speed: Option<String>,
    /// Why each choice ended, as the provider says it.
    pub finish_reasons: Vec<String>,
    /// What the provider says it charged (OpenRouter, xAI, Perplexity).
    pub reported_cost: Option<NanoUsd>,
}

/// No envelope is opened deeper than this, however they are nested.
const DEEPEST: usize = 4;

impl Answer {
    /// Reads the body of an answer; also a line of the results of a batch.
    #[must_use]
    pub fn of(provider: &str, body: &Value) -> Self {
        let mut answer = Self::default();
        answer.add_chunk(provider, body);
        answer
    }

    /// Reads the next part of a streamed answer: the data of an event, parsed.
    ///
    /// Counts in streams are told as they stand, so later ones replace earlier ones; what a part does not tell stays. The headers
    /// of Bedrock (`x-amzn-bedrock-input-token-count`) may be given as a part as well, as an object.
    pub fn add_chunk(&mut self, provider: &str, chunk: &Value) {
        // Google streams a list where no server-sent events were asked for.
        match chunk {
            Value::Array(chunks) => chunks.iter().for_each(|chunk| self.read(provider, chunk, 0)),
            chunk => self.read(provider, chunk, 0),
        }
    }

    /// One look at each field, as most parts of a stream tell nothing.
    fn read(&mut self, provider: &str, part: &Value, depth: usize) {
        let Some(fields) = part.as_object().filter(|_| depth <= DEEPEST) else { return };
        let is_line_of_batch = is_line_of_batch(part);
        let mut has_block = false;
        for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
            match key.as_str() {
                "response" | "body" | "result" | "message" | "delta" => self.read(provider, value, depth + 1),
                // Metadata of a user's own may hold anything.
                "metadata" if value["usage"].is_object() && part["object"].is_null() => {
                    self.read(provider, value, depth + 1);
                }
                _ if is_line_of_batch => {}
                "model" | "modelVersion" | "model_id" => replace(&mut self.model, text(value)),
                "id" | "responseId" | "response_id" | "generation_id" => replace(&mut self.id, text(value)),
                // `auto` is what was asked for, before it is known how the call is served.
                "service_tier" | "serviceTier" => {
                    let tier = text(value).or_else(|| text(&value["type"])).filter(|tier| *tier != "auto");
                    replace(&mut self.service_tier, tier);
                }
                "choices" | "candidates" | "results" | "outputs" => {
                    self.read_choices(value);
                    has_block |= key == "results" || value[0]["usage"].is_object();
                }
                "stop_reason" | "stopReason" | "finish_reason" | "done_reason" => self.finish(0, text(value)),
                "messageStop" => self.finish(0, text(&value["stopReason"])),
                "status" => self.read_state(part, value),
                key => has_block |= blocks::is_block(key),
            }
        }
        if is_line_of_batch {
            self.service_tier = Some("batch".to_owned());
        } else if has_block {
            self.read_block(provider, part);
        }
    }

    fn read_block(&mut self, provider: &str, part: &Value) {
        if let Some(read) = blocks::read(provider, part, self.usage.as_ref()) {
            self.usage.get_or_insert_default().update(&read.usage);
            self.reported_cost = read.cost.or(self.reported_cost);
            replace(&mut self.service_tier, read.service_tier.as_deref());
            replace(&mut self.speed, read.speed.as_deref());
        }
    }

    fn read_choices(&mut self, choices: &Value) {
        for (at, choice) in choices.as_array().into_iter().flatten().enumerate() {
            let at = count(&choice["index"]).and_then(|index| usize::try_from(index).ok()).unwrap_or(at);
            let reasons = ["finish_reason", "finishReason", "completionReason", "stop_reason"];
            self.finish(at, reasons.iter().find_map(|key| text(&choice[*key])));
        }
    }

    /// The responses of OpenAI have a state, and a reason if they are not whole.
    fn read_state(&mut self, part: &Value, state: &Value) {
        let is_end = |state: &&str| ["completed", "incomplete", "failed", "cancelled"].contains(state);
        let reason = text(&part["incomplete_details"]["reason"]);
        self.finish(0, text(state).filter(is_end).map(|state| reason.unwrap_or(state)));
    }

    fn finish(&mut self, at: usize, reason: Option<&str>) {
        let Some(reason) = reason else { return };
        match self.finish_reasons.get_mut(at) {
            Some(known) => reason.clone_into(known),
            None => self.finish_reasons.push(reason.to_owned()),
        }
    }
}

/// A line of the results of a batch tells that it is one by what is around the answer. Those of OpenAI and Google; Anthropic says it inside.
fn is_line_of_batch(part: &Value) -> bool {
    let is_openai = part["custom_id"].is_string() && part["response"]["body"].is_object();
    is_openai || part["key"].is_string() && part["response"]["usageMetadata"].is_object()
}

/// Streams repeat themselves with each part.
fn replace(known: &mut Option<String>, told: Option<&str>) {
    if let Some(told) = told.filter(|told| known.as_deref() != Some(told)) {
        *known = Some(told.to_owned());
    }
}
