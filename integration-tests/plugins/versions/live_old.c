/* A live provider built for a boundary that had less: the ten required entries, no links and no
 * scope at the start of a span, no attributes of an event. See old.h. */
#include "old.h"

#include "record.h"

SECTION const char spandrel_metadata_v1[] =
    "spandrel_abi = \"1.0\"\nname = \"live_old\"\nversion = \"0.1.0\"\nkind = \"provider\"\n";

typedef struct provider {
    FILE *out;
    uint64_t spans;
} provider;

static int32_t start_span(void *data, const span_start *start, uint64_t *span) {
    provider *self = data;
    *span = ++self->spans;
    fprintf(self->out, "start %" PRIu64, *span);
    put_text(self->out, "name", start->name);
    put_context(self->out, "context", start->context);
    put_context(self->out, "parent", start->parent);
    fprintf(self->out, " kind=%" PRIu32, start->kind);
    put_attributes(self->out, start->attributes, start->attributes_len);
    end_line(self->out);
    return OK;
}

static int32_t end_span(void *data, uint64_t span, uint64_t time_ns) {
    provider *self = data;
    fprintf(self->out, "end %" PRIu64 " %s", span, time_ns > 0 ? "at its time" : "at no time");
    end_line(self->out);
    return OK;
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
    (void)timeout_ns, (void)error;
    fprintf(self->out, "flush");
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

static const provider_table table = {
    sizeof table,   start_span,    end_span, set_span_status, set_span_name, add_span_attributes,
    add_span_event, add_span_link, flush,    shut_down,       destroy,
};

static int32_t create(const create_arguments *arguments, const host *host, instance *instance, error *error) {
    provider *self = calloc(1, sizeof *self);
    (void)host, (void)error;
    if (self == NULL || (self->out = record_to(arguments->config)) == NULL) {
        free(self);
        return CONFIG_INVALID;
    }
    fprintf(self->out, "create");
    put_text(self->out, "name", arguments->name);
    end_line(self->out);
    instance->data = self;
    instance->provider = &table;
    return OK;
}

static const descriptor described = {
    MAGIC, sizeof described, 1, 0, 0, KIND_PROVIDER, 0, TEXT("live_old"), TEXT("0.1.0"), TEXT(""),
    TEXT(""), TEXT(""), TEXT(""), create,
};

const descriptor *spandrel_plugin_v1(void);
const descriptor *spandrel_plugin_v1(void) {
    return &described;
}
