//! Finished spans as trees of text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::Value;
use spandrel::{OwnedValue, SpanData, SpanKind, StatusData};

/// What a tree shows of a span.
pub(crate) struct SpanLine {
    trace_id: String,
    span_id: String,
    parent_id: Option<String>,
    name: String,
    kind: SpanKind,
    service: String,
    start: u64,
    end: u64,
    /// `Some` if it failed; the text may be empty.
    error: Option<String>,
}

/// The traces by their start, each as a tree.
pub(crate) fn render(spans: &[SpanLine]) -> String {
    let mut traces: BTreeMap<&str, Vec<&SpanLine>> = BTreeMap::new();
    for span in spans {
        traces.entry(&span.trace_id).or_default().push(span);
    }
    let mut traces: Vec<_> = traces.into_values().collect();
    for trace in &mut traces {
        trace.sort_by_key(|span| span.start);
    }
    traces.sort_by_key(|trace| trace[0].start);
    let mut out = String::new();
    for trace in traces {
        let _ = writeln!(out, "trace {}", trace[0].trace_id);
        let is_here = |id: &String| trace.iter().any(|span| span.span_id == *id);
        let roots: Vec<_> =
            trace.iter().filter(|span| !span.parent_id.as_ref().is_some_and(is_here)).copied().collect();
        render_level(&mut out, &trace, &roots, "");
        out.push('\n');
    }
    out
}

fn render_level(out: &mut String, trace: &[&SpanLine], level: &[&SpanLine], indent: &str) {
    for (i, span) in level.iter().enumerate() {
        let (branch, below) = if i + 1 == level.len() { ("└─", "   ") } else { ("├─", "│  ") };
        let _ = writeln!(out, "{indent}{branch} {}", span.text());
        let children: Vec<_> =
            trace.iter().filter(|child| child.parent_id.as_ref() == Some(&span.span_id)).copied().collect();
        render_level(out, trace, &children, &format!("{indent}{below}"));
    }
}

impl SpanLine {
    fn text(&self) -> String {
        let kind = if self.kind == SpanKind::Internal { "" } else { self.kind.as_str() };
        let service = if self.service.is_empty() { String::new() } else { format!("({})", self.service) };
        let duration = Duration::from_nanos(self.end.saturating_sub(self.start));
        let error = self.error.as_ref().map(|text| format!("✗ {text}")).unwrap_or_default();
        let parts = [&self.name, kind, &service, &format!("{duration:.1?}"), error.trim_end()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
    }
}

/// Reads the lines of the provider `file`; what is not OTLP/JSON is passed over.
pub(crate) fn read_otlp(lines: &str) -> Vec<SpanLine> {
    let batches = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut spans = Vec::new();
    for batch in batches {
        let resources = elements(&batch["resourceSpans"]);
        let scopes = resources.iter().flat_map(|resource| elements(&resource["scopeSpans"]));
        spans.extend(scopes.flat_map(|scope| elements(&scope["spans"])).map(read_span));
    }
    spans
}

fn read_span(span: &Value) -> SpanLine {
    const ERROR: u64 = 2;

    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // OTLP/JSON has 64-bit integers as texts.
    let time = |value: &Value| value.as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
    let service = elements(&span["attributes"]).iter().find(|attribute| attribute["key"] == "app.service");
    SpanLine {
        trace_id: text(&span["traceId"]),
        span_id: text(&span["spanId"]),
        parent_id: Some(text(&span["parentSpanId"])).filter(|id| !id.is_empty()),
        name: text(&span["name"]),
        kind: SpanKind::from_otlp(span["kind"].as_u64().unwrap_or(0)),
        service: service.map(|attribute| text(&attribute["value"]["stringValue"])).unwrap_or_default(),
        start: time(&span["startTimeUnixNano"]),
        end: time(&span["endTimeUnixNano"]),
        error: (span["status"]["code"] == ERROR).then(|| text(&span["status"]["message"])),
    }
}

fn elements(array: &Value) -> &[Value] {
    array.as_array().map_or(&[], Vec::as_slice)
}

impl From<&SpanData> for SpanLine {
    fn from(span: &SpanData) -> Self {
        let service = match span.attribute("app.service") {
            Some(OwnedValue::Str(service)) => service.clone(),
            _ => String::new(),
        };
        Self {
            trace_id: span.trace_id.to_string(),
            span_id: span.span_id.to_string(),
            parent_id: span.parent_span_id.map(|id| id.to_string()),
            name: span.name.clone(),
            kind: span.kind,
            service,
            start: span.start.unix_nanos(),
            end: span.end.unix_nanos(),
            error: match &span.status {
                StatusData::Error(text) => Some(text.clone()),
                _ => None,
            },
        }
    }
}
