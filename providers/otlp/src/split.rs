use spandrel_plugin_api::wire::field::{REQUEST_RESOURCE_SPANS, RESOURCE_SPANS_SCOPE_SPANS, SCOPE_SPANS_SPANS};
use spandrel_plugin_api::wire::{self, Field, Fields};
use spandrel_plugin_api::{Error, SpanBatch};

/// A batch in two requests, the first of which has as many spans as asked for.
///
/// Both have all resources and scopes, so that one without spans is harmless but
/// needless. Copies the spans; only batches above the limit come here.
pub(crate) fn split(batch: &SpanBatch<'_>, first: usize) -> Result<[Vec<u8>; 2], Error> {
    let message = batch.to_bytes();
    let part = |keep: &dyn Fn(usize) -> bool| {
        let mut seen = 0;
        kept(&message, &[REQUEST_RESOURCE_SPANS, RESOURCE_SPANS_SCOPE_SPANS, SCOPE_SPANS_SPANS], &mut seen, keep)
    };
    Ok([part(&|span| span < first)?, part(&|span| span >= first)?])
}

/// A message without the spans that are not to be kept. `path` leads to the spans;
/// `seen` counts them.
fn kept(message: &[u8], path: &[u32], seen: &mut usize, keep: &dyn Fn(usize) -> bool) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(message.len());
    for field in Fields::new(message) {
        match field? {
            (number, Field::Len(bytes)) => match path {
                [next, rest @ ..] if *next == number && !rest.is_empty() => {
                    wire::put_bytes(&mut out, number, &kept(bytes, rest, seen, keep)?);
                }
                [span] if *span == number => {
                    if keep(*seen) {
                        wire::put_bytes(&mut out, number, bytes);
                    }
                    *seen += 1;
                }
                _ => wire::put_bytes(&mut out, number, bytes),
            },
            (number, Field::Varint(value)) => wire::put_uint(&mut out, number, value),
            (number, Field::Fixed64(value)) => wire::put_fixed64(&mut out, number, value),
            (number, Field::Fixed32(value)) => wire::put_fixed32(&mut out, number, value),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use spandrel_plugin_api::SpanBatch;
    use spandrel_plugin_api::wire::{put_bytes, put_fixed64, put_uint};

    use super::split;

    /// Two resources with two scopes each, and two spans in each scope.
    fn message() -> Vec<u8> {
        let mut request = Vec::new();
        for resource in 0..2 {
            let mut resource_spans = Vec::new();
            put_bytes(&mut resource_spans, 1, &[]);
            for scope in 0..2 {
                let mut scope_spans = Vec::new();
                let mut name = Vec::new();
                put_bytes(&mut name, 1, format!("scope {resource}.{scope}").as_bytes());
                put_bytes(&mut scope_spans, 1, &name);
                for span in 0..2 {
                    let mut bytes = Vec::new();
                    put_bytes(&mut bytes, 5, format!("{resource}.{scope}.{span}").as_bytes());
                    put_uint(&mut bytes, 6, 2);
                    put_fixed64(&mut bytes, 7, 9);
                    put_bytes(&mut scope_spans, 2, &bytes);
                }
                put_bytes(&mut scope_spans, 3, b"schema");
                put_bytes(&mut resource_spans, 2, &scope_spans);
            }
            put_bytes(&mut request, 1, &resource_spans);
        }
        request
    }

    fn names(message: &[u8]) -> Vec<String> {
        let parts = [message];
        let spans = SpanBatch::new(&parts, 0).spans();
        spans.map(|span| span.unwrap()).map(|span| format!("{} {}", span.scope().name, span.name())).collect()
    }

    #[test]
    fn each_span_is_in_one_half_and_keeps_its_scope() {
        let message = message();
        let all = names(&message);
        assert_eq!((all.len(), all[5].as_str()), (8, "scope 1.0 1.0.1"));
        let parts = [&message[..20], &message[20..]];
        for first in 0..9 {
            let halves = split(&SpanBatch::new(&parts, 8), first).unwrap().map(|half| names(&half));
            assert_eq!(halves, [&all[..first.min(8)], &all[first.min(8)..]], "{first}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let message = message();
        assert!(split(&SpanBatch::new(&[&message[..50]], 1), 1).is_err());
    }
}
