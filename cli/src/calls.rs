//! Calls of language models: what a span says of one, in the names of OpenTelemetry and of OpenInference.

use std::collections::BTreeMap;
use std::fmt::Write;

use spandrel_plugin_api::{AnyValue, SpanView};
use spandrel_prices::NanoUsd;

use crate::show::is_error;
use crate::text::put_shown;

/// What a span says of a model. A fact that is there in both dialects counts once.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Facts<'a> {
    operation: Option<&'a str>,
    kind: Option<&'a str>,
    provider: Option<&'a str>,
    model: Option<&'a str>,
    answered_by: Option<&'a str>,
    used: Used,
    cached: Option<u64>,
    /// Of all calls below, and how many those are.
    sum: Used,
    calls: Option<u64>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Used {
    input: Option<u64>,
    output: Option<u64>,
    /// In US dollars.
    cost: Option<f64>,
}

/// What became of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Noted {
    /// It is no fact of a model.
    Nothing,
    /// It says what the span is.
    Kind,
    /// [`Facts::put`] tells it.
    Told,
}

impl<'a> Facts<'a> {
    /// Notes an attribute.
    ///
    /// Sources: OpenTelemetry semantic conventions 1.41 (gen-ai) and names that they had before; OpenInference spec of
    /// 2026-08-21; `spandrel-genai` for costs and sums.
    pub(crate) fn note(&mut self, key: &str, value: AnyValue<'a>) -> Noted {
        const STARTS: [&str; 6] = ["gen_ai.", "llm.", "spandrel.", "openinference.", "embedding.", "reranker."];
        // Most keys begin like none of these, which is soon seen.
        if !STARTS.iter().any(|start| key.starts_with(start)) {
            return Noted::Nothing;
        }
        let Self { used, sum, .. } = self;
        match key {
            "gen_ai.operation.name" => return kind(&mut self.operation, value),
            "openinference.span.kind" => return kind(&mut self.kind, value),
            "gen_ai.provider.name" | "gen_ai.system" | "llm.provider" | "llm.system" => {
                return kind(&mut self.provider, value);
            }
            "gen_ai.response.model" | "llm.response.model_name" => return kind(&mut self.answered_by, value),
            "gen_ai.usage.cache_read.input_tokens" | "llm.token_count.prompt_details.cache_read" => {
                first(&mut self.cached, count(value));
                return Noted::Kind;
            }
            "gen_ai.request.model"
            | "llm.request.model_name"
            | "llm.model_name"
            | "embedding.model_name"
            | "reranker.model_name" => first(&mut self.model, text(value)),
            "gen_ai.usage.input_tokens" | "gen_ai.usage.prompt_tokens" | "llm.token_count.prompt" => {
                first(&mut used.input, count(value));
            }
            "gen_ai.usage.output_tokens" | "gen_ai.usage.completion_tokens" | "llm.token_count.completion" => {
                first(&mut used.output, count(value));
            }
            "spandrel.cost.total" | "gen_ai.usage.cost" | "llm.cost.total" => first(&mut used.cost, usd(value)),
            "spandrel.sum.input_tokens" => first(&mut sum.input, count(value)),
            "spandrel.sum.output_tokens" => first(&mut sum.output, count(value)),
            "spandrel.sum.cost" => first(&mut sum.cost, usd(value)),
            "spandrel.sum.model_calls" => first(&mut self.calls, count(value)),
            _ => return Noted::Nothing,
        }
        Noted::Told
    }

