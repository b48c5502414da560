use std::fmt;

use serde::ser::{Serialize, Serializer};
use spandrel_plugin_api::json::{self, PlainAttributes, PlainValue};
use spandrel_plugin_api::{Error, EventView, SpanBatch, SpanView, Status};

use crate::config::Format;
use crate::time::Utc;

/// Appends the lines of a batch, each with its line end.
pub(crate) fn encode(out: &mut Vec<u8>, format: Format, batch: &SpanBatch<'_>) -> Result<(), Error> {
    match format {
        Format::Otlp => {
            json::write_batch(out, batch)?;
            out.push(b'\n');
        }
        Format::Log => {
            for span in batch.spans() {
                write_log_line(out, &span?);
                out.push(b'\n');
            }
        }
    }
    Ok(())
}

/// A span as a structured log line.
#[derive(serde::Serialize)]
struct LogLine<'a> {
    timestamp: fmt::Arguments<'a>,
    level: &'static str,
    message: fmt::Arguments<'a>,
    trace: Trace<'a>,
    attributes: Attributes<'a>,
    events: Events<'a>,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Trace<'a> {
    trace_id: fmt::Arguments<'a>,
    span_id: fmt::Arguments<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    operation: &'a str,
    kind: &'static str,
    duration: Duration,
    status: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    status_message: &'a str,
}

fn write_log_line(out: &mut Vec<u8>, span: &SpanView<'_>) {
    let (level, status, status_message) = match span.status() {
        Status::Unset => ("INFO", "UNSET", ""),
        Status::Ok => ("INFO", "OK", ""),
        Status::Error(message) => ("ERROR", "ERROR", message),
    };
    json::write(
        out,
        &LogLine {
            timestamp: format_args!("{}", Utc::from_unix_ms(span.end().unix_nanos() / 1_000_000)),
            level,
            message: format_args!("TRACE: {}", span.name()),
            trace: Trace {
                trace_id: format_args!("{}", span.trace_id()),
                span_id: format_args!("{}", span.span_id()),
                parent_span_id: span.parent_span_id().map(|id| id.to_string()),
                operation: span.name(),
                kind: span.kind().as_str(),
                duration: Duration(span.duration_nanos()),
                status,
                status_message,
            },
            attributes: Attributes(span),
            events: Events(span),
        },
    );
}

/// Nanoseconds, shown in milliseconds: `4283ms`, `0.153ms`.
///
/// From one millisecond on there is no fraction, because queries over such logs
/// look for digits before `ms`.
struct Duration(u64);

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            short @ ..1_000_000 => serializer.collect_str(&format_args!("0.{:03}ms", short / 1000)),
            long => serializer.collect_str(&format_args!("{}ms", long / 1_000_000)),
        }
    }
}

/// The attributes of the resource and those of the span, which win.
struct Attributes<'a>(&'a SpanView<'a>);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(span) = self;
        let resource = span.resource().into_iter().filter(|(key, _)| span.attribute(key).is_none());
        let all = resource.chain(span.attributes());
        serializer.collect_map(all.map(|(key, value)| (key, PlainValue(value))))
    }
}

struct Events<'a>(&'a SpanView<'a>);

impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.events().map(Event::from))
    }
}

#[derive(serde::Serialize)]
struct Event<'a> {
    name: &'a str,
    /// Milliseconds since 1970-01-01 UTC.
    timestamp: u64,
    attributes: PlainAttributes<'a>,
}

impl<'a> From<EventView<'a>> for Event<'a> {
    fn from(event: EventView<'a>) -> Self {
        Self {
            name: event.name(),
            timestamp: event.time().unix_nanos() / 1_000_000,
            attributes: PlainAttributes(event.attributes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, json};

    #[test]
    fn durations_keep_a_fraction_only_below_a_millisecond() {
        let text = |nanos| {
            let mut out = Vec::new();
            json::write(&mut out, &Duration(nanos));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(153_999), r#""0.153ms""#);
        assert_eq!(text(999_999), r#""0.999ms""#);
        assert_eq!(text(1_999_999), r#""1ms""#);
        assert_eq!(text(4_283_000_000), r#""4283ms""#);
    }
}
