//! What all model calls used, cost and took, sampled or not.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::time::Duration;

use spandrel_prices::{NanoUsd, Usage};

use crate::settings::lock;

/// A model call that ended.
pub(crate) struct Call<'a> {
    pub(crate) operation: &'static str,
    pub(crate) provider: &'a str,
    pub(crate) model: &'a str,
    pub(crate) error: Option<&'a str>,
    pub(crate) usage: Option<&'a Usage>,
    pub(crate) cost: Option<NanoUsd>,
    pub(crate) took: Duration,
    pub(crate) first_chunk: Option<Duration>,
    /// A call within was counted as this one, but told no usage.
    pub(crate) is_counted: bool,
    /// There was something to pay for, and no price is known.
    pub(crate) is_unpriced: bool,
    /// It succeeded, and told neither usage nor cost.
    pub(crate) is_without_usage: bool,
}

static SERIES: Mutex<Vec<(Labels, Series)>> = Mutex::new(Vec::new());

/// Never a session or a user: there are too many.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Labels {
    operation: &'static str,
    provider: String,
    model: String,
}

/// Beyond this many models the rest count as one, so that names made up by callers cannot fill the memory.
const MOST: usize = 500;
const OTHER: &str = "_OTHER";
/// Among so many one is found at once.
const NEAR: usize = 8;

#[derive(Debug, Default)]
struct Series {
    calls: u64,
    errors: BTreeMap<String, u64>,
    unpriced: u64,
    without_usage: u64,
    cost: NanoUsd,
    input: Histogram<TOKEN_BOUNDS>,
    output: Histogram<TOKEN_BOUNDS>,
    cache_read: u64,
    cache_write: u64,
    reasoning: u64,
    took: Histogram<SECOND_BOUNDS>,
    first_chunk: Histogram<SECOND_BOUNDS>,
}

/// Source: OpenTelemetry semantic conventions 1.41, gen-ai metrics.
const SECOND_BOUNDS: usize = 14;
const TOKEN_BOUNDS: usize = 14;

/// Durations from 0.01 s, each twice the one before; tokens from 1, each four times.
fn bounds<const N: usize>(is_seconds: bool) -> &'static [f64; N] {
    if is_seconds { const { &rising(0.01, 2.0) } } else { const { &rising(1.0, 4.0) } }
}

const fn rising<const N: usize>(first: f64, factor: f64) -> [f64; N] {
    let mut bounds = [first; N];
    let mut at = 1;
    while at < N {
        bounds[at] = bounds[at - 1] * factor;
        at += 1;
    }
    bounds
}

#[derive(Debug)]
struct Histogram<const N: usize> {
    buckets: [u64; N],
    count: u64,
    sum: f64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { buckets: [0; N], count: 0, sum: 0.0 }
    }
}

impl<const N: usize> Histogram<N> {
    fn add(&mut self, value: f64, is_seconds: bool) {
        if let Some(at) = bounds::<N>(is_seconds).iter().position(|bound| value <= *bound) {
            self.buckets[at] += 1;
        }
        self.count += 1;
        self.sum += value;
    }
}

