/* A tracing plugin in C: the exporter `print` writes one line for each span. See README.md. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spandrel.h>
#include <spandrel_otlp.h>

SPANDREL_METADATA_MORE("print", "1.0.0", "exporter", "The Spandrel authors", "MIT OR Apache-2.0",
                       "prints one line for each span");

typedef struct print {
    int file;
    int shut_down;
} print;

/* The texts of an error, which outlive the call. */
typedef struct failure {
    char setting[64], cause[128];
    spandrel_context_entry key;
} failure;

static void release(spandrel_error *error) {
    free(error->private_data);
}

/* `setting` may be null, and `number` (of the operating system) 0. */
static int32_t fail(spandrel_error *error, int32_t status, const char *message, const char *setting, int number) {
    failure *texts;
    if (error == NULL || (texts = calloc(1, sizeof *texts)) == NULL) return spandrel_fail(error, status, message);
    snprintf(texts->setting, sizeof texts->setting, "%s", setting != NULL ? setting : "");
    if (number != 0) strerror_r(number, texts->cause, sizeof texts->cause);
    texts->key.key = spandrel_text_of("key");
    texts->key.value = spandrel_text_of(texts->setting);
    error->message = spandrel_text_of(message);
    error->cause = spandrel_text_of(texts->cause);
    error->context = &texts->key;
    error->context_len = setting != NULL ? 1 : 0;
    error->release = release;
    error->private_data = texts;
    return status;
}

/* The configuration is TOML; of that, lines of the form `key = "value"` or `"key" = "value"` are enough here. */
static int32_t read_config(spandrel_text config, char path[4096], spandrel_error *error) {
    char *text = strndup(config.len > 0 ? config.ptr : "", config.len), *line, *rest;
    const char *wrong = text != NULL ? NULL : "out of memory";
    char key[64] = "", value[4096];
    path[0] = '\0';
    for (line = text; line != NULL && wrong == NULL; line = rest) {
        int length = 0;
        if ((rest = strchr(line, '\n')) != NULL) *rest++ = '\0';
        line += strspn(line, " \t\r");
        if (*line == '\0' || *line == '#') continue;
        key[0] = '\0';
        if (*line == '"')
            sscanf(line, "\"%63[^\"]\" = \"%4095[^\"\\]\" %n", key, value, &length);
        else
            sscanf(line, "%63[^ \t=] = \"%4095[^\"\\]\" %n", key, value, &length);
        if (strcmp(key, "path") != 0) {
            wrong = "unknown setting, there is only `path`";
        } else if (length == 0 || (line[length] != '\0' && line[length] != '#')) {
            wrong = "not a file name in double quotes, without backslashes";
        } else {
            memcpy(path, value, sizeof value);
        }
    }
    free(text);
    return wrong == NULL ? SPANDREL_OK : fail(error, SPANDREL_CONFIG_INVALID, wrong, key, 0);
}

