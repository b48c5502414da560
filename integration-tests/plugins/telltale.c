/*
 * An exporter that tells the log of its service which build it is, how it was configured and how many
 * spans it got. Macros make other plugins of it, and such as no program accepts. For
 * integration-tests/tests/plugin_files and plugin_discovery.rs.
 */
#include <stdio.h>
#include <stdlib.h>

#include <spandrel.h>

#ifndef NAME
#define NAME "telltale"
#endif
#ifndef BUILD
#define BUILD "1"
#endif

/* ---- what is said before there is code that runs ---- */

#ifndef KIND
#define KIND "exporter"
#endif
#ifdef OTHER_ABI_MAJOR
#undef SPANDREL_ABI_MAJOR
#define SPANDREL_ABI_MAJOR OTHER_ABI_MAJOR
#endif
#ifdef OTHER_ABI_MINOR
#undef SPANDREL_ABI_MINOR
#define SPANDREL_ABI_MINOR OTHER_ABI_MINOR
#endif
#ifdef TOML
SPANDREL_METADATA_OF_(TOML);
#elif !defined(NO_METADATA)
SPANDREL_METADATA(NAME, BUILD, KIND);
#endif

/* ---- what runs when the library is opened ---- */

__attribute__((constructor)) static void tell_that_it_runs(void) {
#ifdef NEEDS
    extern int NEEDS(void);
    exit(NEEDS());
#endif
    puts("code of the plugin has run");
    fflush(stdout);
}

/* ---- the exporter ---- */

typedef struct telltale {
    const spandrel_host *host;
    uint64_t spans;
    char name[64];
} telltale;

static int32_t export_batch(void *data, const spandrel_batch *batch, spandrel_error *error) {
    (void)error;
    ((telltale *)data)->spans += batch->span_count;
    return SPANDREL_OK;
}

static int32_t destroy(void *data) {
    telltale *self = data;
    char text[256];
    snprintf(text, sizeof text, "%s: build " BUILD " got %u spans", self->name, (unsigned)self->spans);
    self->host->log(self->host->data, SPANDREL_LOG_INFO, spandrel_text_of(text));
    free(self);
    return SPANDREL_OK;
}

static const spandrel_exporter_table table = {
    .size = sizeof table,
    .export_batch = export_batch,
    .destroy = destroy,
};

#ifndef CREATE
static int32_t create(const spandrel_create_arguments *arguments, const spandrel_host *host,
                      spandrel_instance *instance, spandrel_error *error) {
    telltale *self = calloc(1, sizeof *self);
    char text[512], *c;
    if (self == NULL) return spandrel_fail(error, SPANDREL_INTERNAL, "out of memory");
    self->host = host;
    snprintf(self->name, sizeof self->name, "%.*s", (int)arguments->name.len, arguments->name.ptr);
    snprintf(text, sizeof text, "%s: build " BUILD " with {%.*s}", self->name, (int)arguments->config.len,
             arguments->config.ptr);
    for (c = text; *c != '\0'; c++) {
        if (*c == '\n') *c = ' ';
    }
    host->log(host->data, SPANDREL_LOG_INFO, spandrel_text_of(text));
    instance->data = self;
    instance->exporter = &table;
    return SPANDREL_OK;
}
#else
/* `CREATE` is how it fails; `SETTING` is the one that is to blame. */
#ifndef SETTING
#define SETTING ""
#endif
static int32_t create(const spandrel_create_arguments *arguments, const spandrel_host *host,
                      spandrel_instance *instance, spandrel_error *error) {
    static const spandrel_context_entry key = {SPANDREL_TEXT("key"), SPANDREL_TEXT(SETTING)};
    (void)arguments, (void)host, (void)instance, (void)table;
    if (sizeof SETTING > 1) error->context = &key, error->context_len = 1;
    return CREATE;
}
#endif

/* ---- the descriptor ---- */

#ifndef MAGIC
#define MAGIC SPANDREL_MAGIC
#endif
#ifndef OWN_NAME
#define OWN_NAME NAME
#endif
#ifndef OWN_KIND
#define OWN_KIND SPANDREL_KIND_EXPORTER
#endif
#ifndef OWN_ABI_MAJOR
#define OWN_ABI_MAJOR SPANDREL_ABI_MAJOR
#endif
#ifndef ABI_MINOR_MIN
#define ABI_MINOR_MIN 0
#endif
#ifndef ENTRY
#define ENTRY spandrel_plugin_v1
#endif

static const spandrel_descriptor descriptor = {
    .magic = MAGIC,
    .size = sizeof descriptor,
    .abi_major = OWN_ABI_MAJOR,
    .abi_minor = SPANDREL_ABI_MINOR,
    .abi_minor_min = ABI_MINOR_MIN,
    .kind = OWN_KIND,
    .name = SPANDREL_TEXT(OWN_NAME),
    .version = SPANDREL_TEXT(BUILD),
    .create = create,
};

const spandrel_descriptor *ENTRY(void) {
    return &descriptor;
}