pub(crate) fn count(call: &Call<'_>) {
    let mut all = lock(&SERIES);
    let known = |(labels, _): &(Labels, Series)| {
        labels.operation == call.operation && labels.model == call.model && labels.provider == call.provider
    };
    // Programs call few models; of many, those that are called often come to the front.
    let at = match all.iter().position(known) {
        Some(at) => at,
        None if all.len() >= MOST => all.iter().position(|(labels, _)| labels.model == OTHER).unwrap_or(MOST - 1),
        None => {
            let [provider, model] = if all.len() == MOST - 1 { [OTHER; 2] } else { [call.provider, call.model] };
            let labels = Labels { operation: call.operation, provider: provider.to_owned(), model: model.to_owned() };
            all.push((labels, Series::default()));
            all.len() - 1
        }
    };
    let front = if at < NEAR { at } else { at / 2 };
    all.swap(at, front);
    let series = &mut all[front].1;
    if !call.is_counted {
        series.calls += 1;
        if let Some(error) = call.error {
            let known = series.errors.len() < 50 || series.errors.contains_key(error);
            *series.errors.entry(if known { error } else { OTHER }.to_owned()).or_default() += 1;
        }
        series.took.add(call.took.as_secs_f64(), true);
        if let Some(first) = call.first_chunk {
            series.first_chunk.add(first.as_secs_f64(), true);
        }
    }
    series.cost += call.cost.unwrap_or_default();
    series.unpriced += u64::from(call.is_unpriced);
    series.without_usage += u64::from(call.is_without_usage);
    let Some(usage) = call.usage else { return };
    for (histogram, tokens) in [(&mut series.input, usage.input_tokens), (&mut series.output, usage.output_tokens)] {
        if let Some(tokens) = tokens {
            histogram.add(tokens as f64, false);
        }
    }
    series.cache_read += usage.cache_read_tokens.unwrap_or(0);
    series.cache_write += usage.cache_write_tokens.unwrap_or(0);
    series.reasoning += usage.reasoning_tokens.unwrap_or(0);
}

