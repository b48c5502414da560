use std::fmt;

use spandrel_plugin_api::{Error, SpanBatch, SpanView, Status, json};

use crate::config::Format;
use crate::time::Utc;

/// Appends the lines of a batch, each with its line end.
pub(crate) fn encode(out: &mut Vec<u8>, format: Format, batch: &SpanBatch<'_>) -> Result<(), Error> {
    match format {
        Format::Otlp => {
            json::write_batch(out, batch)?;
            out.push(b'\n');
        }
        Format::Log | Format::JsonLog => {
            for span in batch.spans() {
                match format {
                    Format::JsonLog => write_json_log_line(out, &span?),
                    _ => write_log_line(out, &span?),
                }
                out.push(b'\n');
            }
        }
    }
    Ok(())
}

/// Appends a span as a structured log line.
fn write_log_line(out: &mut Vec<u8>, span: &SpanView<'_>) {
    let (level, status, status_message) = match span.status() {
        Status::Unset => ("INFO", "UNSET", ""),
        Status::Ok => ("INFO", "OK", ""),
        Status::Error(message) => ("ERROR", "ERROR", message),
    };
    json::object(out, |line| {
        line.display("timestamp", &Utc::from_unix_ms(span.end().unix_nanos() / NANOS_PER_MS));
        line.text("level", level);
        line.display("message", &format_args!("TRACE: {}", span.name()));
        line.object("trace", |trace| {
            trace.display("traceId", &span.trace_id());
            trace.display("spanId", &span.span_id());
            if let Some(id) = span.parent_span_id() {
                trace.display("parentSpanId", &id);
            }
            trace.text("operation", span.name());
            trace.text("kind", span.kind().as_str());
            trace.display("duration", &Duration(span.duration_nanos()));
            trace.text("status", status);
            if !status_message.is_empty() {
                trace.text("statusMessage", status_message);
            }
        });
        // Those of the span win over those of the resource.
        line.attributes("attributes", &[span.resource(), span.attributes()]);
        line.array("events", |events| {
            for event in span.events() {
                events.object(|object| {
                    object.text("name", event.name());
                    object.number("timestamp", event.time().unix_nanos() / NANOS_PER_MS);
                    object.attributes("attributes", &[event.attributes()]);
                });
            }
        });
    });
}

/// Appends a span as a structured log line that has always the same keys.
///
/// Source: the document of the AI Storefront's tracing, "LLM Call Tracing" and "Chat Turn Tracing".
fn write_json_log_line(out: &mut Vec<u8>, span: &SpanView<'_>) {
    // There, what has not failed is OK.
    let (level, status) = match span.status() {
        Status::Unset | Status::Ok => ("INFO", "OK"),
        Status::Error(_) => ("ERROR", "ERROR"),
    };
    json::object(out, |line| {
        line.display("timestamp", &Utc::from_unix_ms(span.end().unix_nanos() / NANOS_PER_MS));
        line.text("level", level);
        line.display("message", &format_args!("TRACE: {}", span.name()));
        line.object("trace", |trace| {
            trace.display("traceId", &span.trace_id());
            trace.display("spanId", &span.span_id());
            trace.text("operation", span.name());
            trace.display("duration", &format_args!("{}ms", span.duration_nanos() / NANOS_PER_MS));
            trace.text("status", status);
        });
        // Those of the span win over those of the resource.
        line.attributes("attributes", &[span.resource(), span.attributes()]);
        if span.events().next().is_some() {
            line.array("events", |events| {
                for event in span.events() {
                    events.object(|object| {
                        object.text("name", event.name());
                        object.number("timestamp", event.time().unix_nanos() / NANOS_PER_MS);
                    });
                }
            });
        }
    });
}

/// Times of logs are milliseconds since 1970-01-01 UTC.
const NANOS_PER_MS: u64 = 1_000_000;

/// Nanoseconds, shown in milliseconds: `4283ms`, `0.153ms`.
///
/// From one millisecond on there is no fraction, because queries over such logs
/// look for digits before `ms`.
struct Duration(u64);

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            short @ ..1_000_000 => write!(f, "0.{:03}ms", short / 1000),
            long => write!(f, "{}ms", long / 1_000_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Duration;

    #[test]
    fn durations_keep_a_fraction_only_below_a_millisecond() {
        let text = |nanos| Duration(nanos).to_string();
        assert_eq!(text(153_999), "0.153ms");
        assert_eq!(text(999_999), "0.999ms");
        assert_eq!(text(1_999_999), "1ms");
        assert_eq!(text(4_283_000_000), "4283ms");
    }
}
