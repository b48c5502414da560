/* An exporter built for a boundary that has more, version 1.9: everything of 1.0, and behind it fields,
 * entries, flags and codes that a host of 1.0 does not know. See new.h. */
#include "new.h"

#include "record.h"

SECTION const char spandrel_metadata_v1[] =
    "spandrel_abi = \"1.9\"\nspandrel_abi_min = \"1.0\"\nname = \"exporter_new\"\nversion = \"9.0.0\"\n"
    "kind = \"exporter\"\nsignals = [\"traces\", \"metrics\"]\nlimits = { batch = 1 }\n";

/* A pointer that nobody may follow. */
#define NOWHERE ((const void *)1)

typedef struct exporter {
    FILE *out;
    const host *host;
    int refuses;
    uint64_t exported;
} exporter;

static void put_absent(FILE *out, const char *what, int is_there) {
    fprintf(out, " %s=%s", what, is_there ? "THERE" : "absent");
}

/* The file to write the release to, if there is one, and the texts. */
typedef struct failure {
    FILE *out;
    char message[64], cause[64];
    context_entry facts[1];
} failure;

static void release(error *error) {
    failure *texts = error->private_data;
    if (texts->out != NULL) {
        fprintf(texts->out, "release");
        end_line(texts->out);
    }
    free(texts);
}

static int32_t fail(FILE *out, error *error, int32_t status, const char *message) {
    failure *texts = calloc(1, sizeof *texts);
    if (texts == NULL) return status;
    texts->out = out;
    strcpy(texts->message, message);
    strcpy(texts->cause, "the new cause");
    texts->facts[0].key = (text)TEXT("backend");
    texts->facts[0].value = (text)TEXT("the new one");
    error->message = (text){ texts->message, strlen(texts->message) };
    error->cause = (text){ texts->cause, strlen(texts->cause) };
    error->context = texts->facts;
    error->context_len = 1;
    error->release = release;
    error->private_data = texts;
    if (HAS(struct error, error, manual)) {
        error->retry_after_ns = 1;
        error->manual = NOWHERE;
    }
    return status;
}

static int32_t export_batch(void *data, const batch *batch, error *error) {
    exporter *self = data;
    size_t i;
    if (self->refuses) return fail(self->out, error, OVERLOADED, "the new backend has too much to do");
    self->exported += batch->span_count;
    fprintf(self->out, "export ");
    for (i = 0; i < batch->parts_len; i++) put_hex(self->out, batch->parts[i].ptr, batch->parts[i].len);
    fprintf(self->out, " spans=%" PRIu64, batch->span_count);
    put_absent(self->out, "checksum", HAS(struct batch, batch, checksum));
    put_absent(self->out, "retry_after_ns", HAS(struct error, error, retry_after_ns));
    end_line(self->out);
    return OK;
}

static int32_t done(exporter *self, const char *what) {
    fprintf(self->out, "%s", what);
    end_line(self->out);
    return OK;
}

static int32_t flush(void *data, uint64_t timeout_ns, error *error) {
    (void)timeout_ns, (void)error;
    return done(data, "flush");
}

static int32_t shut_down(void *data, uint64_t timeout_ns, error *error) {
    (void)timeout_ns, (void)error;
    return done(data, "shutdown");
}

static int32_t destroy(void *data) {
    exporter *self = data;
    done(self, "destroy");
    fclose(self->out);
    free(self);
    return OK;
}

static int32_t on_idle(void *data) {
    (void)data;
    return OK;
}

static int32_t after_fork_child(void *data) {
    return done(data, "fork");
}

static void put_start(exporter *self, const char *what, const span_start *start) {
    fprintf(self->out, "%s", what);
    put_text(self->out, "name", start->name);
    put_text(self->out, "scope", start->scope_name);
    fprintf(self->out, " links=%zu", start->links_len);
    put_attributes(self->out, start->attributes, start->attributes_len);
    put_absent(self->out, "session", HAS(span_start, start, session));
    end_line(self->out);
}

static int32_t on_start(void *data, const span_start *start) {
    put_start(data, "on_start", start);
    return OK;
}

