//! The traces as trees, with tokens and money.

use std::fmt::Write;

use serde_json::Value as Json;
use spandrel_genai::NanoUsd;

#[derive(Debug)]
pub(crate) struct Span(Json);

/// Reads lines of OTLP/JSON.
pub(crate) fn read(lines: &str) -> Result<Vec<Span>, serde_json::Error> {
    let mut spans = Vec::new();
    for line in lines.lines() {
        let batch: Json = serde_json::from_str(line)?;
        let scopes = elements(&batch["resourceSpans"]).iter().flat_map(|resource| elements(&resource["scopeSpans"]));
        spans.extend(scopes.flat_map(|scope| elements(&scope["spans"])).cloned().map(Span));
    }
    spans.sort_by_key(|span| span.text("startTimeUnixNano").parse::<u64>().unwrap_or(0));
    Ok(spans)
}

fn elements(array: &Json) -> &[Json] {
    array.as_array().map_or(&[], Vec::as_slice)
}

impl Span {
    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    fn attribute(&self, key: &str) -> &Json {
        let found = elements(&self.0["attributes"]).iter().find(|attribute| attribute["key"] == key);
        found.map_or(&Json::Null, |attribute| &attribute["value"])
    }

    /// OTLP/JSON has integers as text.
    fn count(&self, key: &str) -> Option<u64> {
        self.attribute(key)["intValue"].as_str()?.parse().ok()
    }

    fn usd(&self, key: &str) -> Option<NanoUsd> {
        Some(NanoUsd::new((self.attribute(key)["doubleValue"].as_f64()? * 1e9).round() as i64))
    }

    /// What a model call used and cost by itself.
    fn own(&self) -> Option<Figures> {
        let input = self.count("gen_ai.usage.input_tokens")?;
        Some(Figures {
            calls: 1,
            input,
            cached: self.count("gen_ai.usage.cache_read.input_tokens").unwrap_or(0),
            output: self.count("gen_ai.usage.output_tokens").unwrap_or(0),
            usd: self.usd("spandrel.cost.total").unwrap_or_default(),
        })
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Figures {
    calls: u64,
    input: u64,
    cached: u64,
    output: u64,
    usd: NanoUsd,
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.input += other.input;
        self.cached += other.cached;
        self.output += other.output;
        self.usd += other.usd;
    }
}

/// How wide names with their indentation are.
const WIDTH: usize = 52;

/// All traces. A model call shows what it used; what is around it, what the spans say of all within.
pub(crate) fn render(spans: &[Span]) -> String {
    let is_here = |id| spans.iter().any(|span| span.text("spanId") == id);
    let mut out = format!("{:WIDTH$}{:>7}{:>8}{:>8}  {:>12}\n", "", "in", "cached", "out", "USD");
    for root in spans.iter().filter(|span| !is_here(span.text("parentSpanId"))) {
        let _ = writeln!(out, "trace {}", root.text("traceId"));
        render_below(&mut out, spans, root, 1);
    }
    let mut total = Figures::default();
    spans.iter().filter_map(Span::own).for_each(|own| total.add(own));
    let name = format!("total of {} model calls", total.calls);
    let _ = writeln!(out, "{name:WIDTH$}{:>7}{:>8}{:>8}  {:>12}", total.input, total.cached, total.output, total.usd);
    out
}

fn render_below(out: &mut String, spans: &[Span], span: &Span, depth: usize) {
    let failed = if span.0["status"]["code"] == 2 { " (failed)" } else { "" };
    let name = format!("{:indent$}{}{failed}", "", span.text("name"), indent = 2 * depth);
    if let Some(own) = span.own() {
        let _ = writeln!(out, "{name:WIDTH$}{:>7}{:>8}{:>8}  {:>12}", own.input, own.cached, own.output, own.usd);
    } else if let (Some(usd), Some(input)) = (span.usd("spandrel.sum.cost"), span.count("spandrel.sum.input_tokens")) {
        let output = span.count("spandrel.sum.output_tokens").unwrap_or(0);
        let _ = writeln!(out, "{name:WIDTH$}{:>7}{:>8}{:>8}  {:>12}", input, "", output, usd);
    } else {
        let _ = writeln!(out, "{name}");
    }
    for child in spans.iter().filter(|child| child.text("parentSpanId") == span.text("spanId")) {
        render_below(out, spans, child, depth + 1);
    }
}
