/* Writes what a plugin was called with to the file `path = "..."` of its configuration, a line for
 * each call. Frozen like old.h and new.h, one of which is included before. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends; null if the configuration names no file. */
static inline FILE *record_to(text config) {
    char path[4096] = "";
    char *terminated = calloc(config.len + 1, 1);
    const char *setting;
    if (terminated == NULL) return NULL;
    if (config.len > 0) memcpy(terminated, config.ptr, config.len);
    setting = strstr(terminated, "path = \"");
    if (setting != NULL) sscanf(setting, "path = \"%4095[^\"]", path);
    free(terminated);
    return path[0] != '\0' ? fopen(path, "ab") : NULL;
}

static inline int config_has(text config, const char *word) {
    size_t i, len = strlen(word);
    for (i = 0; i + len <= config.len; i++) {
        if (memcmp(config.ptr + i, word, len) == 0) return 1;
    }
    return 0;
}

static inline void put_text(FILE *out, const char *what, text text) {
    fprintf(out, " %s=", what);
    if (text.len > 0) fwrite(text.ptr, 1, text.len, out);
}

static inline void put_hex(FILE *out, const uint8_t *bytes, size_t len) {
    size_t i;
    for (i = 0; i < len; i++) fprintf(out, "%02x", bytes[i]);
}

static inline void put_context(FILE *out, const char *what, const context *context) {
    fprintf(out, " %s=", what);
    if (context == NULL) {
        fputs("none", out);
        return;
    }
    put_hex(out, context->trace_id, sizeof context->trace_id);
    fputc('/', out);
    put_hex(out, context->span_id, sizeof context->span_id);
}

static inline void put_attributes(FILE *out, const attribute *attributes, size_t len) {
    size_t i, j;
    for (i = 0; i < len; i++) {
        const attribute *a = &attributes[i];
        fputc(' ', out);
        fwrite(a->key.ptr, 1, a->key.len, out);
        fputc(':', out);
        switch (a->value.kind) {
            case VALUE_BOOL: fputs(a->value.data.boolean ? "true" : "false", out); break;
            case VALUE_I64: fprintf(out, "%" PRId64, a->value.data.integer); break;
            case VALUE_F64: fprintf(out, "%g", a->value.data.number); break;
            case VALUE_TEXT: fwrite(a->value.data.text.ptr, 1, a->value.data.text.len, out); break;
            case VALUE_I64_ARRAY:
                for (j = 0; j < a->value.data.array.len; j++) {
                    fprintf(out, "[%" PRId64 "]", ((const int64_t *)a->value.data.array.ptr)[j]);
                }
                break;
            case VALUE_TEXT_ARRAY:
                for (j = 0; j < a->value.data.array.len; j++) {
                    const text *item = (const text *)a->value.data.array.ptr + j;
                    fprintf(out, "[%.*s]", (int)item->len, item->ptr);
                }
                break;
            default: fputc('?', out); break;
        }
    }
}

static inline void end_line(FILE *out) {
    fputc('\n', out);
    fflush(out);
}
