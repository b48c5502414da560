/*
 * A plugin that does what no plugin should do, for integration-tests/tests/plugin_promises.
 *
 * What its functions do is said by words in its configuration, which is read as plain text:
 *
 *     log = "/a/file"                      each call is a line there: process, function, details
 *     behaviour = "flush=hangs export=4"   what a function does: see `act`
 *
 * What must be known before there is a configuration is said by macros: see the descriptor.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <spandrel.h>

#ifndef NAME
#define NAME "misbehaving"
#endif
#ifdef LIVE
#define KIND_WORD "provider"
#define TABLE spandrel_provider_table
#else
#define KIND_WORD "exporter"
#define TABLE spandrel_exporter_table
#endif

SPANDREL_METADATA(NAME, "1.0.0", KIND_WORD);

typedef struct plugin {
    const spandrel_host *host;
    char *config;
    int log;
    _Atomic uint64_t spans;
    pthread_t thread;
} plugin;

/* ---- what is said, and what was called ---- */

/* What stands behind ` <word>=`, or null. */
static const char *said(const plugin *self, const char *word) {
    size_t len = strlen(word);
    const char *found = self->config;
    while ((found = strstr(found, word)) != NULL) {
        int is_word = found > self->config && (found[-1] == ' ' || found[-1] == '"');
        if (is_word && found[len] == '=') return found + len + 1;
        found += len;
    }
    return NULL;
}

static int says(const plugin *self, const char *word, const char *value) {
    const char *found = said(self, word);
    size_t len = strlen(value);
    return found != NULL && strncmp(found, value, len) == 0 && (found[len] == ' ' || found[len] == '"');
}

static void note(plugin *self, const char *format, ...) {
    char line[512];
    int len = snprintf(line, sizeof line, "%d ", (int)getpid());
    va_list arguments;
    va_start(arguments, format);
    len += vsnprintf(line + len, sizeof line - (size_t)len - 1, format, arguments);
    va_end(arguments);
    line[len++] = '\n';
    if (self->log >= 0 && write(self->log, line, (size_t)len) < 0) abort();
}

static void release(spandrel_error *error) {
    note(error->private_data, "release");
}

/* Texts that are not UTF-8. */
static int32_t fail_invalid(plugin *self, spandrel_error *error, int32_t status) {
    static const spandrel_context_entry entry = {SPANDREL_TEXT("ke\xffy"), SPANDREL_TEXT("val\xffue")};
    if (error == NULL) return status;
    error->message = (spandrel_text)SPANDREL_TEXT("broken \xff text");
    error->cause = (spandrel_text)SPANDREL_TEXT("\xc3(");
    error->context = &entry;
    error->context_len = 1;
    error->release = release;
    error->private_data = self;
    return status;
}

/* Lengths of nothing. */
static int32_t fail_null(plugin *self, spandrel_error *error, int32_t status) {
    if (error == NULL) return status;
    error->message = (spandrel_text){NULL, 7};
    error->cause = (spandrel_text){NULL, 7};
    error->context_len = 7;
    error->release = release;
    error->private_data = self;
    return status;
}

/* `<call>=hangs` never returns, `=invalid` and `=null` fail with odd errors, `=filled` does so and
 * succeeds, a number is the status. */
static int32_t act(plugin *self, const char *call, spandrel_error *error) {
    const char *what = said(self, call);
    note(self, "%s", call);
    if (what == NULL) return SPANDREL_OK;
    while (says(self, call, "hangs")) pause();
    if (says(self, call, "invalid")) return fail_invalid(self, error, SPANDREL_UNAVAILABLE);
    if (says(self, call, "null")) return fail_null(self, error, SPANDREL_UNAVAILABLE);
    if (says(self, call, "filled")) return fail_invalid(self, error, SPANDREL_OK);
    return (int32_t)strtol(what, NULL, 10);
}

/* ---- what both tables have ---- */

static int32_t flush(void *data, uint64_t timeout_ns, spandrel_error *error) {
    int32_t status = act(data, "flush", error);
    note(data, "within %" PRIu64, timeout_ns);
    return status;
}

