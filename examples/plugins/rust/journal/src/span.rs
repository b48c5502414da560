use std::sync::Arc;

use spandrel_plugin_api::{
    Attribute, Event, Link, OwnedAttribute, SpanContext, SpanKind, SpanStart, Status, StatusData, Timestamp,
};

use crate::watch::Open;

/// As many attributes, events and links are kept as OpenTelemetry keeps unless told otherwise.
const LIMIT: usize = 128;

/// A span, which lies in its `SpanState` while it runs.
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) context: SpanContext,
    pub(crate) parent: Option<SpanContext>,
    pub(crate) status: StatusData,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) attributes: Attributes,
    pub(crate) events: Vec<(String, Timestamp, Attributes)>,
    pub(crate) dropped_events: u32,
    pub(crate) links: Vec<(SpanContext, Attributes)>,
    pub(crate) dropped_links: u32,
    pub(crate) scope: (String, String),
    /// The process in which it started.
    pub(crate) process: u32,
    /// Held as long as it runs, if somebody watches.
    pub(crate) open: Option<Arc<Open>>,
}

/// Attributes with one value for each key.
#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) kept: Vec<OwnedAttribute>,
    pub(crate) dropped: u32,
}

impl Span {
    pub(crate) fn start(start: &SpanStart<'_>, process: u32) -> Self {
        let mut span = Self {
            name: start.name.to_owned(),
            kind: start.kind,
            context: start.context.clone(),
            parent: start.parent.cloned(),
            status: StatusData::Unset,
            start: start.time,
            end: start.time,
            attributes: Attributes::of(start.attributes),
            events: Vec::new(),
            dropped_events: 0,
            links: Vec::new(),
            dropped_links: 0,
            scope: (start.scope.name.to_owned(), start.scope.version.to_owned()),
            process,
            open: None,
        };
        start.links.iter().for_each(|link| span.add_link(link));
        span
    }

    /// `Ok` is final, `Unset` says nothing, and the last error counts; if it has no
    /// text, that of an earlier one says more.
    pub(crate) fn set_status(&mut self, status: Status<'_>) {
        match (&self.status, status) {
            (StatusData::Ok, _) | (_, Status::Unset) | (StatusData::Error(_), Status::Error("")) => {}
            (_, status) => self.status = status.into(),
        }
    }

    pub(crate) fn add_event(&mut self, event: &Event<'_>) {
        match self.events.len() {
            LIMIT => self.dropped_events += 1,
            _ => self.events.push((event.name.to_owned(), event.time, Attributes::of(event.attributes))),
        }
    }

    pub(crate) fn add_link(&mut self, link: &Link<'_>) {
        match self.links.len() {
            LIMIT => self.dropped_links += 1,
            _ => self.links.push((link.context.clone(), Attributes::of(link.attributes))),
        }
    }

    /// A clock that was set back makes no negative duration.
    pub(crate) fn end(&mut self, end: Timestamp) {
        self.end = end.max(self.start);
        self.open = None;
    }
}

impl Attributes {
    pub(crate) fn set(&mut self, attributes: &[Attribute<'_>]) {
        for attribute in attributes {
            if let Some(kept) = self.kept.iter_mut().find(|kept| kept.key == attribute.key) {
                *kept = attribute.to_owned();
            } else if self.kept.len() == LIMIT {
                self.dropped += 1;
            } else {
                self.kept.push(attribute.to_owned());
            }
        }
    }

    fn of(attributes: &[Attribute<'_>]) -> Self {
        let mut kept = Self::default();
        kept.set(attributes);
        kept
    }
}