    /// Appends tokens, cost and model: those of the call, or else the sums.
    pub(crate) fn put(&self, name: &str, out: &mut String) {
        let mut put = |text: std::fmt::Arguments<'_>| {
            // Writing into memory does not fail.
            let _ = out.write_fmt(text);
        };
        let is_own = self.used != Used::default();
        let Used { input, output, cost } = if is_own { self.used } else { self.sum };
        if let (Some(calls), false) = (self.calls, is_own) {
            put(format_args!("  {calls} model call{}", if calls == 1 { "" } else { "s" }));
        }
        match (input, output) {
            (None, None) => {}
            (Some(input), None) => put(format_args!("  {input} tokens")),
            (None, Some(output)) => put(format_args!("  ?→{output} tokens")),
            (Some(input), Some(output)) => put(format_args!("  {input}→{output} tokens")),
        }
        if let Some(cost) = cost {
            put(format_args!("  {} USD", nano(cost)));
        }
        if let Some(model) = self.model.filter(|model| !name.contains(model)) {
            out.push_str("  ");
            put_shown(out, model);
        }
    }

    /// Whether these are the facts of one call, and not of an agent that adds up others.
    pub(crate) fn is_call(&self) -> bool {
        match (self.operation, self.kind) {
            (Some(operation), _) => {
                ["chat", "text_completion", "generate_content", "embeddings", "rerank"].contains(&operation)
            }
            (None, Some(kind)) => ["LLM", "EMBEDDING", "RERANKER"].contains(&kind),
            // Neither says what it is, and a tool has no tokens.
            (None, None) => self.used.input.is_some() || self.used.output.is_some(),
        }
    }
}

/// What is known first stays: both dialects say the same.
fn first<T>(known: &mut Option<T>, new: Option<T>) {
    *known = known.take().or(new);
}

fn kind<'a>(known: &mut Option<&'a str>, value: AnyValue<'a>) -> Noted {
    first(known, text(value));
    Noted::Kind
}

