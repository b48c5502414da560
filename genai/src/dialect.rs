use serde::Deserialize;

use crate::Operation;

/// The names under which operations are written.
///
/// Several may be in force at once: a fact is then written under each name, and once where
/// the names are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub enum Dialect {
    /// OpenTelemetry semantic conventions 1.41, `gen_ai.*`.
    #[serde(rename = "otel-genai-1.41")]
    OtelGenai141,
    /// What OpenTelemetry is about to call it.
    #[serde(rename = "otel-genai-next")]
    OtelGenaiNext,
    /// OpenInference, which Phoenix and Arize read.
    #[serde(rename = "openinference")]
    OpenInference,
    /// `costUSD`, `tokens.input`, `sessionId`.
    #[serde(rename = "legacy-cost-katana")]
    LegacyCostKatana,
    /// `ai.provider`, `ai.prompt_tokens`, `ai.cost`; spans `llm.generate`, `agent.step.1`.
    #[serde(rename = "legacy-ai-infra")]
    LegacyAiInfra,
    /// `llm.vendor`, `llm.usage.prompt_tokens`; spans `openai.chat.completions.create`.
    #[serde(rename = "legacy-ai-storefront")]
    LegacyAiStorefront,
    /// `cost.total_usd`, `performance.latency_ms`.
    #[serde(rename = "legacy-arize")]
    LegacyArize,
}

impl Dialect {
    pub(crate) const COUNT: usize = 7;

    pub(crate) const fn is_otel(self) -> bool {
        matches!(self, Self::OtelGenai141 | Self::OtelGenaiNext)
    }

    /// What a span is called; the first dialect in force decides.
    ///
    /// `subject` is a model, or what the agent, tool or workflow is called.
    pub(crate) fn span_name(self, operation: Operation, provider: &str, subject: &str) -> String {
        use Operation::{Agent, Chat, Embeddings, Step, TextCompletion, Tool, Turn};
        match (self, operation) {
            (Self::LegacyAiInfra, Chat | TextCompletion) => "llm.generate".to_owned(),
            (Self::LegacyAiInfra, Embeddings) => "llm.embed".to_owned(),
            (Self::LegacyAiInfra, Agent) => "agent.run".to_owned(),
            (Self::LegacyAiInfra | Self::LegacyArize, Step) => ["agent.step.", number(subject)].concat(),
            (Self::LegacyAiInfra, Tool) => ["tool.", subject].concat(),
            (Self::LegacyAiStorefront, Chat) => [provider, ".chat.completions.create"].concat(),
            (Self::LegacyAiStorefront, Embeddings) => [provider, ".embeddings.create"].concat(),
            (Self::LegacyAiStorefront, Turn) => ["chat.", subject].concat(),
            (Self::LegacyCostKatana | Self::LegacyArize, _) => subject.to_owned(),
            (Self::OtelGenai141 | Self::OtelGenaiNext | Self::OpenInference, Step) if !subject.is_empty() => {
                [operation.name(), " ", number(subject)].concat()
            }
            _ if subject.is_empty() => operation.name().to_owned(),
            _ => [operation.name(), " ", subject].concat(),
        }
    }
}

/// A step is called `step 1`; names of spans say already that it is one.
fn number(step: &str) -> &str {
    step.strip_prefix("step ").unwrap_or(step)
}
