//! What kinds of operations there are, and what their spans are called.

use spandrel::SpanKind;

/// A kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// A model answers messages.
    Chat,
    /// A model continues a text.
    TextCompletion,
    /// A model turns texts into vectors.
    Embeddings,
    /// A model orders documents.
    Rerank,
    /// Documents are looked up.
    Retrieval,
    /// A tool that a model or an agent called.
    Tool,
    /// An agent works on a task.
    Agent,
    /// One round of an agent.
    Step,
    /// A question of a user with all that answers it.
    Turn,
    /// Agents and steps in an order that code has fixed.
    Workflow,
    /// Something checks what goes in or comes out.
    Guardrail,
}

/// What the dialects call a kind of operation.
struct Words {
    /// `gen_ai.operation.name`. What OpenTelemetry has no word for has one of ours.
    otel: &'static str,
    /// `openinference.span.kind`
    openinference: &'static str,
    /// The `type` of Cost Katana's spans.
    cost_katana: &'static str,
}

impl Operation {
    const fn words(self) -> Words {
        let (otel, openinference, cost_katana) = match self {
            Self::Chat => ("chat", "LLM", "llm"),
            Self::TextCompletion => ("text_completion", "LLM", "llm"),
            Self::Embeddings => ("embeddings", "EMBEDDING", "llm"),
            Self::Rerank => ("rerank", "RERANKER", "llm"),
            Self::Retrieval => ("retrieval", "RETRIEVER", "retrieval"),
            Self::Tool => ("execute_tool", "TOOL", "tool"),
            Self::Agent => ("invoke_agent", "AGENT", "custom"),
            Self::Step => ("agent_step", "CHAIN", "custom"),
            Self::Turn => ("chat_turn", "CHAIN", "custom"),
            Self::Workflow => ("invoke_workflow", "CHAIN", "custom"),
            Self::Guardrail => ("guardrail", "GUARDRAIL", "custom"),
        };
        Words { otel, openinference, cost_katana }
    }

    /// The value of `gen_ai.operation.name`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.words().otel
    }

    /// The value of `openinference.span.kind`.
    #[must_use]
    pub const fn openinference_kind(self) -> &'static str {
        self.words().openinference
    }

    pub(crate) const fn cost_katana_type(self) -> &'static str {
        self.words().cost_katana
    }

    /// Whether a model does it, which has a price.
    pub(crate) const fn is_model_call(self) -> bool {
        matches!(self, Self::Chat | Self::TextCompletion | Self::Embeddings | Self::Rerank)
    }

    /// Model calls leave the process, nearly always.
    pub(crate) const fn span_kind(self, is_remote: bool) -> SpanKind {
        if is_remote { SpanKind::Client } else { SpanKind::Internal }
    }
}
