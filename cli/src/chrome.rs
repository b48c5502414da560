//! The trace event format of Chrome, for Perfetto (ui.perfetto.dev) and chrome://tracing.
//!
//! Source: Google, "Trace Event Format": complete events (`X`), instant events (`i`), metadata (`M`).

use std::collections::HashMap;

use spandrel_plugin_api::json::{Object, object};
use spandrel_plugin_api::{SpanId, SpanView, Status, TraceId};

use crate::filter::service;

/// Writes all spans as one document.
///
/// A service is a process. Within it, spans stand in lanes, in each of which one
/// holds the next or is before it, as the format has no overlapping spans in a lane.
pub(crate) fn write(spans: &mut [SpanView<'_>]) -> Vec<u8> {
    // Whoever holds others comes first.
    spans.sort_by_key(|span| (span.start(), std::cmp::Reverse(span.end()), span.span_id()));
    let mut processes: Vec<Process> = Vec::new();
    let mut lanes: HashMap<(TraceId, SpanId), (usize, usize)> = HashMap::new();
    let mut out = Vec::new();
    object(&mut out, |document| {
        document.text("displayTimeUnit", "ms");
        document.array("traceEvents", |events| {
            for span in spans.iter() {
                let name = service(span);
                let process = processes.iter().position(|known| known.name == name).unwrap_or_else(|| {
                    processes.push(Process { name, lanes: Vec::new() });
                    processes.len() - 1
                });
                let parent = span.parent_span_id().and_then(|parent| lanes.get(&(span.trace_id(), parent)));
                let near = parent.filter(|(of, _)| *of == process).map(|(_, lane)| *lane);
                let lane = processes[process].lane(span, near);
                lanes.insert((span.trace_id(), span.span_id()), (process, lane));
                events.object(|event| write_span(event, span, process, lane));
                for moment in span.events() {
                    events.object(|event| {
                        event.text("name", moment.name());
                        event.text("ph", "i");
                        event.text("s", "t");
                        place(event, process, lane, moment.time().unix_nanos());
                        event.attributes("args", &[moment.attributes()]);
                    });
                }
            }
            for (number, process) in processes.iter().enumerate() {
                events.object(|event| {
                    event.text("name", "process_name");
                    event.text("ph", "M");
                    event.number("pid", number as u64 + 1);
                    event.object("args", |args| args.text("name", &process.name));
                });
            }
        });
    });
    out
}

fn write_span(event: &mut Object<'_>, span: &SpanView<'_>, process: usize, lane: usize) {
    event.text("name", span.name());
    event.text("cat", span.kind().as_str());
    event.text("ph", "X");
    place(event, process, lane, span.start().unix_nanos());
    event.float("dur", span.duration_nanos() as f64 / 1e3);
    event.object("args", |args| {
        args.display("trace_id", &span.trace_id());
        args.display("span_id", &span.span_id());
        if let Some(parent) = span.parent_span_id() {
            args.display("parent_span_id", &parent);
        }
        match span.status() {
            Status::Unset => {}
            Status::Ok => args.text("status", "ok"),
            Status::Error(message) => args.text("status", &format!("error: {message}")),
        }
        args.attributes("attributes", &[span.attributes()]);
    });
}

/// Process, lane and microseconds; a double of those has a quarter of one for years to come.
fn place(event: &mut Object<'_>, process: usize, lane: usize, nanos: u64) {
    event.number("pid", process as u64 + 1);
    event.number("tid", lane as u64 + 1);
    event.float("ts", nanos as f64 / 1e3);
}

struct Process {
    name: String,
    /// The ends of the spans that are open in each lane, the innermost last.
    lanes: Vec<Vec<u64>>,
}

impl Process {
    /// A lane for the span: that of its parent, if there is room.
    fn lane(&mut self, span: &SpanView<'_>, near: Option<usize>) -> usize {
        let (start, end) = (span.start().unix_nanos(), span.end().unix_nanos());
        let count = self.lanes.len();
        let mut has_room = |lane: &usize| {
            let open = &mut self.lanes[*lane];
            while open.last().is_some_and(|last| *last <= start) {
                open.pop();
            }
            // Only a child lies within another; a stranger would look like one.
            open.is_empty() || (near == Some(*lane) && open.last().is_some_and(|last| *last >= end))
        };
        let lane = near.into_iter().chain(0..count).find(|lane| has_room(lane));
        let lane = lane.unwrap_or_else(|| {
            self.lanes.push(Vec::new());
            self.lanes.len() - 1
        });
        self.lanes[lane].push(end);
        lane
    }
}
