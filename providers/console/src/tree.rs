//! Puts the spans of a trace in the order of a tree.

use std::collections::{HashMap, HashSet};

use spandrel_plugin_api::{SpanData, SpanId};

/// Deeper spans are drawn at this depth: a hundred columns hold no more.
const MAX_DEPTH: usize = 20;

/// A line of the tree.
pub(crate) struct Row<'a> {
    pub(crate) node: Node<'a>,
    depth: usize,
}

/// What a line shows.
pub(crate) enum Node<'a> {
    /// A span, and its parent if that is there too.
    Span { span: &'a SpanData, parent: Option<&'a SpanData> },
    /// The parent of the spans below, which is not there itself.
    Missing { id: SpanId, is_remote: bool },
}

/// What is drawn on the left of a row.
pub(crate) struct Guides {
    /// Of its first line.
    pub(crate) first: String,
    /// Of its other lines.
    pub(crate) rest: String,
}

/// The rows of the tree from top to bottom; siblings are sorted by their start.
pub(crate) fn rows(spans: &[SpanData]) -> Vec<Row<'_>> {
    let mut by_start: Vec<&SpanData> = spans.iter().collect();
    by_start.sort_by_key(|span| span.start);

    let ids: HashSet<SpanId> = spans.iter().map(|span| span.span_id).collect();
    let mut children: HashMap<SpanId, Vec<&SpanData>> = HashMap::new();
    for span in &by_start {
        if let Some(parent) = span.parent_span_id {
            children.entry(parent).or_default().push(span);
        }
    }

    // Each list of children is taken out when it is placed, so every span is
    // placed once. What is left after the top spans are parents in a circle.
    let is_top = |span: &&SpanData| span.parent_span_id.is_none_or(|parent| !ids.contains(&parent));
    let (top, others): (Vec<_>, Vec<_>) = by_start.into_iter().partition(is_top);
    let mut rows = Vec::with_capacity(spans.len());
    for span in top.into_iter().chain(others) {
        match span.parent_span_id {
            None => place(&mut rows, &mut children, 0, vec![span]),
            Some(id) => {
                let Some(orphans) = children.remove(&id) else { continue };
                let is_remote = orphans.iter().any(|span| span.has_remote_parent);
                rows.push(Row { node: Node::Missing { id, is_remote }, depth: 0 });
                place(&mut rows, &mut children, 1, orphans);
            }
        }
    }
    rows
}

/// Appends spans and everything below them. Not recursive, as traces may be
/// deeper than the stack.
fn place<'a>(
    rows: &mut Vec<Row<'a>>,
    children: &mut HashMap<SpanId, Vec<&'a SpanData>>,
    depth: usize,
    spans: Vec<&'a SpanData>,
) {
    let mut stack: Vec<_> = spans.into_iter().rev().map(|span| (depth, span, None)).collect();
    while let Some((depth, span, parent)) = stack.pop() {
        rows.push(Row { node: Node::Span { span, parent }, depth: depth.min(MAX_DEPTH) });
        let below = children.remove(&span.span_id).unwrap_or_default();
        stack.extend(below.into_iter().rev().map(|child| (depth + 1, child, Some(span))));
    }
}

/// The guides of each row.
pub(crate) fn guides(rows: &[Row<'_>]) -> Vec<Guides> {
    // From the bottom up: at which depths does a line come in from below?
    let mut from_below: Vec<bool> = Vec::new();
    let mut guides: Vec<Guides> = Vec::with_capacity(rows.len());
    for row in rows.iter().rev() {
        let comes_in = |depth: usize| from_below.get(depth) == Some(&true);
        let line = |depth: usize| if comes_in(depth) { "│  " } else { "   " };

        let above: String = (0..row.depth).map(line).collect();
        let branch = if comes_in(row.depth) { "├─ " } else { "└─ " };
        let rest = [&above, line(row.depth), line(row.depth + 1)].concat();
        guides.push(Guides { first: above + branch, rest });

        from_below.resize(row.depth, false);
        from_below.push(true);
    }
    guides.reverse();
    guides
}
