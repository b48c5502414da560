use std::fmt::Display;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value as Json;
use spandrel::{Attribute, OwnedAttribute, Span, Status, ToValue, Value};
use spandrel_prices::{Answer, Call, Cost, NanoUsd, Usage};

use crate::message::{Allowed, Content, Message, cut};
use crate::names::{Attributes, Fact};
use crate::outputs::Outputs;
use crate::settings::{InForce, in_force};
use crate::stream::COMPLETED;
use crate::sum::{Counted, Sum};
use crate::{Dialect, Document, Operation, answer_error, budget, metrics};

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
    /// `None` as long as there is nothing to record.
    outputs: Option<Box<Outputs>>,
    tool_result: Option<String>,
    stream: Stream,
    error: Option<(String, String)>,
    /// The error that the answer is; what is told above counts more.
    answer_error: Option<(String, String)>,
    attributes: Vec<OwnedAttribute>,
    events: Vec<(String, SystemTime, Vec<OwnedAttribute>)>,
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
    #[inline]
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
            outputs: None,
            tool_result: None,
            stream: Stream::default(),
            error: None,
            answer_error: None,
            attributes: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(crate) const fn is_recording(&self) -> bool {
        self.is_recording
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

    /// Reads usage, model, id, finish reasons and service tier from the answer of a provider; where content is
    /// recorded also its messages, unless [`set_output_messages`](Self::set_output_messages) tells them.
    ///
    /// An answer that is an error (`{"error": {"type", "message"}}`) makes the operation one that failed, with the kind and the
    /// text of the provider, unless [`set_error`](Self::set_error) or an `Err` tells of one, or another answer comes.
    pub fn set_answer(&mut self, body: &Json) {
        self.answer = Answer::of(&self.provider, body);
        self.answer_error = answer_error::read(body).map(|(kind, text)| (kind, text.to_owned()));
        if self.records_output_messages() {
            self.outputs().read(body);
        }
    }

    /// Reads the same from a piece of a streamed answer; the messages as OpenAI, Anthropic, Google and those who speak their
    /// languages send them.
    pub fn add_chunk(&mut self, chunk: &Json) {
        self.answer.add_chunk(&self.provider, chunk);
        if let Some((kind, text)) = answer_error::read(chunk) {
            self.answer_error = Some((kind, text.to_owned()));
        }
        if self.records_output_messages() {
            self.outputs().read_chunk(chunk);
        }
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
        self.price().map(|price| price.total())
    }

    /// What the model answered. Asked for only where content is recorded.
    ///
    /// For OpenInference, the first of them is the output of the operation as well, unless
    /// [`set_output`](Self::set_output) tells that.
    pub fn set_output_messages(&mut self, messages: impl FnOnce() -> Vec<Message>) {
        if self.records_output_messages() {
            self.outputs().tell(messages());
        }
    }

    /// As [`set_output_messages`](Self::set_output_messages), asked for when the operation ends: for an answer that comes in
    /// pieces, which need not be put together again for each of them.
    pub fn set_output_messages_at_end(&mut self, messages: impl FnOnce() -> Vec<Message> + Send + Sync + 'static) {
        if self.records_output_messages() {
            self.outputs().tell_at_end(messages);
        }
    }

    /// The documents that were found, or the order that they were put in. Asked for only where the operation is recorded.
    ///
    /// Ids and scores are always written, as they are no content; texts and metadata only where content is.
    ///
    /// ```
    /// use spandrel_genai::{self as ai, Document};
    ///
    /// ai::retrieval("handbook").input(|| "What is a spandrel?").run(|retrieval| {
    ///     // ... look it up ...
    ///     retrieval.set_documents(|| vec![Document::new("doc-7").score(0.9).text("The triangle beside an arch.")]);
    /// });
    /// ```
    pub fn set_documents(&mut self, documents: impl FnOnce() -> Vec<Document>) {
        if self.is_recording {
            self.outputs().documents = documents();
        }
    }

    /// What came of the operation, as a text or JSON. Asked for only where content is recorded.
    pub fn set_output<S: AsRef<str>>(&mut self, output: impl FnOnce() -> S) {
        if self.records_outputs() {
            let content = Content::new(output().as_ref(), self.in_force.settings.max_content_bytes);
            self.outputs().value = Some(content);
        }
    }

    /// What the tool answered, which is the output of the operation as well unless that is told. Asked for
    /// only where content is recorded.
    pub fn set_tool_result<S: AsRef<str>>(&mut self, result: impl FnOnce() -> S) {
        if self.records_outputs() {
            let (result, max_bytes) = (result(), self.in_force.settings.max_content_bytes);
            self.outputs().value.get_or_insert_with(|| Content::new(result.as_ref(), max_bytes));
            self.tool_result = Some(cut(result.as_ref(), max_bytes));
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
        if self.error.is_none() && self.answer_error.is_none() {
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

    pub(crate) fn set_panicked(&mut self) {
        self.error.get_or_insert_with(|| ("panic".to_owned(), "panicked".to_owned()));
    }

    fn records_outputs(&self) -> bool {
        let settings = &self.in_force.settings;
        self.is_recording && settings.content && !settings.hide.outputs
    }

    fn records_output_messages(&self) -> bool {
        self.is_recording && Allowed::in_outputs(&self.in_force.settings).is_some()
    }

    fn outputs(&mut self) -> &mut Outputs {
        self.outputs.get_or_insert_default()
    }

    fn price(&self) -> Option<Price> {
        if self.from_cache {
            return Some(Price::Told(NanoUsd::default(), "served from cache"));
        }
        if let Some(total) = self.cost {
            return Some(Price::Told(total, "given by the program"));
        }
        let usage = self.answer.usage.as_ref().filter(|_| self.operation.is_model_call())?;
        let priced = self.price_of(usage).map(Price::OfTable);
        priced.or_else(|| Some(Price::Told(self.answer.reported_cost?, "reported by the provider")))
    }

    fn price_of(&self, usage: &Usage) -> Option<Cost> {
        let prices = self.in_force.prices();
        let of = |model: &str| {
            let mut call = Call::new(&self.provider, model, usage);
            call.service_tier = self.answer.service_tier.as_deref();
            call.speed = self.answer.speed.as_deref();
            call.batch = self.batch;
            call.base_url = self.base_url.as_deref();
            prices.cost(&call)
        };
        let answered = self.answer.model.as_deref().filter(|model| *model != self.model);
        answered.and_then(of).or_else(|| of(&self.model))
    }

    /// Counts what was used, and writes what is known to the span.
    pub(crate) fn end(&mut self, span: &mut Span, sum: &Sum) {
        let took = self.began.elapsed();
        if self.error.is_none() && self.answer_error.is_some() {
            self.error = self.answer_error.take();
        }
        let price = self.price();
        let mut counted = Counted::Nothing;
        if self.operation.is_model_call() {
            let answered = self.answer.model.as_deref();
            counted = sum.counted(&self.model, answered);
            if counted == Counted::Nothing || (counted == Counted::Call && self.has_told()) {
                let call = self.as_call(price.as_ref(), took, counted);
                metrics::count(&call);
                let crossed = budget::spend(&self.in_force.settings.budget, call.cost.unwrap_or_default());
                crossed.iter().for_each(|c| c.with_event(|name, attributes| span.add_event(name, attributes)));
                sum.add(&call);
            }
            if sum.is_within_call() {
                let told = if self.has_told() { Counted::Usage } else { counted.max(Counted::Call) };
                sum.tell_models(&self.model, answered, told);
            }
        }
        sum.end();
        if let Some(outputs) = &mut self.outputs {
            outputs.finish();
        }
        if span.is_recording() {
            self.write(span, price.as_ref(), sum, counted, took);
        }
    }

    /// Whether it is known what it used, or what that cost.
    fn has_told(&self) -> bool {
        self.answer.usage.is_some() || self.cost.is_some() || self.from_cache
    }

    /// What is to be counted of a model call.
    #[inline(always)]
    fn as_call(&self, price: Option<&Price>, took: Duration, counted: Counted) -> metrics::Call<'_> {
        let has_told = self.has_told();
        let error = self.error.as_ref().map(|(kind, _)| kind.as_str());
        let is_without_usage = !has_told && error.is_none();
        metrics::Call {
            operation: self.operation.name(),
            provider: &self.provider,
            model: &self.model,
            error,
            usage: self.answer.usage.as_ref(),
            cost: price.map(Price::total),
            took,
            first_chunk: self.stream.first,
            is_counted: counted != Counted::Nothing,
            is_unpriced: price.is_none()
                && (has_told || (is_without_usage && self.price_of(&Usage::new(0, 0)).is_none())),
            is_without_usage,
        }
    }

    fn write(&self, span: &mut Span, price: Option<&Price>, sum: &Sum, counted: Counted, took: Duration) {
        let settings = &self.in_force.settings;
        let outputs = self.outputs.as_deref();
        let content = outputs.map(|outputs| outputs.attributes(self.operation, settings)).unwrap_or_default();

        let mut all = Attributes::new(&settings.dialect);
        self.put_answer(&mut all);
        // Backends add up what spans say, so what the calls within have said is not said again.
        if counted != Counted::Usage {
            self.put_usage(&mut all);
            if let Some(price) = price {
                price.put(&mut all);
            }
        }
        if self.from_cache {
            all.put(Fact::ServedFromCache, Value::Bool(true));
        }
        if !self.operation.is_model_call() || counted != Counted::Nothing {
            sum.totals().put(&mut all);
        }
        self.put_times(&mut all, took);
        all.list.extend(content.iter().map(OwnedAttribute::as_attribute));
        if let Some(output) = outputs.and_then(|outputs| outputs.value.as_ref()) {
            all.put(Fact::Output, Value::Str(&output.text));
            all.put(Fact::OutputMime, Value::Str(output.mime));
        }
        all.text(Fact::ToolResult, self.tool_result.as_deref());
        all.text(Fact::ErrorType, self.error.as_ref().map(|(kind, _)| kind.as_str()));
        all.list.extend(self.attributes.iter().map(OwnedAttribute::as_attribute));
        span.set_attributes(&all.list);

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

    fn put_answer<'a>(&'a self, all: &mut Attributes<'a, '_>) {
        let answer = &self.answer;
        all.text(Fact::ResponseModel, answer.model.as_deref());
        if answer.model.as_ref().is_some_and(|model| *model != self.model) {
            all.text(Fact::RequestModelAgain, answer.model.as_deref());
        }
        all.text(Fact::ResponseId, answer.id.as_deref());
        if let [first, ..] = answer.finish_reasons.as_slice() {
            all.put(Fact::FinishReasons, Value::StrArray(answer.finish_reasons.as_slice().into()));
            all.put(Fact::FinishReason, Value::Str(first));
        }
    }

    fn put_usage(&self, all: &mut Attributes<'_, '_>) {
        let Some(usage) = &self.answer.usage else { return };
        all.count(Fact::InputTokens, usage.input_tokens);
        all.count(Fact::OutputTokens, usage.output_tokens);
        all.count(Fact::TotalTokens, usage.total_tokens());
        all.count(Fact::CacheRead, usage.cache_read_tokens);
        all.count(Fact::CacheWrite, usage.cache_write_tokens);
        all.count(Fact::CacheWriteNext, usage.cache_write_tokens);
        all.count(Fact::Reasoning, usage.reasoning_tokens);
        all.count(Fact::InputAudio, usage.input_audio_tokens);
        all.count(Fact::OutputAudio, usage.output_audio_tokens);
        let stream = &self.stream;
        let is_broken = stream.outcome.map_or(stream.chunks > 0 && self.error.is_some(), |how| how != COMPLETED);
        // A model that said why it stopped has said all that it used, whether or not somebody went on reading.
        if is_broken && self.answer.finish_reasons.is_empty() {
            all.put(Fact::UsagePartial, Value::Bool(true));
        }
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
enum Price {
    /// Told by somebody, and by whom.
    Told(NanoUsd, &'static str),
    OfTable(Cost),
}

impl Price {
    const fn total(&self) -> NanoUsd {
        match self {
            Self::Told(total, _) => *total,
            Self::OfTable(cost) => cost.total,
        }
    }

    fn put<'a>(&'a self, all: &mut Attributes<'a, '_>) {
        let usd = |cost: NanoUsd| Value::F64(cost.as_usd());
        all.put(Fact::CostTotal, usd(self.total()));
        all.put(Fact::CostTotalAgain, usd(self.total()));
        match self {
            Self::Told(_, by) => all.put(Fact::CostRule, Value::Str(by)),
            Self::OfTable(cost) => {
                all.put(Fact::CostInput, usd(cost.input));
                all.put(Fact::CostOutput, usd(cost.output));
                all.put(Fact::CostRule, Value::Str(&cost.rule));
                all.put(Fact::CostSource, Value::Str(cost.price_table()));
            }
        }
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
