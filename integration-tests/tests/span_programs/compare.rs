//! Compares what was recorded with what the model says.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use spandrel::{OwnedAttribute, SpanContext, SpanData, SpanId, SpanKind, StatusData, TraceId};

use crate::model::{Id, Outcomes, Span, Status, Values};
use crate::run::{Ran, at, remote};

/// Says the first difference.
pub(crate) fn compare(expected: &Outcomes, ran: &Ran) -> Result<(), String> {
    let mut comparison = Comparison { expected, spans: Pairs::default(), traces: Pairs::default() };
    for is_sampled in [false, true] {
        comparison.same_context(Id::Remote(is_sampled), &remote(is_sampled))?;
    }
    for (i, (wanted, found)) in expected.seen.iter().zip(&ran.seen).enumerate() {
        let where_ = format!("at look {i} ({}), {wanted:?}", found.at);
        same(&where_, &wanted.at.as_str(), &found.at)?;
        same(&where_, &wanted.span.is_some(), &found.span.is_some())?;
        same(&where_, &wanted.is_recording, &found.is_recording)?;
        same(&where_, &wanted.baggage, &found.baggage)?;
        if let (Some(wanted), Some(found)) = (wanted.span, &found.span) {
            comparison.same_context(wanted, found).map_err(|text| format!("{where_}: {text}"))?;
        }
    }
    same("number of looks", &expected.seen.len(), &ran.seen.len())?;
    comparison.same_spans(ran)
}

struct Comparison<'a> {
    expected: &'a Outcomes,
    spans: Pairs<Id, SpanId>,
    traces: Pairs<Id, TraceId>,
}

impl Comparison<'_> {
    fn same_spans(&mut self, ran: &Ran) -> Result<(), String> {
        let recorded = |span: &&Span| span.has_ended && span.is_sampled;
        let mut names: Vec<&str> = self.expected.spans.iter().filter(recorded).map(|span| span.name.as_str()).collect();
        let mut found: Vec<&str> = ran.spans.iter().map(|span| span.name.as_str()).collect();
        names.sort_unstable();
        found.sort_unstable();
        same("names of spans", &names, &found)?;
        for (i, span) in self.expected.spans.iter().enumerate().filter(|(_, span)| recorded(span)) {
            let Some(found) = ran.spans.iter().find(|found| found.name == span.name) else { continue };
            self.same_span(i, span, found, ran).map_err(|text| format!("in span {:?}: {text}", span.name))?;
        }
        Ok(())
    }

    fn same_span(&mut self, i: usize, span: &Span, found: &SpanData, ran: &Ran) -> Result<(), String> {
        self.spans.pair(Id::Local(i), found.span_id)?;
        self.traces.pair(span.trace, found.trace_id)?;
        same("having a parent", &span.parent.is_some(), &found.parent_span_id.is_some())?;
        if let (Some(parent), Some(found)) = (span.parent, found.parent_span_id) {
            self.spans.pair(parent, found).map_err(|text| format!("parent: {text}"))?;
        }
        same("remote parent", &matches!(span.parent, Some(Id::Remote(_))), &found.has_remote_parent)?;
        same("kind", &(if span.is_client { SpanKind::Client } else { SpanKind::Internal }), &found.kind)?;
        let status = match &span.status {
            Status::Unset => StatusData::Unset,
            Status::Ok => StatusData::Ok,
            Status::Error(text) => StatusData::Error(text.clone()),
        };
        same("status", &status, &found.status)?;
        same("attributes", &span.attributes, &values(&found.attributes)?)?;
        let mut events = Vec::new();
        for event in &found.events {
            events.push((event.name.clone(), values(&event.attributes)?));
        }
        same("events", &span.events, &events)?;
        same("number of links", &span.links.len(), &found.links.len())?;
        for (link, found) in span.links.iter().zip(&found.links) {
            self.spans.pair(*link, found.span_id).map_err(|text| format!("link: {text}"))?;
        }
        let (attributes, events, links) = found.dropped_counts;
        let dropped = [attributes, events, links].map(|count| count as usize);
        same("dropped counts", &[span.dropped.0, span.dropped.1, span.dropped.2], &dropped)?;
        if let Some(seconds) = span.ended_at {
            let wanted = at(ran.began, seconds).into();
            same("end", &found.start.max(wanted), &found.end)?;
        }
        if found.end < found.start {
            return Err("it ended before it began".into());
        }
        Ok(())
    }

    fn same_context(&mut self, wanted: Id, found: &SpanContext) -> Result<(), String> {
        self.spans.pair(wanted, found.span_id())?;
        let (trace, is_sampled) = match wanted {
            Id::Local(span) => (self.expected.spans[span].trace, self.expected.spans[span].is_sampled),
            Id::Remote(is_sampled) => (wanted, is_sampled),
        };
        self.traces.pair(trace, found.trace_id())?;
        same("sampled", &is_sampled, &found.is_sampled())
    }
}

/// Each key of a span is there once.
fn values(attributes: &[OwnedAttribute]) -> Result<Values, String> {
    let values: Values = attributes.iter().map(|a| (a.key.clone(), a.value.clone())).collect();
    same("number of keys", &values.len(), &attributes.len())?;
    Ok(values)
}

/// What belongs together, in both directions.
struct Pairs<A, B> {
    there: HashMap<A, B>,
    back: HashMap<B, A>,
}

impl<A, B> Default for Pairs<A, B> {
    fn default() -> Self {
        Self { there: HashMap::new(), back: HashMap::new() }
    }
}

impl<A: Copy + Eq + Hash + Debug, B: Copy + Eq + Hash + Debug> Pairs<A, B> {
    fn pair(&mut self, a: A, b: B) -> Result<(), String> {
        let known = (*self.there.entry(a).or_insert(b), *self.back.entry(b).or_insert(a));
        if known == (b, a) {
            return Ok(());
        }
        let (b, a) = known;
        Err(format!("it is {a:?} that was seen there, not the one of {b:?}"))
    }
}

fn same<T: PartialEq + Debug>(what: &str, wanted: &T, found: &T) -> Result<(), String> {
    if wanted == found { Ok(()) } else { Err(format!("{what}: expected {wanted:?}, found {found:?}")) }
}
