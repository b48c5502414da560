//! Spans of several trace files as one tree.

use std::fmt::Write;

use serde_json::Value;

/// A span, with the service that recorded it.
pub(crate) struct Line {
    service: String,
    span: Value,
}

impl Line {
    fn text(&self, key: &str) -> &str {
        self.span[key].as_str().unwrap_or_default()
    }
}

/// Reads lines of OTLP/JSON.
pub(crate) fn read(lines: &str) -> Result<Vec<Line>, serde_json::Error> {
    let mut spans = Vec::new();
    for line in lines.lines() {
        let batch: Value = serde_json::from_str(line)?;
        for resource in elements(&batch["resourceSpans"]) {
            let attributes = elements(&resource["resource"]["attributes"]);
            let service = attributes.iter().find(|attribute| attribute["key"] == "service.name");
            let service = service.and_then(|name| name["value"]["stringValue"].as_str()).unwrap_or("?");
            let all = elements(&resource["scopeSpans"]).iter().flat_map(|scope| elements(&scope["spans"]));
            spans.extend(all.map(|span| Line { service: service.to_owned(), span: span.clone() }));
        }
    }
    Ok(spans)
}

fn elements(array: &Value) -> &[Value] {
    array.as_array().map_or(&[], Vec::as_slice)
}

/// The spans below those whose parents are not here.
pub(crate) fn render(spans: &[Line]) -> String {
    let is_here = |id| spans.iter().any(|span| span.text("spanId") == id);
    let mut out = String::new();
    for root in spans.iter().filter(|span| !is_here(span.text("parentSpanId"))) {
        let _ = writeln!(out, "trace {}", root.text("traceId"));
        render_below(&mut out, spans, root, 1);
    }
    out
}

fn render_below(out: &mut String, spans: &[Line], span: &Line, depth: usize) {
    let _ = writeln!(out, "{:indent$}{}  ({})", "", span.text("name"), span.service, indent = 2 * depth);
    for child in spans.iter().filter(|child| child.text("parentSpanId") == span.text("spanId")) {
        render_below(out, spans, child, depth + 1);
    }
}
