/*
 * spandrel_otlp.h: reads the spans of a batch (OTLP protobuf) without a protobuf library, without
 * allocating, and never beyond the bytes that are there. C99 and C++11.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 *     spandrel_spans spans = spandrel_spans_of(batch);
 *     spandrel_span span;
 *     while (spandrel_next_span(&spans, &span)) {
 *         spandrel_attribute attribute;
 *         while (spandrel_next_attribute(&span.attributes, &attribute)) ...
 *     }
 *     if (spans.malformed) return SPANDREL_MALFORMED;
 *
 * All that is read points into the batch. For the events of a span (field 11 of its message), its
 * links (13) and the rest, go on with spandrel_next_field.
 */
#ifndef SPANDREL_OTLP_H
#define SPANDREL_OTLP_H

#include "spandrel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One field of a message: a number or, if `wire` is 2, bytes. */
typedef struct spandrel_field {
    uint32_t number;
    uint32_t wire;
    uint64_t value;
    spandrel_bytes bytes;
} spandrel_field;

/* The attributes that are left, among the other fields of their message. */
typedef struct spandrel_attributes {
    spandrel_bytes rest;
    uint32_t number;
} spandrel_attributes;

typedef struct spandrel_span {
    spandrel_text name;
    spandrel_bytes trace_id;       /* 16 bytes, which is checked */
    spandrel_bytes span_id;        /* 8 bytes */
    spandrel_bytes parent_span_id; /* 8 bytes, or none */
    uint64_t start_ns;
    uint64_t end_ns;
    uint32_t kind;   /* SPANDREL_SPAN_... */
    uint32_t status; /* SPANDREL_STATUS_... */
    spandrel_text status_text;
    spandrel_attributes attributes;
    spandrel_bytes message; /* the whole span */
} spandrel_span;

/* Where spandrel_next_span is. The message goes through all parts, a span is in one. */
typedef struct spandrel_spans {
    const spandrel_batch *batch;
    size_t part;         /* the part behind `rest` */
    spandrel_bytes rest; /* of the part before */
    uint64_t position;
    uint64_t ends[2]; /* of the ResourceSpans and ScopeSpans that it is in */
    int malformed;    /* 1 if the bytes were not OTLP; no more spans are read then */
} spandrel_spans;

static inline int spandrel_next_varint(spandrel_bytes *rest, uint64_t *value) {
    unsigned shift;
    *value = 0;
    for (shift = 0; shift < 64 && rest->len > 0; shift += 7) {
        uint8_t byte = *rest->ptr++;
        rest->len--;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) return 1;
    }
    return 0;
}

