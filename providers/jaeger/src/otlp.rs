use spandrel_plugin_api::wire::{Field, Fields};
use spandrel_plugin_api::{Error, ErrorKind, SpanBatch};
use spandrel_post::Client;

/// Sends a batch to a Jaeger that takes OTLP: the recorder's bytes as they are.
pub(crate) fn send(client: &Client, batch: &SpanBatch<'_>) -> Result<(), Error> {
    if batch.span_count() == 0 {
        return Ok(());
    }
    let answer = client.post("application/x-protobuf", &batch.to_bytes())?;
    // Not all say what became of the spans as they should, and what cannot be read is no objection.
    let (rejected, message) = partial_success(&answer).unwrap_or_default();
    let rejected = rejected.min(batch.span_count() as u64);
    if rejected == 0 {
        return Ok(());
    }
    let text = format!("Jaeger refused {rejected} of {} spans", batch.span_count());
    Err(Error::new(ErrorKind::SpansLost, text)
        .with_spans_lost(rejected)
        .with_context("said", client.quoted(message))
        .with_context("endpoint", client.endpoint().to_string()))
}

/// How many spans of a request that was taken were refused, and why.
///
/// Source: opentelemetry-proto, `trace_service.proto`, `ExportTraceServiceResponse`.
fn partial_success(response: &[u8]) -> Result<(u64, &[u8]), Error> {
    let (mut rejected, mut message): (u64, &[u8]) = (0, &[]);
    for field in Fields::new(response) {
        let (1, Field::Len(partial)) = field? else { continue };
        for field in Fields::new(partial) {
            match field? {
                // A negative number is nonsense.
                (1, Field::Varint(number)) => rejected = u64::try_from(number as i64).unwrap_or(0),
                (2, Field::Len(text)) => message = text,
                _ => {}
            }
        }
    }
    Ok((rejected, message))
}
