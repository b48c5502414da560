//! What each fact is called in each dialect: data, because the conventions are moving.

use spandrel::{Attribute, Value};

use crate::Dialect;

macro_rules! facts {
    ($($fact:ident,)+) => {
        /// Something that is known of an operation and written as one attribute.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fact { $($fact,)+ }

        impl Fact {
            const ALL: &[Self] = &[$(Self::$fact,)+];
        }
    };
}

facts! {
    Operation,
    Kind,
    CostKatanaType,
    Provider,
    LlmSystem,
    LlmProvider,
    RequestModel,
    RequestModelAgain,
    EmbeddingModel,
    RerankModel,
    ResponseModel,
    ResponseId,
    Temperature,
    TopP,
    TopK,
    MaxTokens,
    FrequencyPenalty,
    PresencePenalty,
    Seed,
    StopSequences,
    ChoiceCount,
    ReasoningLevel,
    Stream,
    ServerAddress,
    ServerPort,
    FinishReasons,
    FinishReason,
    InputTokens,
    OutputTokens,
    TotalTokens,
    CacheRead,
    CacheWrite,
    CacheWriteNext,
    Reasoning,
    InputAudio,
    OutputAudio,
    CostInput,
    CostOutput,
    CostTotal,
    CostTotalAgain,
    CostSource,
    CostRule,
    ServedFromCache,
    SumCost,
    SumInputTokens,
    SumOutputTokens,
    SumCalls,
    SumUnpriced,
    SumWithoutUsage,
    UsagePartial,
    FirstChunk,
    PerChunk,
    StreamOutcome,
    DurationSeconds,
    DurationMillis,
    AgentName,
    AgentId,
    AgentDescription,
    Role,
    ToolName,
    ToolCallId,
    ToolDescription,
    ToolArguments,
    ToolResult,
    WorkflowName,
    DataSource,
    TurnId,
    TurnSession,
    TurnUser,
    ToolMillis,
    Session,
    User,
    Input,
    InputMime,
    Output,
    OutputMime,
    ErrorType,
}

/// The row of each fact, at its place.
static NAMES: [Row; Fact::ALL.len()] = {
    let mut names = [[""; Dialect::COUNT]; Fact::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[Fact::ALL[at] as usize] = Fact::ALL[at].row();
        at += 1;
    }
    names
};