static int32_t shut_down(void *data, uint64_t timeout_ns, spandrel_error *error) {
    int32_t status = act(data, "shutdown", error);
    note(data, "within %" PRIu64, timeout_ns);
    return status;
}

static int32_t after_fork_child(void *data) {
    return act(data, "after_fork_child", NULL);
}

static int32_t sample(void *data, const spandrel_span_start *start, uint32_t *decision) {
    static const uint8_t none[8];
    plugin *self = data;
    const char *decided = said(self, "decide");
    int has_span_id = memcmp(start->context->span_id, none, sizeof none) != 0;
    note(self, "asked %.*s %s%s", (int)start->name.len, start->name.ptr, start->parent == NULL ? "root" : "remote",
         has_span_id ? " with a span id" : "");
    if (decided != NULL) *decision = (uint32_t)strtoul(decided, NULL, 10);
    return act(self, "sample", NULL);
}

static void show(void *user, spandrel_text value) {
    note(user, "value %.*s", (int)value.len, value.ptr);
}

static int32_t extract(void *data, const spandrel_carrier *carrier, void *user, spandrel_found found) {
    static const char *const names[] = {"x-misbehaving", "traceparent", "X-MISBEHAVING", "\xff"};
    spandrel_context context = {{1}, {2}, 1, 0, {NULL, 0}};
    plugin *self = data;
    size_t i;
    if (says(self, "extract", "suppressed")) {
        self->host->suppress_tracing(self->host->data, 1);
        carrier->for_each_value(carrier->data, spandrel_text_of(names[0]), self, show);
        self->host->suppress_tracing(self->host->data, 0);
    }
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        carrier->for_each_value(carrier->data, spandrel_text_of(names[i]), self, show);
    }
    carrier->for_each_value(carrier->data, (spandrel_text){NULL, 0}, NULL, NULL);
    if (says(self, "extract", "state")) context.trace_state = (spandrel_text)SPANDREL_TEXT("a=\xff");
    if (says(self, "extract", "good")) context.trace_state = (spandrel_text)SPANDREL_TEXT("a=1");
    if (says(self, "extract", "zero")) memset(&context, 0, sizeof context);
    if (says(self, "extract", "flags")) context.flags = context.is_remote = 0xffffffff;
    if (says(self, "extract", "none")) found(user, NULL);
    else found(user, &context);
    return act(self, "extract", NULL);
}

static int32_t inject(void *data, const spandrel_context *context, const spandrel_carrier_mut *carrier) {
    static const char *const names[] = {"x-misbehaving", "traceparent", "X-Upper", "x bad", "\xff", ""};
    plugin *self = data;
    const char *value = says(self, "inject", "invalid") ? "1\xff\xfe" : "1";
    size_t i;
    (void)context;
    for (i = 0; i < sizeof names / sizeof *names; i++) {
        carrier->set(carrier->data, spandrel_text_of(names[i]), spandrel_text_of(value));
    }
    carrier->remove(carrier->data, (spandrel_text)SPANDREL_TEXT("x-old"));
    carrier->remove(carrier->data, (spandrel_text)SPANDREL_TEXT("tracestate"));
    return says(self, "inject", "invalid") ? SPANDREL_OK : act(self, "inject", NULL);
}

static int32_t stats(void *data, spandrel_stats *out) {
    plugin *self = data;
    int32_t status = act(self, "stats", NULL);
    if (said(self, "stats") == NULL) return SPANDREL_UNSUPPORTED;
    if (says(self, "stats", "counted")) {
        out->recorded = 28;
        out->exported = 1, out->pending = 2, out->dropped_queue_full = 3, out->dropped_too_large = 4;
        out->dropped_export_failed = 5, out->dropped_panicked = 6, out->dropped_after_shutdown = 7;
        out->panics = 9;
    }
    return status;
}

static int32_t health(void *data, spandrel_error *error) {
    return act(data, "health", error);
}