/* Reads the head of a field, and its value if that is a varint; `len` bytes follow. 1, or 0 if it is malformed. */
static inline int spandrel_next_head(spandrel_bytes *rest, spandrel_field *field, uint64_t *len) {
    uint64_t key;
    memset(field, 0, sizeof *field);
    *len = 0;
    if (!spandrel_next_varint(rest, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff) return 0;
    field->number = (uint32_t)(key >> 3);
    field->wire = (uint32_t)(key & 7);
    switch (field->wire) {
        case 0: return spandrel_next_varint(rest, &field->value);
        case 1: *len = 8; return 1;
        case 2: return spandrel_next_varint(rest, len);
        case 5: *len = 4; return 1;
        default: return 0;
    }
}

/* Reads one field and moves behind it: 1 if there was one, 0 at the end, -1 if it is malformed. */
static inline int spandrel_next_field(spandrel_bytes *rest, spandrel_field *field) {
    uint64_t len, i;
    if (rest->len == 0) return 0;
    if (!spandrel_next_head(rest, field, &len) || len > rest->len) return -1;
    field->bytes.ptr = rest->ptr;
    field->bytes.len = (size_t)len;
    for (i = 0; field->wire != 2 && i < len; i++) field->value |= (uint64_t)rest->ptr[i] << (8 * i);
    rest->ptr += (size_t)len;
    rest->len -= (size_t)len;
    return 1;
}

static inline spandrel_text spandrel_field_text(const spandrel_field *field) {
    spandrel_text text;
    text.ptr = (const char *)field->bytes.ptr;
    text.len = field->bytes.len;
    return text;
}

/* The attributes in the fields with this number: 9 of a span, 1 of a resource. */
static inline spandrel_attributes spandrel_attributes_of(spandrel_bytes message, uint32_t number) {
    spandrel_attributes attributes;
    attributes.rest = message;
    attributes.number = number;
    return attributes;
}

/* Reads one attribute: 1 if there was one, 0 at the end or at what is malformed. The kind is
 * SPANDREL_VALUE_BOOL, _I64, _F64, _TEXT, or 0 for arrays and other values, which are not read. */
static inline int spandrel_next_attribute(spandrel_attributes *attributes, spandrel_attribute *attribute) {
    spandrel_field field, part, value;
    do {
        if (spandrel_next_field(&attributes->rest, &field) != 1) return 0;
    } while (field.number != attributes->number || field.wire != 2);
    memset(attribute, 0, sizeof *attribute);
    while (spandrel_next_field(&field.bytes, &part) == 1) {
        if (part.number == 1) attribute->key = spandrel_field_text(&part);
        while (part.number == 2 && spandrel_next_field(&part.bytes, &value) == 1) {
            attribute->value.kind = 0;
            if (value.number == 1 && value.wire == 2) {
                attribute->value.kind = SPANDREL_VALUE_TEXT;
                attribute->value.data.text = spandrel_field_text(&value);
            } else if (value.number == 2 && value.wire == 0) {
                attribute->value.kind = SPANDREL_VALUE_BOOL;
                attribute->value.data.boolean = value.value != 0;
            } else if ((value.number == 3 && value.wire == 0) || (value.number == 4 && value.wire == 1)) {
                attribute->value.kind = value.number == 3 ? SPANDREL_VALUE_I64 : SPANDREL_VALUE_F64;
                memcpy(&attribute->value.data, &value.value, sizeof value.value);
            }
        }
    }
    return 1;
}

/* Reads a span from its message: 1, or 0 if it is malformed. */
static inline int spandrel_read_span(spandrel_bytes message, spandrel_span *span) {
    spandrel_field field, part;
    int more;
    memset(span, 0, sizeof *span);
    span->message = message;
    span->attributes = spandrel_attributes_of(message, 9);
    while ((more = spandrel_next_field(&message, &field)) == 1) {
        switch (field.number) {
            case 1: span->trace_id = field.bytes; break;
            case 2: span->span_id = field.bytes; break;
            case 4: span->parent_span_id = field.bytes; break;
            case 5: span->name = spandrel_field_text(&field); break;
            case 6: span->kind = (uint32_t)field.value; break;
            case 7: span->start_ns = field.value; break;
            case 8: span->end_ns = field.value; break;
            case 15:
                while ((more = spandrel_next_field(&field.bytes, &part)) == 1) {
                    if (part.number == 2) span->status_text = spandrel_field_text(&part);
                    if (part.number == 3) span->status = (uint32_t)part.value;
                }
                if (more < 0) return 0;
                break;
            default: break;
        }
    }
    return more == 0 && span->trace_id.len == 16 && span->span_id.len == 8 &&
           (span->parent_span_id.len == 0 || span->parent_span_id.len == 8);
}

static inline spandrel_spans spandrel_spans_of(const spandrel_batch *batch) {
    spandrel_spans spans;
    memset(&spans, 0, sizeof spans);
    spans.batch = batch;
    return spans;
}

/* Moves to the next part if this one is used up; 0 if there is none. */
static inline int spandrel_settle(spandrel_spans *spans) {
    while (spans->rest.len == 0 && spans->part < spans->batch->parts_len) {
        spans->rest = spans->batch->parts[spans->part++];
    }
    return spans->rest.len > 0;
}

/* Takes at most `len` bytes of one part. */
static inline spandrel_bytes spandrel_take(spandrel_spans *spans, uint64_t len) {
    spandrel_bytes taken;
    if (len > 0) spandrel_settle(spans);
    taken.ptr = spans->rest.ptr;
    taken.len = len < spans->rest.len ? (size_t)len : spans->rest.len;
    if (taken.len > 0) spans->rest.ptr += taken.len;
    spans->rest.len -= taken.len;
    spans->position += taken.len;
    return taken;
}

/* Reads the next span of the batch: 1, or 0 at the end or at what is malformed. */
static inline int spandrel_next_span(spandrel_spans *spans, spandrel_span *span) {
    /* ExportTraceServiceRequest.resource_spans, ResourceSpans.scope_spans, ScopeSpans.spans */
    static const uint32_t numbers[3] = { 1, 2, 2 };
    spandrel_field field;
    while (!spans->malformed) {
        int depth = spans->position < spans->ends[1] ? 2 : spans->position < spans->ends[0] ? 1 : 0;
        uint64_t len, room = depth == 0 ? UINT64_MAX : spans->ends[depth - 1];
        size_t before;
        if (!spandrel_settle(spans)) {
            spans->malformed = depth > 0;
            return 0;
        }
        before = spans->rest.len;
        spans->malformed = !spandrel_next_head(&spans->rest, &field, &len);
        spans->position += before - spans->rest.len;
        if (spans->malformed || spans->position > room || len > room - spans->position) {
            spans->malformed = 1;
        } else if (field.number != numbers[depth] || field.wire != 2) {
            while (len > 0) {
                size_t skipped = spandrel_take(spans, len).len;
                len = skipped > 0 ? len - skipped : 0;
                spans->malformed = skipped == 0;
            }
        } else if (depth < 2) {
            spans->ends[depth] = spans->position + len;
        } else {
            spandrel_bytes message = spandrel_take(spans, len);
            if (message.len == len && spandrel_read_span(message, span)) return 1;
            spans->malformed = 1;
        }
    }
    return 0;
}

#ifdef __cplusplus
}
#endif

#endif /* SPANDREL_OTLP_H */
