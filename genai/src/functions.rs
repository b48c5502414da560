use crate::{Builder, Operation};

/// A model answers messages: the call of a provider, `openai` and `gpt-4o-mini` for example.
///
/// ```
/// use spandrel_genai as ai;
///
/// let answer = ai::llm_call("openai", "gpt-4o-mini").temperature(0.2).run(|call| {
///     // ... ask the model ...
///     call.set_usage(ai::Usage::new(1000, 500));
///     assert_eq!(call.cost().unwrap().to_string(), "0.00045");
///     "A spandrel is the triangle beside an arch."
/// });
/// ```
///
/// `provider` is a value of `gen_ai.provider.name`: `openai`, `anthropic`, `gcp.gemini`, `aws.bedrock`,
/// `mistral_ai`, `cohere`, `deepseek`, `groq`, ... (OpenTelemetry semantic conventions 1.41).
pub fn llm_call<'a>(provider: &'a str, model: &'a str) -> Builder<'a> {
    Builder::new(Operation::Chat, provider, model)
}

/// A model turns texts into vectors.
pub fn embeddings<'a>(provider: &'a str, model: &'a str) -> Builder<'a> {
    Builder::new(Operation::Embeddings, provider, model)
}

/// A model orders documents.
pub fn rerank<'a>(provider: &'a str, model: &'a str) -> Builder<'a> {
    Builder::new(Operation::Rerank, provider, model)
}

/// Documents are looked up in a source.
pub fn retrieval(source: &str) -> Builder<'_> {
    Builder::new(Operation::Retrieval, "", source)
}

/// A tool runs.
///
/// ```
/// use spandrel_genai as ai;
///
/// let found = ai::tool("search").id("call-1").arguments(|| r#"{"q":"arches"}"#).try_run(|tool| {
///     let found = vec!["spandrel"];
///     tool.set_tool_result(|| found.join(", "));
///     Ok::<_, String>(found)
/// });
/// ```
pub fn tool(name: &str) -> Builder<'_> {
    Builder::new(Operation::Tool, "", name)
}

/// An agent works on a task.
pub fn agent(name: &str) -> Builder<'_> {
    Builder::new(Operation::Agent, "", name)
}

/// A round of an agent, counted from 1.
pub fn step(number: u32) -> Builder<'static> {
    Builder::new(Operation::Step, "", format!("step {number}"))
}

/// A question of a user with all that answers it.
pub fn chat_turn(name: &str) -> Builder<'_> {
    Builder::new(Operation::Turn, "", name)
}

/// Agents and steps in an order that code has fixed.
pub fn workflow(name: &str) -> Builder<'_> {
    Builder::new(Operation::Workflow, "", name)
}

/// Something checks what goes in or comes out.
pub fn guardrail(name: &str) -> Builder<'_> {
    Builder::new(Operation::Guardrail, "", name)
}

/// An operation of any kind; `subject` is the model, or the name of what it is.
pub fn operation<'a>(operation: Operation, provider: &'a str, subject: &'a str) -> Builder<'a> {
    Builder::new(operation, provider, subject)
}
