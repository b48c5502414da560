//! Spans of a trace as a tree, in the order in which they began.

use std::collections::HashMap;

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
    /// Of each level down to its own: whether more comes there below.
    pub(crate) goes_on: Vec<bool>,
}

/// Deeper ones are drawn at this depth, so that a chain of a million spans does
/// not become a million lines of a million signs.
pub(crate) const MOST_DEPTH: usize = 20;

impl<'a> Trace<'a> {
    /// Orders the spans of one trace.
    pub(crate) fn new(id: TraceId, mut spans: Vec<SpanView<'a>>) -> Self {
        spans.sort_by_key(|span| (span.start(), std::cmp::Reverse(span.end()), span.span_id()));
        let mut children: HashMap<SpanId, Vec<usize>> = HashMap::new();
        let is_here: HashMap<SpanId, usize> = spans.iter().enumerate().map(|(i, span)| (span.span_id(), i)).collect();
        let mut roots = Vec::new();
        for (i, span) in spans.iter().enumerate() {
            match span.parent_span_id().filter(|parent| is_here.contains_key(parent)) {
                Some(parent) => children.entry(parent).or_default().push(i),
                None => roots.push(i),
            }
        }
        let mut trace = Self { id, nodes: Vec::with_capacity(spans.len()) };
        let mut seen = vec![false; spans.len()];
        trace.append(&spans, &roots, &mut children, &mut seen);
        // Spans that are their own ancestors have no root. They are shown all the same.
        for i in 0..spans.len() {
            if !seen[i] {
                trace.append(&spans, &[i], &mut children, &mut seen);
            }
        }
        trace
    }

    // Without recursion, as a file may hold a chain of any length.
    fn append(
        &mut self,
        spans: &[SpanView<'a>],
        roots: &[usize],
        children: &mut HashMap<SpanId, Vec<usize>>,
        seen: &mut [bool],
    ) {
        let mut open: Vec<(usize, Option<usize>, usize, Vec<bool>)> = Vec::new();
        let last = roots.len().saturating_sub(1);
        open.extend(roots.iter().enumerate().rev().map(|(n, i)| (*i, None, 0, vec![n < last])));
        while let Some((i, parent, depth, goes_on)) = open.pop() {
            if std::mem::replace(&mut seen[i], true) {
                continue;
            }
            let here = self.nodes.len();
            let below = children.remove(&spans[i].span_id()).unwrap_or_default();
            let last = below.len().saturating_sub(1);
            for (n, child) in below.into_iter().enumerate().rev() {
                let mut levels = goes_on.clone();
                if levels.len() <= MOST_DEPTH {
                    levels.push(n < last);
                } else if let Some(level) = levels.last_mut() {
                    *level = n < last;
                }
                open.push((child, Some(here), depth + 1, levels));
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
    /// The lines before its name.
    pub(crate) fn branch(&self) -> String {
        self.draw(|goes_on| if goes_on { "├─ " } else { "└─ " })
    }

    /// The lines before what stands below its name.
    pub(crate) fn below(&self) -> String {
        self.draw(|goes_on| if goes_on { "│  " } else { "   " })
    }

    fn draw(&self, own: impl Fn(bool) -> &'static str) -> String {
        // Roots stand at the margin.
        let Some((last, above)) = self.goes_on.get(1..).and_then(<[bool]>::split_last) else { return String::new() };
        let mut drawn: String = above.iter().map(|goes_on| if *goes_on { "│  " } else { "   " }).collect();
        drawn.push_str(own(*last));
        if self.depth > MOST_DEPTH {
            drawn.push_str(&format!("({}) ", self.depth));
        }
        drawn
    }
}
