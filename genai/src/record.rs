use std::borrow::Cow;
use std::fmt::{self, Display};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value as Json;
use spandrel::{Attribute, OwnedAttribute, Span, Status, ToValue, Value};
use spandrel_prices::{Answer, Call, NanoUsd, Usage};

use crate::message::{Allowed, Message, cut, flatten, to_json};
use crate::names::{Attributes, Fact};
use crate::settings::{InForce, in_force};
use crate::sum::Totals;
use crate::{Dialect, Operation, budget, metrics};

/// What becomes known of an operation while it runs; written to its span when it ends.
///
/// Where nothing is recorded, content is not even asked for; usage and cost are counted all the same.
#[derive(Debug)]
pub struct Record {
    operation: Operation,
    provider: String,
    model: String,
    base_url: Option<String>,
    in_force: &'static InForce,
    is_recording: bool,
    began: Instant,
    answer: Answer,
    batch: bool,
    cost: Option<NanoUsd>,
    from_cache: bool,
    outputs: Vec<Message>,
    outputs_at_end: Option<AtEnd>,
    output: Option<Content>,
    tool_result: Option<String>,
    stream: Stream,
    error: Option<(String, String)>,
    attributes: Vec<OwnedAttribute>,
    events: Vec<(String, SystemTime, Vec<OwnedAttribute>)>,
}

/// A text and what it is.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) text: String,
    pub(crate) mime: &'static str,
}

impl Content {
    pub(crate) fn new(text: &str, max_bytes: usize) -> Self {
        let looks_like_json = text.starts_with(['{', '[']) && text.ends_with(['}', ']']);
        let mime = if looks_like_json { "application/json" } else { "text/plain" };
        Self { text: cut(text, max_bytes), mime }
    }
}

/// Asks for the messages of an answer, once.
struct AtEnd(Box<dyn FnOnce() -> Vec<Message> + Send + Sync>);

impl fmt::Debug for AtEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AtEnd")
    }
}

/// What is known of an answer that came in pieces.
#[derive(Debug, Default)]
struct Stream {
    first: Option<Duration>,
    last: Option<Duration>,
    chunks: u64,
    outcome: Option<&'static str>,
}

