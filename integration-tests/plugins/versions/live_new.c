/* A live provider built for a boundary that has more, version 1.9: everything of 1.0, and behind it
 * entries and fields that a host of 1.0 does not know. See new.h. */
#include "new.h"

#include "record.h"

SECTION const char spandrel_metadata_v1[] =
    "spandrel_abi = \"1.9\"\nname = \"live_new\"\nversion = \"9.0.0\"\nkind = \"provider\"\nsignals = [\"traces\"]\n";

typedef struct provider {
    FILE *out;
    uint64_t started;
    uint64_t ended;
    int overloaded;
} provider;

static void put_absent(FILE *out, const char *what, int is_there) {
    fprintf(out, " %s=%s", what, is_there ? "THERE" : "absent");
}

/* One line with nothing but the number of the span. */
static int32_t said(void *data, const char *what, uint64_t span) {
    provider *self = data;
    fprintf(self->out, "%s %" PRIu64, what, span);
    end_line(self->out);
    return OK;
}

static int32_t start_span(void *data, const span_start *start, uint64_t *span) {
    provider *self = data;
    size_t i;
    /* A code that a host of 1.0 does not know. */
    if (self->overloaded) return OVERLOADED;
    *span = ++self->started;
    fprintf(self->out, "start %" PRIu64, *span);
    put_text(self->out, "name", start->name);
    put_context(self->out, "context", start->context);
    put_context(self->out, "parent", start->parent);
    put_text(self->out, "scope", start->scope_name);
    put_attributes(self->out, start->attributes, start->attributes_len);
    for (i = 0; i < start->links_len; i++) put_context(self->out, "link", &start->links[i].context);
    put_absent(self->out, "cost_center", HAS(span_start, start, cost_center));
    end_line(self->out);
    return OK;
}

static int32_t end_span(void *data, uint64_t span, uint64_t time_ns) {
    provider *self = data;
    (void)time_ns;
    self->ended++;
    return said(data, "end", span);
}

static int32_t set_span_status(void *data, uint64_t span, uint32_t status, text message) {
    provider *self = data;
    fprintf(self->out, "status %" PRIu64 " %" PRIu32, span, status);
    put_text(self->out, "text", message);
    end_line(self->out);
    return OK;
}

static int32_t set_span_name(void *data, uint64_t span, text name) {
    provider *self = data;
    fprintf(self->out, "name %" PRIu64, span);
    put_text(self->out, "name", name);
    end_line(self->out);
    return OK;
}

static int32_t add_span_attributes(void *data, uint64_t span, const attribute *attributes, size_t attributes_len) {
    provider *self = data;
    fprintf(self->out, "attributes %" PRIu64, span);
    put_attributes(self->out, attributes, attributes_len);
    end_line(self->out);
    return OK;
}

static int32_t add_span_event(void *data, uint64_t span, const event *event) {
    provider *self = data;
    fprintf(self->out, "event %" PRIu64, span);
    put_text(self->out, "name", event->name);
    put_attributes(self->out, event->attributes, event->attributes_len);
    put_absent(self->out, "stack", HAS(struct event, event, stack));
    end_line(self->out);
    return OK;
}

static int32_t add_span_link(void *data, uint64_t span, const link *link) {
    provider *self = data;
    fprintf(self->out, "link %" PRIu64, span);
    put_context(self->out, "context", &link->context);
    put_attributes(self->out, link->attributes, link->attributes_len);
    end_line(self->out);
    return OK;
}

static int32_t flush(void *data, uint64_t timeout_ns, error *error) {
    provider *self = data;
    (void)timeout_ns;
    fprintf(self->out, "flush");
    put_absent(self->out, "manual", HAS(struct error, error, manual));
    end_line(self->out);
    return OK;
}

static int32_t shut_down(void *data, uint64_t timeout_ns, error *error) {
    provider *self = data;
    (void)timeout_ns, (void)error;
    fprintf(self->out, "shutdown");
    end_line(self->out);
    return OK;
}