/// What all model calls used, cost and took, in the text format of Prometheus: for the route
/// `/metrics` of a service, behind [`spandrel::prometheus`].
///
/// Counted when a call ends, sampled or not; what only wraps another call for the same model is not
/// counted ([the rule](crate#tokens-and-money)). No metric has a session or a user.
///
/// | metric | labels besides operation, provider and model |
/// |---|---|
/// | `ai_llm_requests_total` | `status`: `ok` or `error` |
/// | `ai_llm_errors_total` | `error_type` |
/// | `ai_llm_tokens_total` | `type`: `input`, `output` |
/// | `ai_llm_token_details_total`: what of them were | `type`: `cache_read`, `cache_write`, `reasoning` |
/// | `ai_llm_duration_seconds`, a histogram | |
/// | `ai_llm_cost_dollars` | |
/// | `ai_llm_unpriced_requests_total`: there was something to pay for, and no price is known | |
/// | `ai_llm_requests_without_usage_total`: they did not fail, and told no usage | |
/// | `gen_ai_client_operation_duration_seconds`, a histogram | |
/// | `gen_ai_client_operation_time_to_first_chunk_seconds`, a histogram | |
/// | `gen_ai_client_token_usage`, a histogram | `gen_ai_token_type` |
///
/// Source: OpenTelemetry semantic conventions 1.41, gen-ai metrics; the labels of those metrics
/// have the names there. Prometheus text exposition format, version 0.0.4.
#[must_use]
pub fn prometheus() -> String {
    let series = lock(&SERIES);
    // The order on the page does not depend on who was called last.
    let mut all: Vec<&(Labels, Series)> = series.iter().collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let mut page = String::new();
    let short = |labels: &Labels| {
        let Labels { operation, provider, model } = labels;
        format!("operation=\"{operation}\",provider=\"{}\",model=\"{}\"", escape(provider), escape(model))
    };
    let long = |labels: &Labels| {
        let Labels { operation, provider, model } = labels;
        format!(
            "gen_ai_operation_name=\"{operation}\",gen_ai_provider_name=\"{}\",gen_ai_request_model=\"{}\"",
            escape(provider),
            escape(model)
        )
    };
    head(&mut page, "ai_llm_requests_total", "counter", "Model calls that ended.");
    for (labels, series) in &all {
        let failed: u64 = series.errors.values().sum();
        for (status, count) in [("ok", series.calls - failed), ("error", failed)] {
            line(&mut page, "ai_llm_requests_total", &format!("{},status=\"{status}\"", short(labels)), count);
        }
    }
    head(&mut page, "ai_llm_errors_total", "counter", "Model calls that failed.");
    for (labels, series) in &all {
        for (kind, count) in &series.errors {
            line(
                &mut page,
                "ai_llm_errors_total",
                &format!("{},error_type=\"{}\"", short(labels), escape(kind)),
                count,
            );
        }
    }
    head(&mut page, "ai_llm_tokens_total", "counter", "Tokens; input has those of caches, output those of reasoning.");
    for (labels, series) in &all {
        for (kind, tokens) in [("input", &series.input), ("output", &series.output)] {
            line(&mut page, "ai_llm_tokens_total", &format!("{},type=\"{kind}\"", short(labels)), tokens.sum as u64);
        }
    }
    // By itself, so that a sum over the types above counts no token twice.
    head(
        &mut page,
        "ai_llm_token_details_total",
        "counter",
        "Tokens of caches, which are input, and of reasoning, output.",
    );
    for (labels, series) in &all {
        let Series { cache_read, cache_write, reasoning, .. } = series;
        for (kind, count) in [("cache_read", cache_read), ("cache_write", cache_write), ("reasoning", reasoning)] {
            line(&mut page, "ai_llm_token_details_total", &format!("{},type=\"{kind}\"", short(labels)), count);
        }
    }
    head(&mut page, "ai_llm_cost_dollars", "counter", "What model calls cost, in US dollars.");
    all.iter().for_each(|(labels, series)| line(&mut page, "ai_llm_cost_dollars", &short(labels), series.cost));
    head(&mut page, "ai_llm_unpriced_requests_total", "counter", "Model calls whose price is not known.");
    for (labels, series) in &all {
        line(&mut page, "ai_llm_unpriced_requests_total", &short(labels), series.unpriced);
    }
    let name = "ai_llm_requests_without_usage_total";
    head(&mut page, name, "counter", "Model calls that did not fail and told no usage; no tokens or cost count them.");
    all.iter().for_each(|(labels, series)| line(&mut page, name, &short(labels), series.without_usage));
    head(&mut page, "ai_llm_duration_seconds", "histogram", "How long model calls took.");
    for (labels, series) in &all {
        histogram(&mut page, "ai_llm_duration_seconds", &short(labels), &series.took, true);
    }
    let name = "gen_ai_client_operation_duration_seconds";
    head(&mut page, name, "histogram", "How long operations took.");
    all.iter().for_each(|(labels, series)| histogram(&mut page, name, &long(labels), &series.took, true));
    let name = "gen_ai_client_operation_time_to_first_chunk_seconds";
    head(&mut page, name, "histogram", "How long the first piece of an answer took.");
    let streamed = all.iter().filter(|(_, series)| series.first_chunk.count > 0);
    streamed.for_each(|(labels, series)| histogram(&mut page, name, &long(labels), &series.first_chunk, true));
    let name = "gen_ai_client_token_usage";
    head(&mut page, name, "histogram", "Tokens of a call.");
    for (labels, series) in &all {
        for (kind, tokens) in [("input", &series.input), ("output", &series.output)] {
            let labels = format!("{},gen_ai_token_type=\"{kind}\"", long(labels));
            histogram(&mut page, name, &labels, tokens, false);
        }
    }
    page
}

fn head(page: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(page: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = writeln!(page, "{name}{{{labels}}} {value}");
}

fn histogram<const N: usize>(page: &mut String, name: &str, labels: &str, of: &Histogram<N>, is_seconds: bool) {
    let mut so_far = 0;
    for (bound, count) in bounds::<N>(is_seconds).iter().zip(of.buckets) {
        so_far += count;
        let _ = writeln!(page, "{name}_bucket{{{labels},le=\"{bound}\"}} {so_far}");
    }
    let Histogram { count, sum, .. } = of;
    let _ = writeln!(page, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
    let _ = writeln!(page, "{name}_sum{{{labels}}} {sum}\n{name}_count{{{labels}}} {count}");
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
