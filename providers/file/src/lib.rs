//! Spandrel provider that writes traces to a file as OTLP/JSON lines.
