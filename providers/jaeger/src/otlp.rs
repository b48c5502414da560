use spandrel_plugin_api::{Error, ErrorKind, SpanBatch};
use spandrel_post::{Client, Taken};

/// Sends a batch to a Jaeger that takes OTLP: the recorder's bytes as they are.
pub(crate) fn send(client: &Client, batch: &SpanBatch<'_>) -> Result<(), Error> {
    if batch.span_count() == 0 {
        return Ok(());
    }
    let answer = client.post("application/x-protobuf", &batch.to_bytes())?;
    // What cannot be read is no objection.
    let taken = Taken::from_protobuf(&answer).unwrap_or_default();
    let rejected = taken.rejected.min(batch.span_count() as u64);
    if rejected == 0 {
        return Ok(());
    }
    let text = format!("Jaeger refused {rejected} of {} spans", batch.span_count());
    Err(Error::new(ErrorKind::SpansLost, text)
        .with_spans_lost(rejected)
        .with_context("said", client.quoted(taken.message.as_bytes()))
        .with_context("endpoint", client.endpoint().to_string()))
}