static void put_text(FILE *out, spandrel_text text) {
    size_t i;
    for (i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        /* A line stays a line, and a terminal what it was. */
        fprintf(out, c < ' ' || c == 0x7f ? "\\x%02x" : c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
}

static void put_quoted(FILE *out, spandrel_text text) {
    fputs("=\"", out);
    put_text(out, text);
    fputc('"', out);
}

static void put_id(FILE *out, char before, spandrel_bytes id) {
    size_t i;
    fputc(before, out);
    for (i = 0; i < id.len; i++) fprintf(out, "%02x", id.ptr[i]);
}

static void put_span(FILE *out, spandrel_span *span) {
    uint64_t ns = span->end_ns > span->start_ns ? span->end_ns - span->start_ns : 0;
    spandrel_attribute attribute;
    fprintf(out, "%" PRIu64 ".%03" PRIu64 "ms ", ns / 1000000, ns / 1000 % 1000);
    put_text(out, span->name);
    put_id(out, ' ', span->trace_id);
    put_id(out, '/', span->span_id);
    fputs(span->status == SPANDREL_STATUS_ERROR ? " error" : span->status == SPANDREL_STATUS_OK ? " ok" : " unset", out);
    if (span->status == SPANDREL_STATUS_ERROR && span->status_text.len > 0) put_quoted(out, span->status_text);
    while (spandrel_next_attribute(&span->attributes, &attribute)) {
        if (attribute.value.kind == 0) continue;
        fputc(' ', out);
        put_text(out, attribute.key);
        switch (attribute.value.kind) {
            case SPANDREL_VALUE_BOOL: fputs(attribute.value.data.boolean ? "=true" : "=false", out); break;
            case SPANDREL_VALUE_I64: fprintf(out, "=%" PRId64, attribute.value.data.integer); break;
            case SPANDREL_VALUE_F64: fprintf(out, "=%.15g", attribute.value.data.number); break;
            default: put_quoted(out, attribute.value.data.text); break;
        }
    }
    fputc('\n', out);
}

/* Called by one thread at a time. Lines are made in memory and written at once, so that nothing is
 * left for `flush`, or to be written twice after a fork. */
static int32_t export_batch(void *data, const spandrel_batch *batch, spandrel_error *error) {
    print *self = data;
    spandrel_spans spans = spandrel_spans_of(batch);
    spandrel_span span;
    char *lines = NULL;
    size_t len = 0, written = 0;
    int number = 0;
    FILE *out;
    if (self->shut_down) return fail(error, SPANDREL_SHUT_DOWN, "the exporter was shut down", NULL, 0);
    if ((out = open_memstream(&lines, &len)) == NULL) return fail(error, SPANDREL_IO, "no memory", NULL, errno);
    while (spandrel_next_span(&spans, &span)) put_span(out, &span);
    if (fclose(out) != 0) number = errno;
    while (number == 0 && !spans.malformed && written < len) {
        ssize_t n = write(self->file, lines + written, len - written);
        if (n >= 0) written += (size_t)n;
        else if (errno != EINTR) number = errno;
    }
    free(lines);
    if (spans.malformed) return fail(error, SPANDREL_MALFORMED, "the batch is not OTLP", NULL, 0);
    return number == 0 ? SPANDREL_OK : fail(error, SPANDREL_IO, "spans cannot be written", NULL, number);
}

static int32_t flush(void *data, uint64_t timeout_ns, spandrel_error *error) {
    (void)data, (void)timeout_ns, (void)error;
    return SPANDREL_OK;
}

static int32_t shut_down(void *data, uint64_t timeout_ns, spandrel_error *error) {
    ((print *)data)->shut_down = 1;
    return flush(data, timeout_ns, error);
}

static int32_t destroy(void *data) {
    print *self = data;
    if (self->file != STDOUT_FILENO) close(self->file);
    free(self);
    return SPANDREL_OK;
}

/* The file is open for appending, so parent and child may both write to it. */
static int32_t after_fork_child(void *data) {
    (void)data;
    return SPANDREL_OK;
}

static const spandrel_exporter_table table = {
    .size = sizeof table,
    .export_batch = export_batch,
    .flush = flush,
    .shutdown = shut_down,
    .destroy = destroy,
    .after_fork_child = after_fork_child,
};

static int32_t create(const spandrel_create_arguments *arguments, const spandrel_host *host,
                      spandrel_instance *instance, spandrel_error *error) {
    char path[4096];
    int32_t status = read_config(arguments->config, path, error);
    print *self;
    (void)host;
    if (status != SPANDREL_OK) return status;
    if ((self = calloc(1, sizeof *self)) == NULL) return fail(error, SPANDREL_INTERNAL, "out of memory", NULL, 0);
    self->file = path[0] == '\0' ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (self->file < 0) {
        int number = errno;
        free(self);
        return fail(error, SPANDREL_CONFIG_INVALID, "the file cannot be opened", "path", number);
    }
    instance->data = self;
    instance->exporter = &table;
    return SPANDREL_OK;
}

static int32_t validate_config(const spandrel_create_arguments *arguments, const spandrel_host *host,
                               spandrel_error *error) {
    char path[4096];
    (void)host;
    return read_config(arguments->config, path, error);
}

static const spandrel_descriptor descriptor = {
    .magic = SPANDREL_MAGIC,
    .size = sizeof descriptor,
    .abi_major = SPANDREL_ABI_MAJOR,
    .abi_minor = SPANDREL_ABI_MINOR,
    .kind = SPANDREL_KIND_EXPORTER,
    .name = SPANDREL_TEXT("print"),
    .version = SPANDREL_TEXT("1.0.0"),
    .vendor = SPANDREL_TEXT("The Spandrel authors"),
    .license = SPANDREL_TEXT("MIT OR Apache-2.0"),
    .description = SPANDREL_TEXT("prints one line for each span"),
    .create = create,
    .validate_config = validate_config,
};

const spandrel_descriptor *spandrel_plugin_v1(void) {
    return &descriptor;
}