/* The last call of an instance, and later none may come. */
static int32_t destroy(void *data);

/* ---- what only one of them has ---- */

#ifdef LIVE

static int32_t start_span(void *data, const spandrel_span_start *start, uint64_t *span) {
    plugin *self = data;
    note(self, "started %.*s", (int)start->name.len, start->name.ptr);
    *span = ++self->spans;
    return act(self, "start_span", NULL);
}

static int32_t end_span(void *data, uint64_t span, uint64_t time_ns) {
    (void)span, (void)time_ns;
    return act(data, "end_span", NULL);
}

static int32_t set_span_status(void *data, uint64_t span, uint32_t status, spandrel_text text) {
    (void)span, (void)status, (void)text;
    return act(data, "set_span_status", NULL);
}

static int32_t set_span_name(void *data, uint64_t span, spandrel_text name) {
    (void)span, (void)name;
    return act(data, "set_span_name", NULL);
}

static int32_t add_span_attributes(void *data, uint64_t span, const spandrel_attribute *attributes, size_t len) {
    (void)span, (void)attributes, (void)len;
    return act(data, "add_span_attributes", NULL);
}

static int32_t add_span_event(void *data, uint64_t span, const spandrel_event *event) {
    (void)span, (void)event;
    return act(data, "add_span_event", NULL);
}

static int32_t add_span_link(void *data, uint64_t span, const spandrel_link *link) {
    (void)span, (void)link;
    return act(data, "add_span_link", NULL);
}

static int32_t enter_span(void *data, uint64_t span) {
    (void)span;
    return act(data, "enter_span", NULL);
}

static int32_t exit_span(void *data, uint64_t span) {
    (void)span;
    return act(data, "exit_span", NULL);
}

static int32_t enter_unsampled(void *data, const spandrel_context *context) {
    (void)context;
    return act(data, "enter_unsampled", NULL);
}

static int32_t exit_unsampled(void *data, const spandrel_context *context) {
    (void)context;
    return act(data, "exit_unsampled", NULL);
}

static int32_t current_context(void *data, void *user, spandrel_found found) {
    static const spandrel_context zero;
    if (says(data, "current_context", "zero")) found(user, &zero);
    if (says(data, "current_context", "none")) found(user, NULL);
    return act(data, "current_context", NULL);
}

static int32_t retire(void *data) {
    return act(data, "retire", NULL);
}

#define ENTRIES(ENTRY) \
    ENTRY(start_span, start_span) ENTRY(end_span, end_span) ENTRY(set_span_status, set_span_status) \
    ENTRY(set_span_name, set_span_name) ENTRY(add_span_attributes, add_span_attributes) \
    ENTRY(add_span_event, add_span_event) ENTRY(add_span_link, add_span_link) ENTRY(flush, flush) \
    ENTRY(shutdown, shut_down) ENTRY(destroy, destroy) ENTRY(enter_span, enter_span) ENTRY(exit_span, exit_span) \
    ENTRY(enter_unsampled, enter_unsampled) ENTRY(exit_unsampled, exit_unsampled) \
    ENTRY(current_context, current_context) ENTRY(retire, retire) ENTRY(after_fork_child, after_fork_child) \
    ENTRY(sample, sample) ENTRY(extract, extract) ENTRY(inject, inject) ENTRY(stats, stats) ENTRY(health, health)

#else

static int32_t export_batch(void *data, const spandrel_batch *batch, spandrel_error *error) {
    note(data, "spans %" PRIu64, batch->span_count);
    return act(data, "export", error);
}

static int32_t on_idle(void *data) {
    return act(data, "on_idle", NULL);
}

static int32_t on_start(void *data, const spandrel_span_start *start) {
    note(data, "started %.*s", (int)start->name.len, start->name.ptr);
    return act(data, "on_start", NULL);
}

