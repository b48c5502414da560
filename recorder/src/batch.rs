use spandrel_plugin_api::wire::{self, field};

use crate::live::Chunk;
use crate::scopes::Scopes;

/// Calls `export` with the chunks as the parts of one OTLP message.
///
/// The spans are not copied: between them go the heads of the enclosing
/// messages. `resource` is an encoded message.
pub(crate) fn with_parts<R>(
    chunks: &[Chunk],
    resource: &[u8],
    scopes: &Scopes,
    export: impl FnOnce(&[&[u8]]) -> R,
) -> R {
    let mut pieces: Vec<(u32, &[u8])> = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        for (scope, range) in chunk.block.runs(chunk.range.clone()) {
            pieces.push((scope, chunk.block.read(range)));
        }
    }
    pieces.sort_by_key(|(scope, _)| *scope);
    let groups: Vec<&[(u32, &[u8])]> = pieces.chunk_by(|a, b| a.0 == b.0).collect();

    let heads: Vec<Vec<u8>> = groups.iter().map(|group| scope_spans_head(group, scopes)).collect();
    let bodies = groups.iter().map(|group| bytes_of(group));
    let scope_spans: usize = heads.iter().zip(bodies).map(|(head, body)| head.len() + body).sum();
    let mut head = Vec::with_capacity(resource.len() + 16);
    wire::put_len(
        &mut head,
        field::REQUEST_RESOURCE_SPANS,
        wire::len_field_len(field::RESOURCE_SPANS_RESOURCE, resource.len()) + scope_spans,
    );
    wire::put_bytes(&mut head, field::RESOURCE_SPANS_RESOURCE, resource);

    let mut parts: Vec<&[u8]> = Vec::with_capacity(1 + heads.len() + pieces.len());
    parts.push(&head);
    for (head, group) in heads.iter().zip(&groups) {
        parts.push(head);
        parts.extend(group.iter().map(|(_, bytes)| *bytes));
    }
    export(&parts)
}

fn scope_spans_head(group: &[(u32, &[u8])], scopes: &Scopes) -> Vec<u8> {
    let scope = group.first().map_or(&[][..], |(scope, _)| scopes.encoded(*scope));
    let mut head = Vec::with_capacity(scope.len() + 16);
    let len = wire::len_field_len(field::SCOPE_SPANS_SCOPE, scope.len()) + bytes_of(group);
    wire::put_len(&mut head, field::RESOURCE_SPANS_SCOPE_SPANS, len);
    wire::put_bytes(&mut head, field::SCOPE_SPANS_SCOPE, scope);
    head
}

fn bytes_of(group: &[(u32, &[u8])]) -> usize {
    group.iter().map(|(_, bytes)| bytes.len()).sum()
}
