use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use spandrel_plugin_api::{SpanId, SpanStart, TraceId};

/// Knows which spans run for too long. Each is named once.
pub(crate) struct Watch {
    slow: Option<Duration>,
    /// When each of them will be too long, in this order. One that has ended is gone
    /// from behind its pointer.
    started: VecDeque<(Instant, Weak<Open>)>,
    /// At this length those that have ended make room.
    room: usize,
    quiet_until: Option<Instant>,
}

/// A span that runs, by the name that it started with.
pub(crate) struct Open {
    name: String,
    trace_id: TraceId,
    span_id: SpanId,
}

impl Watch {
    /// Between two messages, as nobody reads more of them.
    const PAUSE: Duration = Duration::from_secs(1);
    /// So many spans are named in a message, and the others counted.
    const NAMED: usize = 5;

    pub(crate) fn new(slow: Option<Duration>) -> Self {
        Self { slow, started: VecDeque::new(), room: 1024, quiet_until: None }
    }

    /// Watches the span as long as what is returned lives.
    pub(crate) fn start(&mut self, start: &SpanStart<'_>, now: Instant) -> Option<Arc<Open>> {
        let due = now.checked_add(self.slow?)?;
        if self.started.len() >= self.room {
            self.started.retain(|(_, open)| open.strong_count() > 0);
            self.room = 1024.max(2 * self.started.len());
        }
        let (trace_id, span_id) = (start.context.trace_id(), start.context.span_id());
        let open = Arc::new(Open { name: start.name.to_owned(), trace_id, span_id });
        self.started.push_back((due, Arc::downgrade(&open)));
        Some(open)
    }

    /// When to look again.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.started.front().map(|(due, _)| self.quiet_until.map_or(*due, |quiet| quiet.max(*due)))
    }

    /// A message that names the spans that are too long by now.
    pub(crate) fn look(&mut self, now: Instant) -> Option<String> {
        if self.next().is_none_or(|next| next > now) {
            return None;
        }
        let due = self.started.partition_point(|(due, _)| *due <= now);
        let slow: Vec<_> = self.started.drain(..due).filter_map(|(_, open)| open.upgrade()).collect();
        if slow.is_empty() {
            return None;
        }
        self.quiet_until = Some(now + Self::PAUSE);
        let mut message = format!("still open after {:?}: ", self.slow.unwrap_or_default());
        for (i, Open { name, trace_id, span_id }) in slow.iter().take(Self::NAMED).map(|open| &**open).enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            let _ = write!(message, "{comma}`{name}` (trace {trace_id}, span {span_id})");
        }
        if slow.len() > Self::NAMED {
            let _ = write!(message, ", and {} more", slow.len() - Self::NAMED);
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use spandrel_plugin_api::{InstrumentationScope, SpanContext, SpanKind, SpanStart, Timestamp};

    use super::Watch;

    #[test]
    fn a_span_is_named_once_if_it_still_runs() {
        let context = SpanContext::default();
        let start = |name| SpanStart {
            name,
            context: &context,
            parent: None,
            kind: SpanKind::Internal,
            time: Timestamp::default(),
            attributes: &[],
            links: &[],
            scope: InstrumentationScope::default(),
        };
        let began = Instant::now();
        let after = |ms| began + Duration::from_millis(ms);
        let mut watch = Watch::new(Some(Duration::from_millis(100)));
        let ended = watch.start(&start("ended"), began);
        let mut running: Vec<_> = ["a", "b"].map(|name| watch.start(&start(name), began)).into();
        drop(ended);
        assert_eq!(watch.look(after(99)), None);
        let names = |message: Option<String>| -> Vec<String> {
            message.iter().flat_map(|message| message.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
        };
        assert_eq!(names(watch.look(after(100))), ["a", "b"]);
        assert_eq!((watch.look(after(100)), watch.next()), (None, None));

        running.extend(["c", "d", "e", "f", "g", "h"].map(|name| watch.start(&start(name), after(200))));
        assert_eq!((watch.look(after(300)), watch.next()), (None, Some(after(1100))), "too soon after the first");
        let message = watch.look(after(1100)).unwrap();
        assert!(message.ends_with(", and 1 more"), "{message}");
        assert_eq!(names(Some(message)), ["c", "d", "e", "f", "g"]);

        (0..5000).for_each(|_| drop(watch.start(&start("quick"), after(2000))));
        assert!(watch.started.len() < 2000, "those that have ended are kept: {}", watch.started.len());
    }
}
