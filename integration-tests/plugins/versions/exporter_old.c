/* An exporter built for a boundary that had less: no optional entries, no `release` in an error, no
 * span count in a batch. See old.h. */
#include "old.h"

#include "record.h"

SECTION const char spandrel_metadata_v1[] =
    "spandrel_abi = \"1.0\"\nname = \"exporter_old\"\nversion = \"0.1.0\"\nkind = \"exporter\"\n";

typedef struct exporter {
    FILE *out;
    int refuses;
} exporter;

static int32_t fail(error *error, int32_t status, const char *message) {
    error->message.ptr = message;
    error->message.len = strlen(message);
    return status;
}

static int32_t export_batch(void *data, const batch *batch, error *error) {
    exporter *self = data;
    size_t i;
    (void)error;
    fprintf(self->out, "export ");
    for (i = 0; i < batch->parts_len; i++) put_hex(self->out, batch->parts[i].ptr, batch->parts[i].len);
    end_line(self->out);
    return OK;
}

static int32_t flush(void *data, uint64_t timeout_ns, error *error) {
    exporter *self = data;
    fprintf(self->out, "flush %s", timeout_ns > 0 ? "in time" : "at once");
    end_line(self->out);
    return self->refuses ? fail(error, UNAVAILABLE, "the old backend is away") : OK;
}

static int32_t shut_down(void *data, uint64_t timeout_ns, error *error) {
    exporter *self = data;
    (void)timeout_ns, (void)error;
    fprintf(self->out, "shutdown");
    end_line(self->out);
    return OK;
}

static int32_t destroy(void *data) {
    exporter *self = data;
    fprintf(self->out, "destroy");
    end_line(self->out);
    fclose(self->out);
    free(self);
    return OK;
}

static const exporter_table table = { sizeof table, export_batch, flush, shut_down, destroy };

static int32_t create(const create_arguments *arguments, const host *host, instance *instance, error *error) {
    exporter *self = calloc(1, sizeof *self);
    (void)host;
    if (self == NULL || (self->out = record_to(arguments->config)) == NULL) {
        free(self);
        return fail(error, CONFIG_INVALID, "the old plugin needs a `path`");
    }
    self->refuses = config_has(arguments->config, "refuses");
    fprintf(self->out, "create");
    put_text(self->out, "name", arguments->name);
    end_line(self->out);
    instance->data = self;
    instance->exporter = &table;
    return OK;
}

static const descriptor described = {
    MAGIC, sizeof described, 1, 0, 0, KIND_EXPORTER, 0, TEXT("exporter_old"), TEXT("0.1.0"), TEXT(""),
    TEXT(""), TEXT(""), TEXT(""), create,
};

const descriptor *spandrel_plugin_v1(void);
const descriptor *spandrel_plugin_v1(void) {
    return &described;
}
