use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use spandrel::{Attribute, InstrumentationScope, OwnedAttribute, OwnedValue, SpanContext, ToValue, Value};

use crate::inputs::{Inputs, embedded};
use crate::message::{Allowed, Content, Message, cut};
use crate::names::{Attributes, Fact, openinference_names};
use crate::record::Record;
use crate::running::Running;
use crate::settings::{InForce, in_force};
use crate::sum::Sum;
use crate::{Dialect, Operation, scope};

const SCOPE: InstrumentationScope<'static> =
    InstrumentationScope { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };

/// An operation that has not started.
#[must_use = "an operation does nothing until it is started or run"]
pub struct Builder<'a> {
    operation: Operation,
    provider: &'a str,
    /// The model, or the name of an agent, a tool, a workflow.
    subject: Cow<'a, str>,
    in_force: &'static InForce,
    traced: bool,
    is_remote: bool,
    is_stream: Option<bool>,
    batch: bool,
    base_url: Option<&'a str>,
    server: Option<(&'a str, u16)>,
    facts: Vec<(Fact, Given<'a>)>,
    /// Names of OpenInference's `llm.invocation_parameters`.
    parameters: Map<String, Json>,
    /// `None` where content is not recorded.
    inputs: Option<Box<Inputs>>,
    links: Vec<(SpanContext, &'a str)>,
    attributes: Vec<OwnedAttribute>,
}

/// A value that is known before the start.
enum Given<'a> {
    Text(Cow<'a, str>),
    Count(u64),
    Number(f64),
    Texts(Vec<&'a str>),
}

impl<'a> Builder<'a> {
    pub(crate) fn new(operation: Operation, provider: &'a str, subject: impl Into<Cow<'a, str>>) -> Self {
        Self {
            operation,
            provider,
            subject: subject.into(),
            in_force: in_force(),
            traced: true,
            is_remote: operation.is_model_call() || operation == Operation::Retrieval,
            is_stream: None,
            batch: false,
            base_url: None,
            server: None,
            facts: Vec::with_capacity(if operation.is_model_call() { 8 } else { 0 }),
            parameters: Map::new(),
            inputs: None,
            links: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// The kind of operation.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// How random the answer may be.
    #[inline]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.parameter(Fact::Temperature, "temperature", Given::Number(temperature));
        self
    }

    /// The share of probability that tokens are chosen from.
    #[inline]
    pub fn top_p(mut self, top_p: f64) -> Self {
        self.parameter(Fact::TopP, "top_p", Given::Number(top_p));
        self
    }

    /// How many tokens are chosen from.
    #[inline]
    pub fn top_k(mut self, top_k: u64) -> Self {
        // OpenTelemetry 1.41 has a double here, what comes next an integer.
        let is_next = self.in_force.settings.dialect.contains(&Dialect::OtelGenaiNext);
        let given = if is_next { Given::Count(top_k) } else { Given::Number(top_k as f64) };
        self.parameter(Fact::TopK, "top_k", given);
        self
    }

    /// The most tokens that may come out.
    #[inline]
    pub fn max_tokens(mut self, tokens: u64) -> Self {
        self.parameter(Fact::MaxTokens, "max_tokens", Given::Count(tokens));
        self
    }

    /// How much repeated tokens are held against an answer.
    pub fn frequency_penalty(mut self, penalty: f64) -> Self {
        self.parameter(Fact::FrequencyPenalty, "frequency_penalty", Given::Number(penalty));
        self
    }

    /// How much tokens that were there at all are held against an answer.
    pub fn presence_penalty(mut self, penalty: f64) -> Self {
        self.parameter(Fact::PresencePenalty, "presence_penalty", Given::Number(penalty));
        self
    }

    /// For the same answer again.
    #[inline]
    pub fn seed(mut self, seed: u64) -> Self {
        self.parameter(Fact::Seed, "seed", Given::Count(seed));
        self
    }

    /// Texts at which the model stops.
    pub fn stop_sequences(mut self, sequences: &[&'a str]) -> Self {
        self.parameter(Fact::StopSequences, "stop", Given::Texts(sequences.to_vec()));
        self
    }

    /// How many answers are wanted.
    pub fn choice_count(mut self, count: u64) -> Self {
        self.parameter(Fact::ChoiceCount, "n", Given::Count(count));
        self
    }

    /// How much the model may think: `low`, `high`.
    pub fn reasoning_level(mut self, level: &'a str) -> Self {
        self.parameter(Fact::ReasoningLevel, "reasoning_effort", Given::Text(level.into()));
        self
    }

    /// Whether the answer comes in pieces.
    #[inline]
    pub fn stream(mut self, is_stream: bool) -> Self {
        self.is_stream = Some(is_stream);
        self
    }

    /// It is part of a batch, which has a price of its own.
    #[inline]
    pub fn batch(mut self, is_batch: bool) -> Self {
        self.batch = is_batch;
        self
    }

    /// Where the model is asked.
    #[inline]
    pub fn server(mut self, address: &'a str, port: u16) -> Self {
        self.server = Some((address, port));
        self
    }

    /// The URL of the provider's API, by which its prices are found where its name is not known.
    #[inline]
    pub fn base_url(mut self, url: &'a str) -> Self {
        self.base_url = Some(url);
        self
    }

    /// Whether it happens outside of this process, which decides the kind of the span; model calls do.
    #[inline]
    pub fn remote(mut self, is_remote: bool) -> Self {
        self.is_remote = is_remote;
        self
    }

    /// The id of an agent.
    pub fn id(mut self, id: impl Into<Cow<'a, str>>) -> Self {
        let fact = match self.operation {
            Operation::Tool => Fact::ToolCallId,
            Operation::Turn => Fact::TurnId,
            _ => Fact::AgentId,
        };
        self.facts.push((fact, Given::Text(id.into())));
        self
    }

    /// What an agent or a tool is for, or the task.
    pub fn description(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        let fact = if self.operation == Operation::Tool { Fact::ToolDescription } else { Fact::AgentDescription };
        self.facts.push((fact, Given::Text(text.into())));
        self
    }

    /// What an agent is.
    pub fn role(mut self, role: impl Into<Cow<'a, str>>) -> Self {
        self.facts.push((Fact::Role, Given::Text(role.into())));
        self
    }

    /// What a tool is called with, as JSON. Asked for only where content is recorded.
    pub fn arguments<S: AsRef<str>>(mut self, arguments: impl FnOnce() -> S) -> Self {
        if self.records_inputs() {
            let (arguments, max_bytes) = (arguments(), self.in_force.settings.max_content_bytes);
            let text = arguments.as_ref();
            if self.operation == Operation::Tool {
                self.inputs().value.get_or_insert_with(|| Content::new(text, max_bytes));
            }
            self.facts.push((Fact::ToolArguments, Given::Text(cut(text, max_bytes).into())));
        }
        self
    }

    /// What the operation is given, as a text or JSON: of embeddings the text or a list of them, of a retrieval or
    /// rerank the query. Asked for only where content is recorded.
    pub fn input<S: AsRef<str>>(mut self, input: impl FnOnce() -> S) -> Self {
        if self.records_inputs() {
            let (input, max_bytes) = (input(), self.in_force.settings.max_content_bytes);
            let text = input.as_ref();
            if self.operation == Operation::Embeddings {
                self.inputs().embedded = embedded(text);
            }
            self.inputs().value = Some(Content::new(text, max_bytes));
        }
        self
    }

    /// The messages that a model is given. Asked for only where content is recorded.
    ///
    /// For OpenInference, the last one is the input of the operation as well, unless [`input`](Self::input) tells that.
    pub fn input_messages(mut self, messages: impl FnOnce() -> Vec<Message>) -> Self {
        if self.traced && Allowed::in_inputs(&self.in_force.settings).is_some() {
            self.inputs().messages = messages();
        }
        self
    }

    /// What a model is told besides the messages; hidden as they are. Asked for only where content is recorded.
    ///
    /// OpenInference has it as the first message, with the role `system`.
    pub fn system_instructions<S: AsRef<str>>(mut self, instructions: impl FnOnce() -> S) -> Self {
        if self.traced && Allowed::in_inputs(&self.in_force.settings).is_some() {
            self.inputs().system = Some(instructions().as_ref().to_owned());
        }
        self
    }

    /// The tools that a model may call, as a list in JSON. Asked for only where content is recorded.
    ///
    /// Of a list that is longer than `max_content_bytes`, the last tools keep only their names, or are left out.
    pub fn tool_definitions<S: AsRef<str>>(mut self, definitions: impl FnOnce() -> S) -> Self {
        if self.records_inputs() {
            self.inputs().tools = Some(definitions().as_ref().to_owned());
        }
        self
    }

    /// A relation to another operation, such as `related_analysis`.
    pub fn link(mut self, to: &SpanContext, relation: &'a str) -> Self {
        self.links.push((to.clone(), relation));
        self
    }

    /// An attribute of the span, there from the start.
    pub fn attribute(mut self, key: &str, value: impl ToValue) -> Self {
        self.attributes.push(OwnedAttribute::new(key, value));
        self
    }

    /// Whether it gets a span; usage and cost are counted all the same.
    pub fn trace(mut self, is_traced: bool) -> Self {
        self.traced = is_traced;
        self
    }

    /// Starts it.
    pub fn start(self) -> Running {
        let model = if self.operation.is_model_call() { self.subject.as_ref() } else { "" };
        let mut record = Box::new(Record::new(self.operation, self.provider, model, self.base_url, self.batch));
        let sum = Sum::begin(self.operation.is_model_call().then_some(model));
        if !self.traced {
            return Running::new(record, spandrel::Span::none(), sum);
        }
        let span = self.start_span(&sum);
        record.set_recording(span.is_recording());
        Running::new(record, span, sum)
    }

    /// Runs `f` within it.
    pub fn run<R>(self, f: impl FnOnce(&mut Record) -> R) -> R {
        self.start().within(f)
    }

    /// As [`run`](Self::run); an `Err` makes the status of the span an error.
    ///
    /// # Errors
    ///
    /// Those of `f`.
    pub fn try_run<T, E: Display>(self, f: impl FnOnce(&mut Record) -> Result<T, E>) -> Result<T, E> {
        let mut running = self.start();
        let result = running.within(f);
        result.inspect_err(|error| running.set_error_of(error))
    }

    /// Runs a future within it.
    pub async fn run_async<R>(self, f: impl AsyncFnOnce(&mut Record) -> R) -> R {
        self.start().run_async(f).await
    }

    /// As [`run_async`](Self::run_async); an `Err` makes the status of the span an error.
    ///
    /// # Errors
    ///
    /// Those of `f`.
    pub async fn try_run_async<T, E: Display>(self, f: impl AsyncFnOnce(&mut Record) -> Result<T, E>) -> Result<T, E> {
        let mut running = self.start();
        let result = running.run_async(f).await;
        result.inspect_err(|error| running.set_error_of(error))
    }

    fn start_span(&self, sum: &Arc<Sum>) -> spandrel::Span {
        let settings = &self.in_force.settings;
        let inputs = self.inputs.as_deref();
        let content = inputs.map(|inputs| inputs.attributes(self.operation, settings)).unwrap_or_default();
        let is_openinference = settings.dialect.contains(&Dialect::OpenInference);
        let hides_parameters = settings.hide.llm_invocation_parameters || self.parameters.is_empty();
        let parameters = (is_openinference && !hides_parameters)
            .then(|| serde_json::to_string(&self.parameters).unwrap_or_default());
        let text = |value: &OwnedValue| if let OwnedValue::Str(text) = value { Some(text.clone()) } else { None };
        let session = spandrel::ambient_attribute(scope::SESSION_ID, text).flatten();
        let user = spandrel::ambient_attribute(scope::USER_ID, text).flatten();

        let mut all = Attributes::new(&settings.dialect);
        self.put_who(&mut all);
        if is_openinference {
            self.put_openinference(&mut all);
        }
        for (fact, given) in &self.facts {
            match given {
                Given::Text(text) => all.put(*fact, Value::Str(text)),
                Given::Count(count) => all.count(*fact, Some(*count)),
                Given::Number(number) => all.put(*fact, Value::F64(*number)),
                Given::Texts(texts) => all.put(*fact, Value::StrArray(texts.as_slice().into())),
            }
        }
        all.text(Fact::Session, session.as_deref());
        all.text(Fact::User, user.as_deref());
        if self.operation == Operation::Turn {
            all.text(Fact::TurnSession, session.as_deref());
            all.text(Fact::TurnUser, user.as_deref());
        }
        if let Some(parameters) = &parameters {
            all.list.push(Attribute { key: "llm.invocation_parameters", value: Value::Str(parameters) });
        }
        if let Some(input) = inputs.and_then(|inputs| inputs.value.as_ref()) {
            all.put(Fact::Input, Value::Str(&input.text));
            all.put(Fact::InputMime, Value::Str(input.mime));
        }
        all.list.extend(content.iter().map(OwnedAttribute::as_attribute));
        all.list.extend(self.attributes.iter().map(OwnedAttribute::as_attribute));

        let name = settings.dialect[0].span_name(self.operation, self.provider, &self.subject);
        let mut span = spandrel::span(&name)
            .kind(self.operation.span_kind(self.is_remote))
            .instrumentation_scope(SCOPE)
            .extension(Arc::clone(sum));
        for (link, relation) in &self.links {
            span = span.link(link, &[Attribute { key: "link.type", value: Value::Str(relation) }]);
        }
        span.start_with(&all.list)
    }

    /// Operation, provider, model, server, names: what samplers go by.
    fn put_who<'b>(&'b self, all: &mut Attributes<'b, '_>) {
        all.put(Fact::Operation, Value::Str(self.operation.name()));
        all.put(Fact::Kind, Value::Str(self.operation.openinference_kind()));
        all.put(Fact::CostKatanaType, Value::Str(self.operation.cost_katana_type()));
        all.text(Fact::Provider, Some(self.provider).filter(|provider| !provider.is_empty()));
        let subject = Some(self.subject.as_ref()).filter(|subject| !subject.is_empty());
        match self.operation {
            operation if operation.is_model_call() => {
                all.text(Fact::RequestModel, subject);
                all.text(Fact::RequestModelAgain, subject);
            }
            Operation::Agent => all.text(Fact::AgentName, subject),
            Operation::Tool => all.text(Fact::ToolName, subject),
            Operation::Retrieval => all.text(Fact::DataSource, subject),
            _ => all.text(Fact::WorkflowName, subject),
        }
        if let Some(is_stream) = self.is_stream {
            all.put(Fact::Stream, Value::Bool(is_stream));
        }
        if let Some((address, port)) = self.server {
            all.text(Fact::ServerAddress, Some(address));
            all.count(Fact::ServerPort, Some(port.into()));
        }
    }

    /// What OpenInference has names or values of its own for.
    fn put_openinference<'b>(&'b self, all: &mut Attributes<'b, '_>) {
        if !self.provider.is_empty() {
            let (system, provider) = openinference_names(self.provider);
            all.put(Fact::LlmProvider, Value::Str(provider));
            all.put(Fact::LlmSystem, Value::Str(system));
        }
        match self.operation {
            Operation::Embeddings => all.put(Fact::EmbeddingModel, Value::Str(&self.subject)),
            Operation::Rerank => all.put(Fact::RerankModel, Value::Str(&self.subject)),
            _ => {}
        }
    }

    fn parameter(&mut self, fact: Fact, name: &str, given: Given<'a>) {
        if self.in_force.settings.dialect.contains(&Dialect::OpenInference) {
            let json = match &given {
                Given::Text(text) => Json::from(text.as_ref()),
                Given::Count(count) => Json::from(*count),
                Given::Number(number) => Json::from(*number),
                Given::Texts(texts) => Json::from(texts.clone()),
            };
            self.parameters.insert(name.to_owned(), json);
        }
        self.facts.push((fact, given));
    }

    fn records_inputs(&self) -> bool {
        let settings = &self.in_force.settings;
        self.traced && settings.content && !settings.hide.inputs
    }

    fn inputs(&mut self) -> &mut Inputs {
        self.inputs.get_or_insert_default()
    }
}