static int32_t destroy(void *data) {
    provider *self = data;
    fprintf(self->out, "destroy");
    end_line(self->out);
    fclose(self->out);
    free(self);
    return OK;
}

static int32_t enter_span(void *data, uint64_t span) {
    return said(data, "enter", span);
}

static int32_t exit_span(void *data, uint64_t span) {
    return said(data, "exit", span);
}

static int32_t enter_unsampled(void *data, const context *context) {
    (void)context;
    return said(data, "enter unsampled", 0);
}

static int32_t exit_unsampled(void *data, const context *context) {
    (void)context;
    return said(data, "exit unsampled", 0);
}

static int32_t current_context(void *data, void *user, found found) {
    (void)data, (void)user, (void)found;
    return OK;
}

static int32_t retire(void *data) {
    return said(data, "retire", 0);
}

static int32_t after_fork_child(void *data) {
    return said(data, "fork", 0);
}

static int32_t sample(void *data, const span_start *start, uint32_t *decision) {
    (void)data, (void)start;
    *decision = SAMPLE_LATER;
    return OK;
}

static int32_t extract(void *data, const carrier *carrier, void *user, found found) {
    (void)data, (void)carrier, (void)user, (void)found;
    return UNSUPPORTED;
}

static int32_t inject(void *data, const context *context, const carrier_mut *carrier) {
    (void)data, (void)context, (void)carrier;
    return UNSUPPORTED;
}

static int32_t tell_stats(void *data, stats *out) {
    provider *self = data;
    stats all = { .size = sizeof all, .retried = 7, .spooled = 7 };
    size_t size = out->size < sizeof all ? out->size : sizeof all;
    all.recorded = all.exported = self->ended;
    all.size = size;
    memcpy(out, &all, size);
    return OK;
}

static int32_t health(void *data, error *error) {
    (void)data, (void)error;
    return OK;
}

static const provider_table table = {
    .size = sizeof table,
    .start_span = start_span,
    .end_span = end_span,
    .set_span_status = set_span_status,
    .set_span_name = set_span_name,
    .add_span_attributes = add_span_attributes,
    .add_span_event = add_span_event,
    .add_span_link = add_span_link,
    .flush = flush,
    .shutdown = shut_down,
    .destroy = destroy,
    .enter_span = enter_span,
    .exit_span = exit_span,
    .enter_unsampled = enter_unsampled,
    .exit_unsampled = exit_unsampled,
    .current_context = current_context,
    .retire = retire,
    .after_fork_child = after_fork_child,
    .sample = sample,
    .extract = extract,
    .inject = inject,
    .stats = tell_stats,
    .health = health,
    .on_log = never_called,
    .on_metric = never_called,
};

static int32_t create(const create_arguments *arguments, const host *host, instance *instance, error *error) {
    provider *self = calloc(1, sizeof *self);
    (void)error;
    if (self == NULL || (self->out = record_to(arguments->config)) == NULL) {
        free(self);
        return CONFIG_INVALID;
    }
    self->overloaded = config_has(arguments->config, "overloaded");
    fprintf(self->out, "create");
    put_text(self->out, "name", arguments->name);
    put_absent(self->out, "spawn", HAS(struct host, host, spawn));
    end_line(self->out);
    instance->data = self;
    instance->provider = &table;
    instance->flags = FLAG_OF_1_9;
    if (HAS(struct instance, instance, reconfigure)) instance->reconfigure = never_called;
    return OK;
}

static const descriptor described = {
    .magic = MAGIC,
    .size = sizeof described,
    .abi_major = 1,
    .abi_minor = 9,
    .abi_minor_min = 0,
    .kind = KIND_PROVIDER,
    .flags = FLAG_OF_1_9,
    .name = TEXT("live_new"),
    .version = TEXT("9.0.0"),
    .create = create,
    .migrate = never_called,
};

const descriptor *spandrel_plugin_v1(void);
const descriptor *spandrel_plugin_v1(void) {
    return &described;
}