impl Record {
    pub(crate) fn new(operation: Operation, provider: &str, model: &str, base_url: Option<&str>, batch: bool) -> Self {
        Self {
            operation,
            provider: provider.to_owned(),
            model: model.to_owned(),
            base_url: base_url.map(str::to_owned),
            in_force: in_force(),
            is_recording: false,
            began: Instant::now(),
            answer: Answer::default(),
            batch,
            cost: None,
            from_cache: false,
            outputs: Vec::new(),
            outputs_at_end: None,
            output: None,
            tool_result: None,
            stream: Stream::default(),
            error: None,
            attributes: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(crate) fn set_recording(&mut self, is_recording: bool) {
        self.is_recording = is_recording;
    }

    /// The kind of operation.
    #[must_use]
    pub const fn operation(&self) -> Operation {
        self.operation
    }

    /// What the call used: inclusive counts, as [`Usage`] explains.
    pub fn set_usage(&mut self, usage: Usage) {
        self.answer.usage = Some(usage);
    }

    /// What is known of the usage so far.
    #[must_use]
    pub const fn usage(&self) -> Option<&Usage> {
        self.answer.usage.as_ref()
    }

    /// Reads usage, model, id, finish reasons and service tier from the answer of a provider.
    pub fn set_answer(&mut self, body: &Json) {
        self.answer = Answer::of(&self.provider, body);
    }

    /// Reads the same from a piece of a streamed answer.
    pub fn add_chunk(&mut self, chunk: &Json) {
        self.answer.add_chunk(&self.provider, chunk);
        self.count_chunk();
    }

    /// Notes that a piece of the answer came now.
    pub fn count_chunk(&mut self) {
        let now = self.began.elapsed();
        self.stream.first.get_or_insert(now);
        self.stream.last = Some(now);
        self.stream.chunks += 1;
    }

    /// The model that answered, if it says so.
    pub fn set_response_model(&mut self, model: impl Into<String>) {
        self.answer.model = Some(model.into());
    }

    /// The id of the answer.
    pub fn set_response_id(&mut self, id: impl Into<String>) {
        self.answer.id = Some(id.into());
    }

    /// Why the model stopped, for each choice.
    pub fn set_finish_reasons<S: Into<String>>(&mut self, reasons: impl IntoIterator<Item = S>) {
        self.answer.finish_reasons = reasons.into_iter().map(Into::into).collect();
    }

    /// `batch`, `flex`, `priority`: what the provider says it was served as, which has a price of its own.
    pub fn set_service_tier(&mut self, tier: impl Into<String>) {
        self.answer.service_tier = Some(tier.into());
    }

    /// What the call cost, in place of what the table of prices says.
    pub fn set_cost(&mut self, cost: NanoUsd) {
        self.cost = Some(cost);
    }

    /// The answer came from a cache of this program: it cost nothing.
    pub fn set_served_from_cache(&mut self) {
        self.from_cache = true;
    }

    /// What the call costs as far as is known now; `None` if no price is known.
    #[must_use]
    pub fn cost(&self) -> Option<NanoUsd> {
        self.price().map(|price| price.total)
    }

    /// What the model answered. Asked for only where content is recorded.
    pub fn set_output_messages(&mut self, messages: impl FnOnce() -> Vec<Message>) {
        if self.is_recording && Allowed::in_outputs(&self.in_force.settings).is_some() {
            self.outputs = messages();
        }
    }

    /// As [`set_output_messages`](Self::set_output_messages), asked for when the operation ends: for an answer that comes in
    /// pieces, which need not be put together again for each of them.
    pub fn set_output_messages_at_end(&mut self, messages: impl FnOnce() -> Vec<Message> + Send + Sync + 'static) {
        self.outputs_at_end = Some(AtEnd(Box::new(messages)));
    }

    /// What came of the operation, as a text or JSON. Asked for only where content is recorded.
    pub fn set_output<S: AsRef<str>>(&mut self, output: impl FnOnce() -> S) {
        let settings = &self.in_force.settings;
        if self.is_recording && settings.content && !settings.hide.outputs {
            self.output = Some(Content::new(output().as_ref(), settings.max_content_bytes));
        }
    }

    /// What the tool answered, which is the output of the operation as well unless that is told. Asked for
    /// only where content is recorded.
    pub fn set_tool_result<S: AsRef<str>>(&mut self, result: impl FnOnce() -> S) {
        let settings = &self.in_force.settings;
        if self.is_recording && settings.content && !settings.hide.outputs {
            let result = result();
            self.output.get_or_insert_with(|| Content::new(result.as_ref(), settings.max_content_bytes));
            self.tool_result = Some(cut(result.as_ref(), settings.max_content_bytes));
        }
    }

    /// A message of the conversation, as an event. Its text is recorded only where content is.
    pub fn record_message(&mut self, role: &str, content: &str) {
        if self.is_recording {
            let attributes = message_event(&self.in_force.settings, role, content);
            self.events.push((MESSAGE.to_owned(), SystemTime::now(), attributes));
        }
    }

    /// An attribute of the span.
    pub fn set_attribute(&mut self, key: &str, value: impl ToValue) {
        if self.is_recording {
            self.attributes.push(OwnedAttribute::new(key, value));
        }
    }

    /// An event of the span.
    pub fn add_event(&mut self, name: &str, attributes: &[Attribute<'_>]) {
        if self.is_recording {
            let attributes = attributes.iter().map(Attribute::to_owned).collect();
            self.events.push((name.to_owned(), SystemTime::now(), attributes));
        }
    }

    /// The operation failed: what kind of error it was, such as a status of HTTP, and its text.
    pub fn set_error(&mut self, kind: impl Into<String>, text: impl Display) {
        self.error = Some((kind.into(), text.to_string()));
    }

    pub(crate) fn set_error_of<E: Display>(&mut self, error: &E) {
        if self.error.is_none() {
            let kind = std::any::type_name::<E>();
            let is_nameless = matches!(kind, "str" | "&str" | "alloc::string::String") || kind.contains("dyn ");
            self.set_error(if is_nameless { "_OTHER" } else { kind }, error);
        }
    }

    /// Calls `f` with a piece of the answer that came now; it counts once, whatever `f` does.
    pub(crate) fn within_chunk(&mut self, f: impl FnOnce(&mut Self)) {
        let (now, chunks, first) = (self.began.elapsed(), self.stream.chunks, self.stream.first);
        f(self);
        self.stream.first = first.or(Some(now));
        self.stream.last = Some(now);
        self.stream.chunks = chunks + 1;
    }

    pub(crate) fn set_stream_outcome(&mut self, outcome: &'static str) {
        self.stream.outcome = Some(outcome);
    }

    fn price(&self) -> Option<Price> {
        if self.from_cache {
            return Some(Price::given(NanoUsd::default(), "served from cache"));
        }
        if let Some(total) = self.cost {
            return Some(Price::given(total, "given by the program"));
        }
        let usage = self.answer.usage.as_ref().filter(|_| self.operation.is_model_call())?;
        let prices = self.in_force.prices();
        let of = |model: &str| {
            let mut call = Call::new(&self.provider, model, usage);
            call.service_tier = self.answer.service_tier.as_deref();
            call.speed = self.answer.speed.as_deref();
            call.batch = self.batch;
            call.base_url = self.base_url.as_deref();
            let cost = prices.cost(&call)?;
            let table = Some(cost.price_table());
            Some(Price { total: cost.total, parts: Some((cost.input, cost.output)), rule: cost.rule.into(), table })
        };
        let answered = self.answer.model.as_deref().filter(|model| *model != self.model);
        let priced = answered.and_then(of).or_else(|| of(&self.model));
        priced.or_else(|| Some(Price::given(self.answer.reported_cost?, "reported by the provider")))
    }

    /// Counts what was used, and writes what is known to the span.
    pub(crate) fn end(&mut self, span: &mut Span, sum: impl FnOnce(Option<Totals>) -> Totals) {
        let took = self.began.elapsed();
        let price = self.price();
        let cost = price.as_ref().map(|price| price.total);
        let is_told = self.answer.usage.is_some() || self.cost.is_some() || self.from_cache;
        let usage = self.answer.usage.unwrap_or_default();
        let totals = sum((self.operation.is_model_call() && is_told).then(|| Totals::of_call(&usage, cost)));
        if self.operation.is_model_call() {
            metrics::count(&metrics::Call {
                operation: self.operation.name(),
                provider: &self.provider,
                model: &self.model,
                error: self.error.as_ref().map(|(kind, _)| kind.as_str()),
                usage: self.answer.usage.as_ref(),
                cost,
                took,
                first_chunk: self.stream.first,
            });
            let crossed = budget::spend(&self.in_force.settings.budget, cost.unwrap_or_default(), SystemTime::now());
            crossed.iter().for_each(|crossed| crossed.with_event(|name, attributes| span.add_event(name, attributes)));
        }
        if let Some(AtEnd(messages)) = self.outputs_at_end.take() {
            self.set_output_messages(messages);
        }
        if span.is_recording() {
            self.write(span, price.as_ref(), totals, took);
        }
    }

    fn write(&self, span: &mut Span, price: Option<&Price>, totals: Totals, took: Duration) {
        let settings = &self.in_force.settings;
        let reasons: Vec<&str> = self.answer.finish_reasons.iter().map(String::as_str).collect();
        let outputs = Allowed::in_outputs(settings).filter(|_| !self.outputs.is_empty());
        let is_otel = settings.dialect.iter().any(|dialect| dialect.is_otel());
        let json = outputs.filter(|_| is_otel).map(|allowed| to_json(&self.outputs, allowed));

        let mut all = Attributes::new(&settings.dialect);
        self.put_answer(&mut all, &reasons);
        if let Some(price) = price {
            price.put(&mut all);
        }
        if self.from_cache {
            all.put(Fact::ServedFromCache, Value::Bool(true));
        }
        if !self.operation.is_model_call() {
            totals.put(&mut all);
        }
        self.put_times(&mut all, took);
        if let Some(json) = &json {
            all.list.push(Attribute { key: "gen_ai.output.messages", value: Value::Str(json) });
        }
        if let Some(output) = &self.output {
            all.put(Fact::Output, Value::Str(&output.text));
            all.put(Fact::OutputMime, Value::Str(output.mime));
        }
        all.text(Fact::ToolResult, self.tool_result.as_deref());
        all.text(Fact::ErrorType, self.error.as_ref().map(|(kind, _)| kind.as_str()));
        all.list.extend(self.attributes.iter().map(OwnedAttribute::as_attribute));
        span.set_attributes(&all.list);

        if let Some(allowed) = outputs.filter(|_| settings.dialect.contains(&Dialect::OpenInference)) {
            let flat = flatten("llm.output_messages", &self.outputs, allowed);
            span.set_attributes(&flat.iter().map(OwnedAttribute::as_attribute).collect::<Vec<_>>());
        }
        for (name, time, attributes) in &self.events {
            let attributes: Vec<Attribute<'_>> = attributes.iter().map(OwnedAttribute::as_attribute).collect();
            span.add_event_at(name, *time, &attributes);
        }
        if self.operation == Operation::Turn && settings.dialect.contains(&Dialect::LegacyAiStorefront) {
            span.add_event_at("chat.turn.start", SystemTime::now() - took, &[]);
            if self.error.is_none() {
                span.add_event("chat.turn.complete", &[]);
            }
        }
        if let Some((_, text)) = &self.error {
            span.set_status(Status::Error(text));
        }
    }

    fn put_answer<'a>(&'a self, all: &mut Attributes<'a, '_>, reasons: &'a [&'a str]) {
        let answer = &self.answer;
        all.text(Fact::ResponseModel, answer.model.as_deref());
        if answer.model.as_ref().is_some_and(|model| *model != self.model) {
            all.text(Fact::RequestModelAgain, answer.model.as_deref());
        }
        all.text(Fact::ResponseId, answer.id.as_deref());
        if let Some(first) = reasons.first() {
            all.put(Fact::FinishReasons, Value::StrArray(reasons.into()));
            all.put(Fact::FinishReason, Value::Str(first));
        }
        let Some(usage) = &answer.usage else { return };
        all.count(Fact::InputTokens, usage.input_tokens);
        all.count(Fact::OutputTokens, usage.output_tokens);
        all.count(Fact::TotalTokens, usage.total_tokens());
        all.count(Fact::CacheRead, usage.cache_read_tokens);
        all.count(Fact::CacheWrite, usage.cache_write_tokens);
        all.count(Fact::CacheWriteNext, usage.cache_write_tokens);
        all.count(Fact::Reasoning, usage.reasoning_tokens);
        all.count(Fact::InputAudio, usage.input_audio_tokens);
        all.count(Fact::OutputAudio, usage.output_audio_tokens);
    }

    fn put_times(&self, all: &mut Attributes<'_, '_>, took: Duration) {
        let stream = &self.stream;
        all.number(Fact::FirstChunk, stream.first.map(|first| first.as_secs_f64()));
        if let (Some(first), Some(last), 2..) = (stream.first, stream.last, stream.chunks) {
            let each = (last - first).as_secs_f64() / (stream.chunks - 1) as f64;
            all.number(Fact::PerChunk, Some(each));
        }
        all.text(Fact::StreamOutcome, stream.outcome);
        all.number(Fact::DurationSeconds, Some(took.as_secs_f64()));
        // Whole microseconds: more digits would be noise.
        let millis = took.as_micros() as f64 / 1e3;
        all.number(Fact::DurationMillis, Some(millis));
        if self.operation == Operation::Tool {
            all.number(Fact::ToolMillis, Some(millis));
        }
    }
}

/// What a call cost, and why.
struct Price {
    total: NanoUsd,
    /// For the input and for the output.
    parts: Option<(NanoUsd, NanoUsd)>,
    rule: Cow<'static, str>,
    table: Option<String>,
}

impl Price {
    /// One that is in no table.
    const fn given(total: NanoUsd, rule: &'static str) -> Self {
        Self { total, parts: None, rule: Cow::Borrowed(rule), table: None }
    }