fn text(value: AnyValue<'_>) -> Option<&str> {
    match value {
        AnyValue::Str(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn count(value: AnyValue<'_>) -> Option<u64> {
    match value {
        AnyValue::I64(count) => u64::try_from(count).ok(),
        // A float to an integer stops at its limits.
        AnyValue::F64(count) if count >= 0.0 => Some(count as u64),
        _ => None,
    }
}

fn usd(value: AnyValue<'_>) -> Option<f64> {
    match value {
        AnyValue::F64(usd) if usd.is_finite() && usd >= 0.0 => Some(usd),
        AnyValue::I64(usd) if usd >= 0 => Some(usd as f64),
        _ => None,
    }
}

/// In billionths, which add up exactly.
fn nano(usd: f64) -> NanoUsd {
    // A float to an integer stops at its limits.
    NanoUsd::new((usd * 1e9).round() as i64)
}

/// What all calls of one model come to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Calls {
    pub(crate) calls: u64,
    pub(crate) errors: u64,
    /// How many of them have no cost.
    pub(crate) unpriced: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
    /// Of the input, what was read from the cache of the provider.
    pub(crate) cached: u64,
    pub(crate) cost: NanoUsd,
}

impl Calls {
    fn of(facts: &Facts<'_>, is_error: bool) -> Self {
        Self {
            calls: 1,
            errors: u64::from(is_error),
            unpriced: u64::from(facts.used.cost.is_none()),
            input: facts.used.input.unwrap_or(0),
            output: facts.used.output.unwrap_or(0),
            cached: facts.cached.unwrap_or(0),
            cost: facts.used.cost.map(nano).unwrap_or_default(),
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.unpriced += other.unpriced;
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cached = self.cached.saturating_add(other.cached);
        self.cost += other.cost;
    }
}

/// The calls of each provider and model, as they are called there; empty where a span does not say.
pub(crate) type ByModel = BTreeMap<(String, String), Calls>;

/// Counts a span, if it is a call.
pub(crate) fn count_call(span: &SpanView<'_>, all: &mut ByModel) {
    let mut facts = Facts::default();
    let mut is_any = false;
    for (key, value) in span.attributes() {
        is_any |= facts.note(key, value) != Noted::Nothing;
    }
    if is_any && facts.is_call() {
        let name = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let model = (name(facts.provider), name(facts.model.or(facts.answered_by)));
        all.entry(model).or_default().add(&Calls::of(&facts, is_error(span)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts<'a>(all: &[(&str, AnyValue<'a>)]) -> Facts<'a> {
        let mut facts = Facts::default();
        for (key, value) in all {
            facts.note(key, *value);
        }
        facts
    }

    #[test]
    fn a_call_in_both_dialects_is_one() {
        let facts = facts(&[
            ("gen_ai.operation.name", AnyValue::Str("chat")),
            ("openinference.span.kind", AnyValue::Str("LLM")),
            ("gen_ai.usage.input_tokens", AnyValue::I64(100)),
            ("llm.token_count.prompt", AnyValue::I64(100)),
            ("llm.cost.total", AnyValue::F64(0.25)),
            ("spandrel.cost.total", AnyValue::F64(0.25)),
            ("gen_ai.usage.cost", AnyValue::F64(0.25)),
        ]);
        assert!(facts.is_call());
        assert_eq!(facts.used, Used { input: Some(100), output: None, cost: Some(0.25) });
        assert_eq!(Calls::of(&facts, true).cost, NanoUsd::new(250_000_000));
    }

    #[test]
    fn sums_of_agents_are_no_calls() {
        let tokens = ("gen_ai.usage.input_tokens", AnyValue::I64(9));
        for (all, is_call) in [
            (vec![tokens], true),
            (vec![("gen_ai.operation.name", AnyValue::Str("invoke_agent")), tokens], false),
            (vec![("gen_ai.operation.name", AnyValue::Str("chat_turn"))], false),
            (vec![("gen_ai.operation.name", AnyValue::Str("embeddings"))], true),
            (vec![("openinference.span.kind", AnyValue::Str("AGENT")), tokens], false),
            (vec![("openinference.span.kind", AnyValue::Str("EMBEDDING"))], true),
            (vec![("gen_ai.request.model", AnyValue::Str("m"))], false),
            (vec![("spandrel.sum.input_tokens", AnyValue::I64(9))], false),
        ] {
            assert_eq!(facts(&all).is_call(), is_call, "{all:?}");
        }
    }

    #[test]
    fn nonsense_counts_nothing() {
        let facts = facts(&[
            ("gen_ai.usage.input_tokens", AnyValue::I64(-1)),
            ("gen_ai.usage.output_tokens", AnyValue::Str("many")),
            ("spandrel.cost.total", AnyValue::F64(f64::NAN)),
            ("llm.cost.total", AnyValue::F64(-1.0)),
            ("llm.token_count.completion", AnyValue::F64(7.0)),
        ]);
        assert_eq!(facts.used, Used { input: None, output: Some(7), cost: None });
    }

    #[test]
    fn a_line_has_tokens_cost_and_the_model_unless_it_is_in_the_name() {
        let line = |name: &str, all: &[(&str, AnyValue<'_>)]| {
            let mut out = String::new();
            facts(all).put(name, &mut out);
            out
        };
        let call = [
            ("llm.token_count.prompt", AnyValue::I64(1200)),
            ("llm.token_count.completion", AnyValue::I64(30)),
            ("llm.cost.total", AnyValue::F64(0.000_12)),
            ("llm.model_name", AnyValue::Str("gpt-4o")),
        ];
        assert_eq!(line("ChatOpenAI", &call), "  1200→30 tokens  0.00012 USD  gpt-4o");
        assert_eq!(line("chat gpt-4o", &call), "  1200→30 tokens  0.00012 USD");
        assert_eq!(line("embed", &call[..1]), "  1200 tokens");
        assert_eq!(
            line("x", &[("spandrel.sum.cost", AnyValue::F64(2.5)), ("spandrel.sum.model_calls", AnyValue::I64(3))]),
            "  3 model calls  2.5 USD"
        );
        assert_eq!(line("x", &[("url.path", AnyValue::Str("/"))]), "");
    }
}