#define ENTRIES(ENTRY) \
    ENTRY(export_batch, export_batch) ENTRY(flush, flush) ENTRY(shutdown, shut_down) ENTRY(destroy, destroy) \
    ENTRY(on_idle, on_idle) ENTRY(after_fork_child, after_fork_child) ENTRY(on_start, on_start) \
    ENTRY(sample, sample) ENTRY(extract, extract) ENTRY(inject, inject) ENTRY(stats, stats) ENTRY(health, health)

#endif

/* `no_<entry>=yes` leaves it out. */
static TABLE table_of(const plugin *self) {
    TABLE table = {.size = sizeof table};
#define ENTRY(field, function) \
    if (said(self, "no_" #field) == NULL) table.field = function;
    ENTRIES(ENTRY)
#undef ENTRY
    return table;
}

/* A table of `size` bytes right before a page that nobody may read; what is behind the last
 * field, or behind `size`, is no address. */
static const TABLE *cut(TABLE table, size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), room = size < 8 ? 8 : (size + 7) / 8 * 8;
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *start;
    if (pages == MAP_FAILED || size > page || mprotect(pages + page, page, PROT_NONE) != 0) abort();
    start = pages + page - room;
    memset(start, 0xaa, room);
    table.size = size;
    memcpy(start, &table, size < sizeof table ? size : sizeof table);
    memcpy(start, &size, sizeof size);
    return (const TABLE *)(void *)start;
}

/* ---- life ---- */

static _Atomic int is_destroyed;

static void talk(const spandrel_host *host, const char *counter) {
    uint64_t before = host->now_ns(host->data);
    host->suppress_tracing(host->data, 1);
    host->suppress_tracing(host->data, 0);
    host->count(host->data, spandrel_text_of(counter), host->now_ns(host->data) >= before);
}

/* Outlives its instance, which no thread may do. */
static void *talk_on(void *data) {
    const spandrel_host *host = data;
    int i;
    talk(host, "before_destroy");
    while (!is_destroyed) sched_yield();
    for (i = 0; i < 1000; i++) talk(host, "after_destroy");
    host->log(host->data, SPANDREL_LOG_INFO, spandrel_text_of("after destroy"));
    return NULL;
}

static int32_t destroy(void *data) {
    plugin *self = data;
    int32_t status = act(self, "destroy", NULL);
    int has_thread = said(self, "thread") != NULL;
    close(self->log);
    free(self->config);
    free(self);
    if (has_thread) is_destroyed = 1;
    return status;
}

static void ask_host(plugin *self, spandrel_text name) {
    const spandrel_host *host = self->host;
    uint32_t level;
    note(self, "host %.*s %d.%d", (int)host->version.len, host->version.ptr, host->abi_major, host->abi_minor);
    note(self, "named %.*s", (int)name.len, name.ptr);
    note(self, "now %" PRIu64, host->now_ns(host->data));
    for (level = 0; level < 6; level++) {
        char text[16];
        snprintf(text, sizeof text, "level %" PRIu32, level);
        host->log(host->data, level, spandrel_text_of(text));
    }
    host->log(host->data, 0xffffffff, spandrel_text_of("bad \xff\xc3( text"));
    host->log(host->data, SPANDREL_LOG_ERROR, (spandrel_text){NULL, 0});
    host->count(host->data, spandrel_text_of("created"), 2);
    host->count(host->data, spandrel_text_of("bad \xff name"), 1);
    host->count(host->data, (spandrel_text){NULL, 0}, UINT64_MAX);
    host->count(host->data, (spandrel_text){NULL, 0}, 1);
    /* More off than on. */
    host->suppress_tracing(host->data, 0);
    host->suppress_tracing(host->data, 0);
}

static void open_log(plugin *self) {
    char path[4096];
    const char *found = strstr(self->config, "log = \"");
    self->log = -1;
    if (found != NULL && sscanf(found, "log = \"%4095[^\"]", path) == 1) {
        self->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
}

static void hand_out(plugin *self, spandrel_instance *instance) {
    static const spandrel_text good[] = {SPANDREL_TEXT("x-misbehaving"), SPANDREL_TEXT("x-old")};
    static const spandrel_text odd[] = {SPANDREL_TEXT("X-Upper"), SPANDREL_TEXT("x bad"), SPANDREL_TEXT("\xff"),
                                        {NULL, 0}, SPANDREL_TEXT("x-misbehaving")};
    const char *size = said(self, "size");
    static TABLE tables[64];
    static _Atomic size_t count;
    const TABLE *table = size != NULL ? cut(table_of(self), strtoul(size, NULL, 10)) : &tables[count % 64];
    if (size == NULL) tables[count++ % 64] = table_of(self);
    instance->data = self;
    instance->propagation_fields = says(self, "fields", "odd") ? odd : says(self, "fields", "null") ? NULL : good;
    instance->propagation_fields_len = says(self, "fields", "odd") ? 5 : says(self, "fields", "none") ? 0 : 2;
    instance->flags = says(self, "flags", "unknown") ? ~(uint64_t)SPANDREL_INSTANCE_RECORDS_NOTHING : 0;
#ifdef LIVE
    if (said(self, "no_table") == NULL) instance->provider = table;
#else
    if (said(self, "no_table") == NULL) instance->exporter = table;
#endif
}

static int32_t create(const spandrel_create_arguments *arguments, const spandrel_host *host,
                      spandrel_instance *instance, spandrel_error *error) {
    plugin *self = calloc(1, sizeof *self);
    int32_t status;
    size_t i;
    if (self == NULL) abort();
    self->host = host;
    self->config = strndup(arguments->config.len > 0 ? arguments->config.ptr : "", arguments->config.len);
    open_log(self);
    for (i = 0; i < arguments->resource_len; i++) {
        spandrel_text key = arguments->resource[i].key, value = arguments->resource[i].value.data.text;
        if (arguments->resource[i].value.kind != SPANDREL_VALUE_TEXT) continue;
        note(self, "resource %.*s=%.*s", (int)key.len, key.ptr, (int)value.len, value.ptr);
    }
    if (said(self, "asks") != NULL) ask_host(self, arguments->name);
    status = act(self, "create", error);
    /* OK, but nothing is handed out. */
    if (status != SPANDREL_OK || says(self, "instance", "empty")) return status;
    hand_out(self, instance);
    if (said(self, "thread") != NULL && pthread_create(&self->thread, NULL, talk_on, (void *)(uintptr_t)host) != 0) {
        abort();
    }
    return SPANDREL_OK;
}

/* ---- the descriptor ---- */

#ifndef MAGIC
#define MAGIC SPANDREL_MAGIC
#endif
#ifndef SIZE
#define SIZE sizeof(spandrel_descriptor)
#endif
#ifndef ABI_MAJOR
#define ABI_MAJOR SPANDREL_ABI_MAJOR
#endif
#ifndef ABI_MINOR
#define ABI_MINOR SPANDREL_ABI_MINOR
#endif
#ifndef ABI_MINOR_MIN
#define ABI_MINOR_MIN 0
#endif
#ifndef KIND
#ifdef LIVE
#define KIND SPANDREL_KIND_PROVIDER
#else
#define KIND SPANDREL_KIND_EXPORTER
#endif
#endif
#ifndef OWN_NAME
#define OWN_NAME SPANDREL_TEXT(NAME)
#endif
#ifndef CREATE
#define CREATE create
#endif
#ifndef DESCRIPTOR
#define DESCRIPTOR &descriptor
#endif

const spandrel_descriptor descriptor = {
    .magic = MAGIC,
    .size = SIZE,
    .abi_major = ABI_MAJOR,
    .abi_minor = ABI_MINOR,
    .abi_minor_min = ABI_MINOR_MIN,
    .kind = KIND,
    .flags = ~(uint64_t)SPANDREL_FLAG_PANIC_ABORTS,
    .name = OWN_NAME,
    .version = SPANDREL_TEXT("1.0.0"),
    .create = CREATE,
};

/* Needed where `CREATE` is not. */
spandrel_create const unused = create;

const spandrel_descriptor *spandrel_plugin_v1(void) {
    return DESCRIPTOR;
}