    fn put<'a>(&'a self, all: &mut Attributes<'a, '_>) {
        let usd = |cost: NanoUsd| Value::F64(cost.as_usd());
        all.put(Fact::CostTotal, usd(self.total));
        all.put(Fact::CostTotalAgain, usd(self.total));
        if let Some((input, output)) = self.parts {
            all.put(Fact::CostInput, usd(input));
            all.put(Fact::CostOutput, usd(output));
        }
        all.put(Fact::CostRule, Value::Str(&self.rule));
        all.text(Fact::CostSource, self.table.as_deref());
    }
}

const MESSAGE: &str = "gen_ai.message";

fn message_event(settings: &crate::Settings, role: &str, content: &str) -> Vec<OwnedAttribute> {
    let mut attributes = vec![OwnedAttribute::new("gen_ai.message.role", role)];
    let hidden = if role == "assistant" { settings.hide.outputs } else { settings.hide.inputs };
    if settings.content && !hidden {
        attributes
            .push(OwnedAttribute::new("gen_ai.message.content", cut(content, settings.max_content_bytes).as_str()));
    } else {
        attributes.push(OwnedAttribute::new("gen_ai.message.bytes", content.len() as i64));
    }
    attributes
}

/// A message of the conversation, as an event of the current span. Its text is recorded
/// only where content is: `[ai] content = true`.
pub fn record_message(role: &str, content: &str) {
    if spandrel::is_recording() {
        let attributes = message_event(&in_force().settings, role, content);
        spandrel::add_event(MESSAGE, &attributes.iter().map(OwnedAttribute::as_attribute).collect::<Vec<_>>());
    }
}
