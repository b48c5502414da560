//! Keeps spans until their trace can be printed.

use std::collections::{HashMap, HashSet, VecDeque};

use spandrel_plugin_api::{SpanData, SpanId, TraceId};

/// How many printed traces are remembered, to know their stragglers.
const REMEMBERED: usize = 1024;

/// Traces that wait for more of their spans.
pub(crate) struct Pending {
    max_spans: usize,
    traces: HashMap<TraceId, Trace>,
    /// Traces seen so far; tells which is older.
    seen: u64,
    printed: VecDeque<TraceId>,
}

/// The spans of a trace that are printed together.
pub(crate) struct Trace {
    pub(crate) id: TraceId,
    /// In the order in which they ended; at least one.
    pub(crate) spans: Vec<SpanData>,
    /// Other spans of the trace were printed before.
    pub(crate) is_continued: bool,
    /// The smaller, the older.
    age: u64,
    /// No span came in since the last look.
    is_quiet: bool,
}

impl Pending {
    pub(crate) fn new(max_spans: usize) -> Self {
        Self { max_spans, traces: HashMap::new(), seen: 0, printed: VecDeque::new() }
    }

    pub(crate) fn add(&mut self, spans: impl Iterator<Item = SpanData>) {
        for span in spans {
            let id = span.trace_id;
            let trace = self.traces.entry(id).or_insert_with(|| {
                self.seen += 1;
                let is_continued = self.printed.contains(&id);
                Trace { id, spans: Vec::new(), is_continued, age: self.seen, is_quiet: false }
            });
            trace.is_quiet = false;
            trace.spans.push(span);
        }
    }

    /// Takes out what is to be printed after a batch or an idle interval, oldest first.
    pub(crate) fn take_due(&mut self) -> Vec<Trace> {
        let mut due: Vec<Trace> = self.traces.extract_if(|_, trace| trace.is_due()).map(|(_, trace)| trace).collect();
        due.extend(self.take_excess());
        for trace in self.traces.values_mut() {
            trace.is_quiet = true;
        }
        self.remember(due)
    }

    /// Takes out everything, oldest first.
    pub(crate) fn take_all(&mut self) -> Vec<Trace> {
        let all = self.traces.drain().map(|(_, trace)| trace).collect();
        self.remember(all)
    }

    /// The oldest traces, as many as there are spans too many.
    fn take_excess(&mut self) -> Vec<Trace> {
        let mut spans: usize = self.traces.values().map(|trace| trace.spans.len()).sum();
        if spans <= self.max_spans {
            return Vec::new();
        }
        let mut by_age: Vec<(u64, TraceId)> = self.traces.values().map(|trace| (trace.age, trace.id)).collect();
        by_age.sort_unstable();

        let mut excess = Vec::new();
        for (_, id) in by_age {
            if spans <= self.max_spans {
                break;
            }
            if let Some(trace) = self.traces.remove(&id) {
                spans -= trace.spans.len();
                excess.push(trace);
            }
        }
        excess
    }

    /// Sorts traces by age and keeps in mind that they are printed.
    fn remember(&mut self, mut traces: Vec<Trace>) -> Vec<Trace> {
        traces.sort_unstable_by_key(|trace| trace.age);
        self.printed.extend(traces.iter().map(|trace| trace.id));
        let forgotten = self.printed.len().saturating_sub(REMEMBERED);
        self.printed.drain(..forgotten);
        traces
    }
}

impl Trace {
    /// Whether there is nothing to wait for any more.
    fn is_due(&self) -> bool {
        let ids: HashSet<SpanId> = self.spans.iter().map(|span| span.span_id).collect();
        let is_orphan = |span: &&SpanData| span.parent_span_id.is_some_and(|parent| !ids.contains(&parent));
        let mut orphans = self.spans.iter().filter(is_orphan).peekable();
        if orphans.peek().is_none() {
            return true;
        }
        // A remote parent may still arrive, if it is of another service in
        // this process; a local one will, when it ends. Of a trace that was
        // printed before it may have been printed too.
        self.is_quiet && (self.is_continued || orphans.all(|span| span.has_remote_parent))
    }
}