/* A decision that a host of 1.0 does not know. */
static int32_t sample(void *data, const span_start *start, uint32_t *decision) {
    put_start(data, "sample", start);
    *decision = SAMPLE_LATER;
    return OK;
}

static void each(void *user, text value) {
    exporter *self = user;
    put_text(self->out, "value", value);
}

static int32_t extract(void *data, const carrier *carrier, void *user, found found) {
    exporter *self = data;
    (void)user, (void)found;
    fprintf(self->out, "extract");
    carrier->for_each_value(carrier->data, (text)TEXT("x-new"), self, each);
    put_absent(self->out, "names", HAS(struct carrier, carrier, names));
    end_line(self->out);
    return UNSUPPORTED;
}

static int32_t inject(void *data, const context *context, const carrier_mut *carrier) {
    exporter *self = data;
    fprintf(self->out, "inject");
    put_context(self->out, "context", context);
    put_absent(self->out, "append", HAS(carrier_mut, carrier, append));
    end_line(self->out);
    carrier->set(carrier->data, (text)TEXT("x-new"), (text)TEXT("9"));
    carrier->set(carrier->data, (text)TEXT("x-undeclared"), (text)TEXT("9"));
    return UNSUPPORTED;
}

static int32_t tell_stats(void *data, stats *out) {
    exporter *self = data;
    stats all = { .size = sizeof all, .retried = 7, .spooled = 7, .panics = 2 };
    size_t size = out->size < sizeof all ? out->size : sizeof all;
    all.recorded = all.exported = self->exported;
    all.size = size;
    memcpy(out, &all, size);
    return OK;
}

static int32_t health(void *data, error *error) {
    exporter *self = data;
    return self->refuses ? fail(self->out, error, UNAVAILABLE, "the new backend is away") : OK;
}

static const exporter_table table = {
    .size = sizeof table,
    .export_batch = export_batch,
    .flush = flush,
    .shutdown = shut_down,
    .destroy = destroy,
    .on_idle = on_idle,
    .after_fork_child = after_fork_child,
    .on_start = on_start,
    .sample = sample,
    .extract = extract,
    .inject = inject,
    .stats = tell_stats,
    .health = health,
    .compact = never_called,
    .query = never_called,
    .on_metric = never_called,
};

static const text fields[] = { TEXT("x-new") };

static int32_t create(const create_arguments *arguments, const host *host, instance *instance, error *error) {
    exporter *self = calloc(1, sizeof *self);
    if (self == NULL || (self->out = record_to(arguments->config)) == NULL) {
        free(self);
        return fail(NULL, error, CONFIG_INVALID, "the new plugin needs a `path`");
    }
    self->host = host;
    self->refuses = config_has(arguments->config, "refuses");
    fprintf(self->out, "create");
    put_text(self->out, "name", arguments->name);
    fprintf(self->out, " host=%u.%u", host->abi_major, host->abi_minor);
    put_attributes(self->out, arguments->resource, arguments->resource_len);
    put_absent(self->out, "tenant", HAS(create_arguments, arguments, tenant));
    put_absent(self->out, "spawn", HAS(struct host, host, spawn));
    put_absent(self->out, "metric_names", HAS(struct instance, instance, metric_names));
    end_line(self->out);
    host->log(host->data, LOG_WHISPER, (text)TEXT("a level of the future"));
    host->count(host->data, (text)TEXT("made"), 1);
    instance->data = self;
    instance->exporter = &table;
    instance->propagation_fields = fields;
    instance->propagation_fields_len = 1;
    instance->flags = FLAG_OF_1_9;
    if (HAS(struct instance, instance, reconfigure)) {
        instance->metric_names = NOWHERE;
        instance->reconfigure = never_called;
    }
    return OK;
}

static const descriptor described = {
    .magic = MAGIC,
    .size = sizeof described,
    .abi_major = 1,
    .abi_minor = 9,
    .abi_minor_min = 0,
    .kind = KIND_EXPORTER,
    .flags = FLAG_OF_1_9,
    .name = TEXT("exporter_new"),
    .version = TEXT("9.0.0"),
    .create = create,
    .migrate = never_called,
    .signature = NOWHERE,
};

const descriptor *spandrel_plugin_v1(void);
const descriptor *spandrel_plugin_v1(void) {
    return &described;
}
