//! Reads back what the file provider wrote, with no code of ours.

use std::path::Path;

use serde_json::Value;

/// What a trace file holds.
#[derive(Debug, Default)]
pub struct TraceFile {
    /// The spans, as they stand in the file.
    pub spans: Vec<Value>,
    /// Whether the last line has no end.
    pub is_torn: bool,
    /// Lines, the last one aside, that are no JSON.
    pub unreadable: usize,
}

impl TraceFile {
    /// Reads a file; one that is not there has no spans.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let mut file = Self { is_torn: !text.is_empty() && !text.ends_with('\n'), ..Self::default() };
        let mut lines: Vec<&str> = text.lines().collect();
        if file.is_torn {
            lines.pop();
        }
        for line in lines {
            match serde_json::from_str::<Value>(line) {
                Ok(batch) => file.spans.extend(spans(&batch)),
                Err(_) => file.unreadable += 1,
            }
        }
        file
    }

    /// How many spans have this name.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.spans.iter().filter(|span| span["name"] == name).count()
    }

    /// How many different spans there are.
    #[must_use]
    pub fn distinct_ids(&self) -> usize {
        let ids = self.spans.iter().map(|span| format!("{}{}", span["traceId"], span["spanId"]));
        ids.collect::<std::collections::HashSet<_>>().len()
    }
}

fn spans(batch: &Value) -> Vec<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let resources = list(&batch["resourceSpans"]);
    let scopes = resources.iter().flat_map(|resource| list(&resource["scopeSpans"]));
    scopes.flat_map(|scope| list(&scope["spans"])).collect()
}
