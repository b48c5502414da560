use std::fmt::{self, Display};
use std::pin::Pin;

use serde::Serialize;
use serde_json::Value as Json;

use super::parameters;
use crate::{Builder, Operation, operation};

/// Any other client of a model: a function that asks it, with its provider and model.
///
/// What stands in the request and in the answer is read from their JSON, as of the clients here: parameters, messages, usage,
/// finish reasons. So both may be types of another crate, if they are [`Serialize`] and look like what the provider
/// is sent and sends.
///
/// ```
/// use serde_json::{Value, json};
/// use spandrel_genai::clients::TracedModel;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let model = TracedModel::new("groq", "llama-3.3-70b-versatile", async |request: Value| {
///     // ... ask the model ...
///     Ok::<_, String>(json!({ "choices": [], "usage": { "prompt_tokens": 5, "completion_tokens": 20 } }))
/// });
/// let answer = model.call(json!({ "temperature": 0.2, "messages": [] })).await.unwrap();
/// # assert_eq!(answer["usage"]["prompt_tokens"], 5);
/// # }
/// ```
///
/// The type of a function has no name. [`boxed`](Self::boxed) gives a [`BoxedModel`], which can be kept in a struct.
#[derive(Clone)]
#[must_use = "a model does nothing until it is called"]
pub struct TracedModel<F> {
    operation: Operation,
    provider: String,
    model: String,
    ask: F,
}

/// A [`TracedModel`] whose type can be written down, by its request, answer and error.
///
/// ```
/// use serde_json::{Value, json};
/// use spandrel_genai::clients::{BoxedModel, TracedModel};
///
/// struct Assistant {
///     model: BoxedModel<Value, Value, String>,
/// }
///
/// impl Assistant {
///     fn new(prefix: String) -> Self {
///         // The future may be sent elsewhere, and so must own what it needs.
///         let ask = move |request: Value| {
///             let prefix = prefix.clone();
///             async move { Ok(json!({ "text": format!("{prefix} {}", request["prompt"]) })) }
///         };
///         Self { model: TracedModel::new("local", "parrot", ask).boxed() }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let assistant = Assistant::new("You said".to_owned());
/// let answer = assistant.model.call(json!({ "prompt": 7 })).await.unwrap();
/// assert_eq!(answer["text"], "You said 7");
/// # }
/// ```
pub type BoxedModel<Q, A, E> = TracedModel<BoxedAsk<Q, A, E>>;

type BoxedAsk<Q, A, E> = Box<dyn Fn(Q) -> Pin<Box<dyn Future<Output = Result<A, E>> + Send>> + Send + Sync>;

impl<F> TracedModel<F> {
    /// `ask` takes a request and gives a future of the answer, or an error.
    ///
    /// `model` is for requests that do not name one themselves.
    pub fn new(provider: impl Into<String>, model: impl Into<String>, ask: F) -> Self {
        Self { operation: Operation::Chat, provider: provider.into(), model: model.into(), ask }
    }

    /// What it does, if it is not to answer messages.
    pub fn operation(mut self, operation: Operation) -> Self {
        self.operation = operation;
        self
    }

    /// The same with a type that can be written down.
    pub fn boxed<Q, A, E, Fut>(self) -> BoxedModel<Q, A, E>
    where
        F: Fn(Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<A, E>> + Send + 'static,
    {
        let Self { operation, provider, model, ask } = self;
        TracedModel { operation, provider, model, ask: Box::new(move |request| Box::pin(ask(request))) }
    }

    /// Asks it, as an operation.
    ///
    /// # Errors
    ///
    /// Those of the function; they make the status of the span an error.
    pub async fn call<Q, A, E, Fut>(&self, request: Q) -> Result<A, E>
    where
        Q: Serialize,
        A: Serialize,
        E: Display,
        F: Fn(Q) -> Fut,
        Fut: Future<Output = Result<A, E>>,
    {
        self.call_with(request, |call| call).await
    }

    /// As [`call`](Self::call), with what this call is to be besides: `|call| call.trace(false)`.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub async fn call_with<Q, A, E, Fut>(
        &self,
        request: Q,
        with: impl FnOnce(Builder<'_>) -> Builder<'_>,
    ) -> Result<A, E>
    where
        Q: Serialize,
        A: Serialize,
        E: Display,
        F: Fn(Q) -> Fut,
        Fut: Future<Output = Result<A, E>>,
    {
        // One that is no JSON says nothing about itself.
        let json = serde_json::to_value(&request).unwrap_or_default();
        let model = json["model"].as_str().unwrap_or(&self.model);
        let mut running = with(parameters::described(operation(self.operation, &self.provider, model), &json)).start();
        // Within, also what the function does before its future.
        let result = running.parts().1.poll(async { (self.ask)(request).await }).await;
        match &result {
            Ok(answer) => {
                let answer: Json = serde_json::to_value(answer).unwrap_or_default();
                running.set_answer(&answer);
            }
            Err(error) => running.set_error_of(error),
        }
        result
    }
}

impl<F> fmt::Debug for TracedModel<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, provider, model, .. } = self;
        write!(f, "TracedModel({} {provider} {model})", operation.name())
    }
}
