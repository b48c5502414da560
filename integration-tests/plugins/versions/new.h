/* The plugin boundary as somebody may know it whose version is 1.9: all that 1.0 has, and after that
 * fields and entries, kinds and flags that 1.0 has never heard of.
 *
 * Frozen: written by hand, and never to follow spandrel.h. What is here of 1.0 was promised for ever;
 * the rest is made up. */
#ifndef NEW_H
#define NEW_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { OK = 0, CONFIG_INVALID = 1, UNSUPPORTED = 2, UNAVAILABLE = 3, PANICKED = 7, OVERLOADED = 4711 };
enum { KIND_EXPORTER = 1, KIND_PROVIDER = 2 };
enum { SAMPLE_NO_OPINION = 0, SAMPLE_RECORD = 1, SAMPLE_DROP = 2, SAMPLE_LATER = 99 };
enum { LOG_ERROR = 1, LOG_WARNING = 2, LOG_INFO = 3, LOG_WHISPER = 77 };

/* Unknown flags mean nothing. */
#define FLAG_OF_1_9 ((uint64_t)1 << 40)

/* What nobody of 1.0 may call or follow. */
static inline int32_t never_called(void *data) {
    (void)data;
    abort();
}

#define HAS(type, pointer, field) ((pointer)->size >= offsetof(type, field) + sizeof(((type *)0)->field))
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
    const attribute *attributes;
    size_t attributes_len;

    uint64_t severity;
    const char *stack;
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
    const struct link *links;
    size_t links_len;
    text scope_name;
    text scope_version;

    text session;
    const char *cost_center;
} span_start;

typedef struct batch {
    size_t size;
    const bytes *parts;
    size_t parts_len;
    uint64_t span_count;

    uint64_t batch_id;
    const char *checksum;
} batch;

typedef struct stats {
    size_t size;
    uint64_t recorded;
    uint64_t exported;
    uint64_t pending;
    uint64_t dropped_queue_full;
    uint64_t dropped_too_large;
    uint64_t dropped_export_failed;
    uint64_t dropped_panicked;
    uint64_t dropped_after_shutdown;
    uint64_t dropped_forked;
    uint64_t panics;

    uint64_t retried;
    uint64_t spooled;
} stats;

typedef struct context_entry {
    text key;
    text value;
} context_entry;

typedef struct error {
    size_t size;
    text message;
    text cause;
    const struct context_entry *context;
    size_t context_len;
    void (*release)(struct error *error);
    void *private_data;

    uint64_t retry_after_ns;
    const char *manual;
} error;

typedef struct create_arguments {
    size_t size;
    text name;
    text config;
    const attribute *resource;
    size_t resource_len;

    text tenant;
} create_arguments;

typedef struct host {
    size_t size;
    uint16_t abi_major;
    uint16_t abi_minor;
    uint32_t reserved;
    void *data;
    text version;
    void (*log)(void *data, uint32_t level, text message);
    uint64_t (*now_ns)(void *data);
    void (*count)(void *data, text name, uint64_t by);
    void (*suppress_tracing)(void *data, uint32_t on);

    int32_t (*spawn)(void *data, int32_t (*work)(void *data), void *work_data);
} host;

typedef void (*found)(void *user, const context *context);

typedef struct carrier {
    size_t size;
    void *data;
    void (*for_each_value)(void *data, text name, void *user, void (*each)(void *user, text value));

    size_t (*names)(void *data);
} carrier;

typedef struct carrier_mut {
    size_t size;
    void *data;
    void (*set)(void *data, text name, text value);
    void (*remove)(void *data, text name);

    void (*append)(void *data, text name, text value);
} carrier_mut;

typedef struct exporter_table {
    size_t size;
    int32_t (*export_batch)(void *data, const batch *batch, error *error);
    int32_t (*flush)(void *data, uint64_t timeout_ns, error *error);
    int32_t (*shutdown)(void *data, uint64_t timeout_ns, error *error);
    int32_t (*destroy)(void *data);
    int32_t (*on_idle)(void *data);
    int32_t (*after_fork_child)(void *data);
    int32_t (*on_start)(void *data, const span_start *start);
    int32_t (*sample)(void *data, const span_start *start, uint32_t *decision);
    int32_t (*extract)(void *data, const carrier *carrier, void *user, found found);
    int32_t (*inject)(void *data, const context *context, const carrier_mut *carrier);
    int32_t (*stats)(void *data, stats *stats);
    int32_t (*health)(void *data, error *error);

    int32_t (*compact)(void *data);
    int32_t (*query)(void *data);
    int32_t (*on_metric)(void *data);
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
    int32_t (*enter_span)(void *data, uint64_t span);
    int32_t (*exit_span)(void *data, uint64_t span);
    int32_t (*enter_unsampled)(void *data, const context *context);
    int32_t (*exit_unsampled)(void *data, const context *context);
    int32_t (*current_context)(void *data, void *user, found found);
    int32_t (*retire)(void *data);
    int32_t (*after_fork_child)(void *data);
    int32_t (*sample)(void *data, const span_start *start, uint32_t *decision);
    int32_t (*extract)(void *data, const carrier *carrier, void *user, found found);
    int32_t (*inject)(void *data, const context *context, const carrier_mut *carrier);
    int32_t (*stats)(void *data, stats *stats);
    int32_t (*health)(void *data, error *error);

    int32_t (*on_log)(void *data);
    int32_t (*on_metric)(void *data);
} provider_table;

typedef struct instance {
    size_t size;
    void *data;
    const exporter_table *exporter;
    const provider_table *provider;
    const text *propagation_fields;
    size_t propagation_fields_len;
    uint64_t flags;

    const text *metric_names;
    int32_t (*reconfigure)(void *data);
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
    int32_t (*validate_config)(const create_arguments *arguments, const host *host, error *error);
    const void *layout;

    int32_t (*migrate)(void *data);
    const char *signature;
} descriptor;

#define MAGIC { 'S', 'P', 'A', 'N', 'D', 'R', 'E', 'L' }

#if defined(__APPLE__)
#define SECTION __attribute__((section("__DATA,__spandrel"), used))
#else
#define SECTION __attribute__((section(".spandrel"), used))
#endif

#endif