/// A row: the name in each dialect, in the order of [`Dialect`]; empty for none.
type Row = [&'static str; Dialect::COUNT];

impl Fact {
    /// Sources: OpenTelemetry semantic conventions 1.41 (gen-ai), the repository semantic-conventions-genai
    /// of 2026-08, OpenInference spec of 2026-08-21, the documents of the projects whose names are legacy here.
    #[rustfmt::skip]
    const fn row(self) -> Row {
        match self {
            //                          otel-genai-1.41                        otel-genai-next                       openinference                            cost-katana          ai-infra                ai-storefront                 arize
            Self::Operation =>        ["gen_ai.operation.name",               "gen_ai.operation.name",              "",                                      "",                  "",                     "",                           ""],
            Self::Kind =>             ["",                                    "",                                   "openinference.span.kind",               "",                  "",                     "",                           "openinference.span.kind"],
            Self::CostKatanaType =>   ["",                                    "",                                   "",                                      "type",              "",                     "",                           ""],
            Self::Provider =>         ["gen_ai.provider.name",                "gen_ai.provider.name",               "",                                      "provider",          "ai.provider",          "llm.vendor",                 ""],
            Self::LlmSystem =>        ["",                                    "",                                   "llm.system",                            "",                  "",                     "",                           ""],
            Self::LlmProvider =>      ["",                                    "",                                   "llm.provider",                          "",                  "",                     "",                           ""],
            Self::RequestModel =>     ["gen_ai.request.model",                "gen_ai.request.model",               "llm.request.model_name",                "model",             "ai.model",             "llm.request.model",          "cost.model_name"],
            Self::RequestModelAgain => ["",                                   "",                                   "llm.model_name",                        "",                  "",                     "",                           "llm.model_name"],
            Self::EmbeddingModel =>   ["",                                    "",                                   "embedding.model_name",                  "",                  "",                     "",                           ""],
            Self::RerankModel =>      ["",                                    "",                                   "reranker.model_name",                   "",                  "",                     "",                           ""],
            Self::ResponseModel =>    ["gen_ai.response.model",               "gen_ai.response.model",              "llm.response.model_name",               "",                  "",                     "",                           ""],
            Self::ResponseId =>       ["gen_ai.response.id",                  "gen_ai.response.id",                 "",                                      "",                  "",                     "",                           ""],
            Self::Temperature =>      ["gen_ai.request.temperature",          "gen_ai.request.temperature",         "",                                      "",                  "",                     "llm.request.temperature",    ""],
            Self::TopP =>             ["gen_ai.request.top_p",                "gen_ai.request.top_p",               "",                                      "",                  "",                     "",                           ""],
            Self::TopK =>             ["gen_ai.request.top_k",                "gen_ai.request.top_k",               "",                                      "",                  "",                     "",                           ""],
            Self::MaxTokens =>        ["gen_ai.request.max_tokens",           "gen_ai.request.max_tokens",          "",                                      "",                  "",                     "llm.request.max_tokens",     ""],
            Self::FrequencyPenalty => ["gen_ai.request.frequency_penalty",    "gen_ai.request.frequency_penalty",   "",                                      "",                  "",                     "",                           ""],
            Self::PresencePenalty =>  ["gen_ai.request.presence_penalty",     "gen_ai.request.presence_penalty",    "",                                      "",                  "",                     "",                           ""],
            Self::Seed =>             ["gen_ai.request.seed",                 "gen_ai.request.seed",                "",                                      "",                  "",                     "",                           ""],
            Self::StopSequences =>    ["gen_ai.request.stop_sequences",       "gen_ai.request.stop_sequences",      "",                                      "",                  "",                     "",                           ""],
            Self::ChoiceCount =>      ["gen_ai.request.choice.count",         "gen_ai.request.choice.count",        "",                                      "",                  "",                     "",                           ""],
            Self::ReasoningLevel =>   ["",                                    "gen_ai.request.reasoning.level",     "",                                      "",                  "",                     "",                           ""],
            Self::Stream =>           ["gen_ai.request.stream",               "gen_ai.request.stream",              "",                                      "",                  "ai.stream",            "",                           ""],
            Self::ServerAddress =>    ["server.address",                      "server.address",                     "",                                      "",                  "",                     "",                           ""],
            Self::ServerPort =>       ["server.port",                         "server.port",                        "",                                      "",                  "",                     "",                           ""],
            Self::FinishReasons =>    ["gen_ai.response.finish_reasons",      "gen_ai.response.finish_reasons",     "",                                      "",                  "",                     "",                           ""],
            Self::FinishReason =>     ["",                                    "",                                   "llm.finish_reason",                     "",                  "",                     "response.finish_reason",     ""],
            Self::InputTokens =>      ["gen_ai.usage.input_tokens",           "gen_ai.usage.input_tokens",          "llm.token_count.prompt",                "tokens.input",      "ai.prompt_tokens",     "llm.usage.prompt_tokens",    "cost.prompt_tokens"],
            Self::OutputTokens =>     ["gen_ai.usage.output_tokens",          "gen_ai.usage.output_tokens",         "llm.token_count.completion",            "tokens.output",     "ai.completion_tokens", "llm.usage.completion_tokens", "cost.completion_tokens"],
            Self::TotalTokens =>      ["",                                    "",                                   "llm.token_count.total",                 "",                  "ai.total_tokens",      "llm.usage.total_tokens",     "cost.total_tokens"],
            Self::CacheRead =>        ["gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read.input_tokens", "llm.token_count.prompt_details.cache_read", "",          "",                     "",                           ""],
            // Backends differ in which of the two names they read, so both conventions write both.
            Self::CacheWrite =>       ["gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_creation.input_tokens", "llm.token_count.prompt_details.cache_write", "", "",                    "",                           ""],
            Self::CacheWriteNext =>   ["gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_write.input_tokens", "",                                  "",                  "",                     "",                           ""],
            Self::Reasoning =>        ["gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning.output_tokens", "llm.token_count.completion_details.reasoning", "",       "",                     "",                           ""],
            Self::InputAudio =>       ["",                                    "gen_ai.usage.audio.input_tokens",    "llm.token_count.prompt_details.audio",  "",                  "",                     "",                           ""],
            Self::OutputAudio =>      ["",                                    "gen_ai.usage.audio.output_tokens",   "llm.token_count.completion_details.audio", "",               "",                     "",                           ""],
            Self::CostInput =>        ["spandrel.cost.input",                 "spandrel.cost.input",                "llm.cost.prompt",                       "",                  "",                     "",                           "cost.input_cost_usd"],
            Self::CostOutput =>       ["spandrel.cost.output",                "spandrel.cost.output",               "llm.cost.completion",                   "",                  "",                     "",                           "cost.output_cost_usd"],
            Self::CostTotal =>        ["spandrel.cost.total",                 "spandrel.cost.total",                "llm.cost.total",                        "costUSD",           "ai.cost",              "",                           "cost.total_usd"],
            // Langfuse reads it.
            Self::CostTotalAgain =>   ["gen_ai.usage.cost",                   "gen_ai.usage.cost",                  "",                                      "",                  "",                     "",                           ""],
            Self::CostSource =>       ["spandrel.cost.price_table",           "spandrel.cost.price_table",          "spandrel.cost.price_table",             "",                  "",                     "",                           ""],
            Self::CostRule =>         ["spandrel.cost.rule",                  "spandrel.cost.rule",                 "spandrel.cost.rule",                    "",                  "",                     "",                           ""],
            Self::ServedFromCache =>  ["spandrel.served_from_cache",          "spandrel.served_from_cache",         "spandrel.served_from_cache",            "",                  "",                     "",                           ""],
            // Of all model calls within; under names of their own, as backends add up what spans say.
            Self::SumCost =>          ["spandrel.sum.cost",                   "spandrel.sum.cost",                  "spandrel.sum.cost",                     "totalCostUSD",      "",                     "",                           ""],
            Self::SumInputTokens =>   ["spandrel.sum.input_tokens",           "spandrel.sum.input_tokens",          "spandrel.sum.input_tokens",             "totalInputTokens",  "",                     "",                           ""],
            Self::SumOutputTokens =>  ["spandrel.sum.output_tokens",          "spandrel.sum.output_tokens",         "spandrel.sum.output_tokens",            "totalOutputTokens", "",                     "",                           ""],
            Self::SumCalls =>         ["spandrel.sum.model_calls",            "spandrel.sum.model_calls",           "spandrel.sum.model_calls",              "",                  "",                     "",                           ""],
            Self::SumUnpriced =>      ["spandrel.sum.unpriced_calls",         "spandrel.sum.unpriced_calls",        "spandrel.sum.unpriced_calls",           "",                  "",                     "",                           ""],
            Self::SumWithoutUsage =>  ["spandrel.sum.calls_without_usage",    "spandrel.sum.calls_without_usage",   "spandrel.sum.calls_without_usage",      "",                  "",                     "",                           ""],
            // Tokens and cost are at least what is written.
            Self::UsagePartial =>     ["spandrel.usage.partial", "spandrel.usage.partial", "spandrel.usage.partial", "spandrel.usage.partial", "spandrel.usage.partial", "spandrel.usage.partial", "spandrel.usage.partial"],
            Self::FirstChunk =>       ["gen_ai.response.time_to_first_chunk", "gen_ai.response.time_to_first_chunk", "spandrel.response.time_to_first_chunk", "",                "",                     "",                           ""],
            Self::PerChunk =>         ["spandrel.response.time_per_chunk",    "spandrel.response.time_per_chunk",   "spandrel.response.time_per_chunk",      "",                  "",                     "",                           ""],
            Self::StreamOutcome =>    ["spandrel.stream.outcome",             "spandrel.stream.outcome",            "spandrel.stream.outcome",               "",                  "",                     "",                           ""],
            Self::DurationSeconds =>  ["",                                    "",                                   "",                                      "",                  "",                     "",                           "performance.duration_seconds"],
            Self::DurationMillis =>   ["",                                    "",                                   "",                                      "duration",          "ai.duration_ms",       "",                           "performance.latency_ms"],
            Self::AgentName =>        ["gen_ai.agent.name",                   "gen_ai.agent.name",                  "agent.name",                            "",                  "agent.name",           "",                           "agent_name"],
            Self::AgentId =>          ["gen_ai.agent.id",                     "gen_ai.agent.id",                    "",                                      "",                  "",                     "",                           ""],
            Self::AgentDescription => ["gen_ai.agent.description",            "gen_ai.agent.description",           "",                                      "",                  "",                     "",                           "task_description"],
            Self::Role =>             ["spandrel.agent.role",                 "spandrel.agent.role",                "spandrel.agent.role",                   "",                  "",                     "",                           "agent_role"],
            Self::ToolName =>         ["gen_ai.tool.name",                    "gen_ai.tool.name",                   "tool.name",                             "",                  "tool.name",            "",                           "tool.name"],
            Self::ToolCallId =>       ["gen_ai.tool.call.id",                 "gen_ai.tool.call.id",                "tool.id",                               "",                  "",                     "",                           ""],
            Self::ToolDescription =>  ["gen_ai.tool.description",             "gen_ai.tool.description",            "tool.description",                      "",                  "",                     "",                           ""],
            Self::ToolArguments =>    ["gen_ai.tool.call.arguments",          "gen_ai.tool.call.arguments",         "",                                      "",                  "tool.args",            "",                           ""],
            Self::ToolResult =>       ["gen_ai.tool.call.result",             "gen_ai.tool.call.result",            "",                                      "",                  "",                     "",                           ""],
            Self::WorkflowName =>     ["gen_ai.workflow.name",                "gen_ai.workflow.name",               "graph.node.name",                       "label",             "",                     "",                           ""],
            Self::DataSource =>       ["gen_ai.data_source.id",               "gen_ai.data_source.id",              "",                                      "",                  "",                     "",                           ""],
            Self::TurnId =>           ["spandrel.turn.id",                    "spandrel.turn.id",                   "spandrel.turn.id",                      "",                  "",                     "chat.turn_id",               ""],
            Self::TurnSession =>      ["",                                    "",                                   "",                                      "",                  "",                     "chat.thread_id",             ""],
            Self::TurnUser =>         ["",                                    "",                                   "",                                      "",                  "",                     "chat.user_id",               ""],
            Self::ToolMillis =>       ["",                                    "",                                   "",                                      "",                  "tool.duration_ms",     "",                           ""],
            Self::Session =>          ["gen_ai.conversation.id",              "gen_ai.conversation.id",             "session.id",                            "sessionId",         "",                     "thread.id",                  "session.id"],
            Self::User =>             ["user.id",                             "user.id",                            "user.id",                               "userId",            "",                     "user.id",                    "user.id"],
            Self::Input =>            ["input.value",                         "input.value",                        "input.value",                           "",                  "",                     "",                           "input.value"],
            Self::InputMime =>        ["input.mime_type",                     "input.mime_type",                    "input.mime_type",                       "",                  "",                     "",                           ""],
            Self::Output =>           ["output.value",                        "output.value",                       "output.value",                          "",                  "",                     "",                           "output.value"],
            Self::OutputMime =>       ["output.mime_type",                    "output.mime_type",                   "output.mime_type",                      "",                  "",                     "",                           ""],
            Self::ErrorType =>        ["error.type",                          "error.type",                         "error.type",                            "error",             "error.type",           "error.type",                 "error.type"],
        }
    }
}

/// What OpenInference calls a provider: `llm.system`, which is whose language it speaks, and `llm.provider`, which
/// is who runs the model. Names that it has no word for stay as they are.
///
/// Sources: OpenInference, spec/semantic_conventions.md and spec/embedding_spans.md of 2026-08; for those who speak
/// the language of OpenAI, its instrumentation of LangChain.
pub(crate) fn openinference_names(provider: &str) -> (&str, &str) {
    match provider {
        "aws.bedrock" | "aws" | "bedrock" => ("amazon", "aws"),
        "azure.ai.openai" | "azure.ai.inference" | "azure" | "azure_openai" => ("openai", "azure"),
        "gcp.gemini" | "gcp.gen_ai" | "gcp.vertex_ai" | "google" | "gemini" | "vertex_ai" => ("vertexai", "google"),
        "mistral_ai" | "mistral" => ("mistralai", "mistralai"),
        "x_ai" => ("xai", "xai"),
        "moonshot_ai" => ("openai", "moonshot"),
        "cerebras" | "fireworks" | "groq" | "ollama" | "perplexity" | "together" => ("openai", provider),
        provider => (provider, provider),
    }
}

/// Attributes in all dialects in force, each name once.
pub(crate) struct Attributes<'a, 'd> {
    dialects: &'d [Dialect],
    pub(crate) list: Vec<Attribute<'a>>,
}

impl<'a, 'd> Attributes<'a, 'd> {
    pub(crate) fn new(dialects: &'d [Dialect]) -> Self {
        // Those of one dialect, nearly always.
        Self { dialects, list: Vec::with_capacity(24 * dialects.len()) }
    }

    #[inline]
    pub(crate) fn put(&mut self, fact: Fact, value: Value<'a>) {
        let row = &NAMES[fact as usize];
        match self.dialects {
            [only] => self.push(row[*only as usize], value),
            several => self.put_each(several, row, value),
        }
    }

    fn put_each(&mut self, dialects: &[Dialect], row: &Row, value: Value<'a>) {
        for (at, dialect) in dialects.iter().enumerate() {
            let name = row[*dialect as usize];
            if dialects[..at].iter().all(|earlier| row[*earlier as usize] != name) {
                self.push(name, value);
            }
        }
    }

    #[inline]
    fn push(&mut self, key: &'static str, value: Value<'a>) {
        if !key.is_empty() {
            self.list.push(Attribute { key, value });
        }
    }

    pub(crate) fn text(&mut self, fact: Fact, text: Option<&'a str>) {
        if let Some(text) = text {
            self.put(fact, Value::Str(text));
        }
    }

    pub(crate) fn count(&mut self, fact: Fact, count: Option<u64>) {
        if let Some(count) = count {
            self.put(fact, Value::I64(i64::try_from(count).unwrap_or(i64::MAX)));
        }
    }

    pub(crate) fn number(&mut self, fact: Fact, number: Option<f64>) {
        if let Some(number) = number {
            self.put(fact, Value::F64(number));
        }
    }
}
