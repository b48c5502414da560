/* The plugin boundary as somebody knows it whose version has less: structures end earlier, and
 * tables have the required entries alone.
 *
 * Frozen: written by hand, and never to follow spandrel.h. What is here was promised for ever. */
#ifndef OLD_H
#define OLD_H

#include <stddef.h>
#include <stdint.h>

enum { OK = 0, CONFIG_INVALID = 1, UNAVAILABLE = 3, PANICKED = 7 };
enum { KIND_EXPORTER = 1, KIND_PROVIDER = 2 };
enum { VALUE_BOOL = 1, VALUE_I64, VALUE_F64, VALUE_TEXT, VALUE_BOOL_ARRAY, VALUE_I64_ARRAY, VALUE_F64_ARRAY,
       VALUE_TEXT_ARRAY };

typedef struct text {
    const char *ptr;
    size_t len;
} text;

#define TEXT(literal) { literal, sizeof(literal) - 1 }

typedef struct bytes {
    const uint8_t *ptr;
    size_t len;
} bytes;

typedef struct array {
    const void *ptr;
    size_t len;
} array;

typedef struct value {
    uint32_t kind;
    uint32_t reserved;
    union {
        uint8_t boolean;
        int64_t integer;
        double number;
        text text;
        array array;
    } data;
} value;

typedef struct attribute {
    text key;
    value value;
} attribute;

typedef struct context {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint32_t flags;
    uint32_t is_remote;
    text trace_state;
} context;

typedef struct event {
    size_t size;
    uint64_t time_ns;
    text name;
} event;

typedef struct link {
    context context;
    const attribute *attributes;
    size_t attributes_len;
} link;

typedef struct span_start {
    size_t size;
    const context *context;
    const struct context *parent;
    text name;
    uint32_t kind;
    uint32_t reserved;
    uint64_t time_ns;
    const attribute *attributes;
    size_t attributes_len;
} span_start;

typedef struct batch {
    size_t size;
    const bytes *parts;
    size_t parts_len;
} batch;

typedef struct stats {
    size_t size;
    uint64_t recorded;
    uint64_t exported;
    uint64_t pending;
} stats;

typedef struct error {
    size_t size;
    text message;
    text cause;
} error;

typedef struct create_arguments {
    size_t size;
    text name;
    text config;
} create_arguments;

typedef struct host {
    size_t size;
    uint16_t abi_major;
    uint16_t abi_minor;
    uint32_t reserved;
    void *data;
    text version;
    void (*log)(void *data, uint32_t level, text message);
} host;

typedef struct exporter_table {
    size_t size;
    int32_t (*export_batch)(void *data, const batch *batch, error *error);
    int32_t (*flush)(void *data, uint64_t timeout_ns, error *error);
    int32_t (*shutdown)(void *data, uint64_t timeout_ns, error *error);
    int32_t (*destroy)(void *data);
} exporter_table;

typedef struct provider_table {
    size_t size;
    int32_t (*start_span)(void *data, const span_start *start, uint64_t *span);
    int32_t (*end_span)(void *data, uint64_t span, uint64_t time_ns);
    int32_t (*set_span_status)(void *data, uint64_t span, uint32_t status, text text);
    int32_t (*set_span_name)(void *data, uint64_t span, text name);
    int32_t (*add_span_attributes)(void *data, uint64_t span, const attribute *attributes, size_t attributes_len);
    int32_t (*add_span_event)(void *data, uint64_t span, const event *event);
    int32_t (*add_span_link)(void *data, uint64_t span, const link *link);
    int32_t (*flush)(void *data, uint64_t timeout_ns, error *error);
    int32_t (*shutdown)(void *data, uint64_t timeout_ns, error *error);
    int32_t (*destroy)(void *data);
} provider_table;

typedef struct instance {
    size_t size;
    void *data;
    const exporter_table *exporter;
    const provider_table *provider;
} instance;

typedef struct descriptor {
    char magic[8];
    size_t size;
    uint16_t abi_major;
    uint16_t abi_minor;
    uint16_t abi_minor_min;
    uint16_t kind;
    uint64_t flags;
    text name;
    text version;
    text vendor;
    text license;
    text description;
    text target;
    int32_t (*create)(const create_arguments *arguments, const host *host, instance *instance, error *error);
} descriptor;

#define MAGIC { 'S', 'P', 'A', 'N', 'D', 'R', 'E', 'L' }

#if defined(__APPLE__)
#define SECTION __attribute__((section("__DATA,__spandrel"), used))
#else
#define SECTION __attribute__((section(".spandrel"), used))
#endif

#endif
