//! Spans of a trace as a tree, in the order in which they began.

use spandrel_plugin_api::{SpanId, SpanView, TraceId};

/// A trace: its spans, each with its depth.
pub(crate) struct Trace<'a> {
    pub(crate) id: TraceId,
    pub(crate) nodes: Vec<Node<'a>>,
}

/// A span in its tree.
pub(crate) struct Node<'a> {
    pub(crate) span: SpanView<'a>,
    pub(crate) depth: usize,
    /// Its parent within the trace, by its place in `nodes`.
    pub(crate) parent: Option<usize>,
    /// A bit for each level down to its own, the first the lowest: whether more comes there below.
    goes_on: u32,
}

/// Deeper ones are drawn at this depth, so that a chain of a million spans does
/// not become a million lines of a million signs.
pub(crate) const MOST_DEPTH: usize = 20;

impl<'a> Trace<'a> {
    /// Orders the spans of one trace.
    pub(crate) fn new(id: TraceId, mut spans: Vec<SpanView<'a>>) -> Self {
        spans.sort_by_cached_key(|span| (span.start(), std::cmp::Reverse(span.end()), span.span_id()));
        let mut ids: Vec<SpanId> = spans.iter().map(SpanView::span_id).collect();
        ids.sort_unstable();
        ids.dedup();
        // By the place of their parent in `ids`.
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); ids.len()];
        let mut roots = Vec::new();
        for (i, span) in spans.iter().enumerate() {
            match span.parent_span_id().and_then(|parent| ids.binary_search(&parent).ok()) {
                Some(parent) => children[parent].push(i),
                None => roots.push(i),
            }
        }
        let mut trace = Self { id, nodes: Vec::with_capacity(spans.len()) };
        let mut seen = vec![false; spans.len()];
        // Of spans with the same id, the first one has them.
        let mut children_of = |span: &SpanView<'_>| match ids.binary_search(&span.span_id()) {
            Ok(i) => std::mem::take(&mut children[i]),
            Err(_) => Vec::new(),
        };
        trace.append(&spans, &roots, &mut children_of, &mut seen);
        // Spans that are their own ancestors have no root. They are shown all the same.
        for i in 0..spans.len() {
            if !seen[i] {
                trace.append(&spans, &[i], &mut children_of, &mut seen);
            }
        }
        trace
    }

    // Without recursion, as a file may hold a chain of any length.
    fn append(
        &mut self,
        spans: &[SpanView<'a>],
        roots: &[usize],
        children_of: &mut dyn FnMut(&SpanView<'_>) -> Vec<usize>,
        seen: &mut [bool],
    ) {
        let mut open: Vec<(usize, Option<usize>, usize, u32)> = Vec::new();
        let last = roots.len().saturating_sub(1);
        open.extend(roots.iter().enumerate().rev().map(|(n, i)| (*i, None, 0, u32::from(n < last))));
        while let Some((i, parent, depth, goes_on)) = open.pop() {
            if std::mem::replace(&mut seen[i], true) {
                continue;
            }
            let here = self.nodes.len();
            let below = children_of(&spans[i]);
            let last = below.len().saturating_sub(1);
            let level = (depth + 1).min(MOST_DEPTH);
            for (n, child) in below.into_iter().enumerate().rev() {
                let goes_on = goes_on & !(1 << level) | u32::from(n < last) << level;
                open.push((child, Some(here), depth + 1, goes_on));
            }
            self.nodes.push(Node { span: spans[i], depth, parent, goes_on });
        }
    }

    /// When its first span began.
    pub(crate) fn start(&self) -> u64 {
        self.nodes.iter().map(|node| node.span.start().unix_nanos()).min().unwrap_or(0)
    }

    /// When its last span ended.
    pub(crate) fn end(&self) -> u64 {
        self.nodes.iter().map(|node| node.span.end().unix_nanos()).max().unwrap_or(0)
    }
}

impl Node<'_> {
    /// Appends the lines before its name.
    pub(crate) fn put_branch(&self, out: &mut String) {
        self.draw(out, ["└─ ", "├─ "]);
    }

    /// Appends the lines before what stands below its name.
    pub(crate) fn put_below(&self, out: &mut String) {
        self.draw(out, ["   ", "│  "]);
    }

    fn draw(&self, out: &mut String, own: [&str; 2]) {
        let goes_on = |level: usize| usize::from(self.goes_on >> level & 1 == 1);
        // Roots stand at the margin.
        let level = self.depth.min(MOST_DEPTH);
        if level == 0 {
            return;
        }
        (1..level).for_each(|level| out.push_str(["   ", "│  "][goes_on(level)]));
        out.push_str(own[goes_on(level)]);
        if self.depth > MOST_DEPTH {
            out.push_str(&format!("({}) ", self.depth));
        }
    }
}
