/* A host whose boundary has less, and which loads plugins that have more: `old_host LIBRARY CONFIG`.
 * Prints what it sees. See old.h. */
#define _POSIX_C_SOURCE 200809L
#include "old.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What lies behind a structure of ours; a plugin that writes there takes it for a larger one. */
#define CANARY 0xa5
typedef struct room {
    union {
        instance instance;
        error error;
    } used;
    uint8_t canary[256];
} room;

#define TRACE_ID { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 }

/* A request with one span, in OTLP; the parts are put together by the plugin. */
static const uint8_t head[] = { 0x0a, 0x38, 0x12, 0x36 };
static const uint8_t span_bytes[] = {
    0x12, 0x34,                                                      /* a span */
    0x0a, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, /* trace_id */
    0x12, 8, 1, 1, 1, 1, 1, 1, 1, 1,                                 /* span_id */
    0x2a, 4, 'w', 'o', 'r', 'k',                                     /* name */
    0x39, 1, 0, 0, 0, 0, 0, 0, 0,                                    /* start */
    0x41, 3, 0, 0, 0, 0, 0, 0, 0,                                    /* end */
};

static void log_message(void *data, uint32_t level, text message) {
    printf("log %s %" PRIu32 " %.*s\n", (const char *)data, level, (int)message.len, message.ptr);
}

/* Room for a structure of this size, all zero but for its first field. */
static void clear(room *room, size_t size) {
    memset(room, CANARY, sizeof *room);
    memset(room, 0, size);
    memcpy(room, &size, sizeof size);
}

static int is_intact(const room *room, size_t size) {
    const uint8_t *all = (const uint8_t *)room;
    size_t i;
    for (i = size; i < sizeof *room; i++) {
        if (all[i] != CANARY) return 0;
    }
    return 1;
}

/* Prints a status and the error's text; whether all is well. */
static int said(const char *what, int32_t status, const room *failure) {
    text message = failure->used.error.message;
    int is_well = is_intact(failure, sizeof(error));
    printf("%s: %" PRId32 "%s", what, status, message.len > 0 ? " " : "");
    if (message.len > 0) fwrite(message.ptr, 1, message.len, stdout);
    printf("%s\n", is_well ? "" : " WROTE PAST THE END");
    return is_well && status == OK;
}

static int run_exporter(void *data, const exporter_table *table) {
    bytes parts[2] = { { head, sizeof head }, { span_bytes, sizeof span_bytes } };
    batch batch = { sizeof batch, parts, 2 };
    room room;
    int is_well;
    clear(&room, sizeof(error));
    is_well = said("export", table->export_batch(data, &batch, &room.used.error), &room);
    clear(&room, sizeof(error));
    is_well &= said("flush", table->flush(data, 1000000000, &room.used.error), &room);
    clear(&room, sizeof(error));
    is_well &= said("shutdown", table->shutdown(data, 1000000000, &room.used.error), &room);
    clear(&room, sizeof(error));
    return is_well & said("destroy", table->destroy(data), &room);
}

static int run_provider(void *data, const provider_table *table) {
    context own = { TRACE_ID, { 1, 1, 1, 1, 1, 1, 1, 1 }, 1, 0, TEXT("") };
    context other = { TRACE_ID, { 2, 2, 2, 2, 2, 2, 2, 2 }, 1, 1, TEXT("") };
    attribute attributes[2] = {
        { TEXT("step"), { VALUE_I64, 0, { .integer = 7 } } },
        { TEXT("note"), { VALUE_TEXT, 0, { .text = TEXT("old") } } },
    };
    span_start start = { sizeof start, &own, &other, TEXT("work"), 2, 0, 1, attributes, 2 };
    event event = { sizeof event, 2, TEXT("half") };
    link link = { other, attributes, 1 };
    uint64_t span = 0;
    room room;
    int is_well = 1;
    clear(&room, sizeof(error));
    is_well &= said("start_span", table->start_span(data, &start, &span), &room);
    is_well &= said("set_span_status", table->set_span_status(data, span, 2, (text)TEXT("bad")), &room);
    is_well &= said("set_span_name", table->set_span_name(data, span, (text)TEXT("rework")), &room);
    is_well &= said("add_span_attributes", table->add_span_attributes(data, span, attributes, 2), &room);
    is_well &= said("add_span_event", table->add_span_event(data, span, &event), &room);
    is_well &= said("add_span_link", table->add_span_link(data, span, &link), &room);
    is_well &= said("end_span", table->end_span(data, span, 3), &room);
    is_well &= said("flush", table->flush(data, 1000000000, &room.used.error), &room);
    clear(&room, sizeof(error));
    is_well &= said("shutdown", table->shutdown(data, 1000000000, &room.used.error), &room);
    clear(&room, sizeof(error));
    return is_well & said("destroy", table->destroy(data), &room);
}

int main(int argc, char **argv) {
    static host host = { sizeof host, 1, 0, 0, "of old", TEXT("old host 0.1"), log_message };
    create_arguments arguments = { sizeof arguments, TEXT("old"), { NULL, 0 } };
    const descriptor *(*entry)(void);
    const descriptor *plugin;
    room made, failure;
    instance *instance;
    void *library;
    if (argc != 3) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if ((library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL)) == NULL) {
        printf("dlopen: %s\n", dlerror());
        return 2;
    }
    *(void **)&entry = dlsym(library, "spandrel_plugin_v1");
    if (entry == NULL || (plugin = entry()) == NULL) return 2;
    if (memcmp(plugin->magic, "SPANDREL", 8) != 0 || plugin->size < sizeof *plugin || plugin->abi_major != 1 ||
        plugin->abi_minor_min > 0) {
        printf("not a plugin for this host\n");
        return 2;
    }
    printf("plugin %.*s, ABI %u, kind %u, %s\n", (int)plugin->name.len, plugin->name.ptr, plugin->abi_major,
           plugin->kind, plugin->size > sizeof *plugin ? "has more" : "has no more");
    arguments.config.ptr = argv[2];
    arguments.config.len = strlen(argv[2]);
    clear(&made, sizeof(struct instance));
    clear(&failure, sizeof(error));
    instance = &made.used.instance;
    if (!said("create", plugin->create(&arguments, &host, instance, &failure.used.error), &failure)) return 1;
    if (!is_intact(&made, sizeof *instance)) {
        printf("the instance is larger than it may be\n");
        return 1;
    }
    if (plugin->kind == KIND_EXPORTER && instance->exporter != NULL) {
        printf("table %s\n", instance->exporter->size > sizeof(exporter_table) ? "has more" : "has no more");
        return !run_exporter(instance->data, instance->exporter);
    }
    if (plugin->kind == KIND_PROVIDER && instance->provider != NULL) {
        printf("table %s\n", instance->provider->size > sizeof(provider_table) ? "has more" : "has no more");
        return !run_provider(instance->data, instance->provider);
    }
    printf("no table\n");
    return 1;
}
