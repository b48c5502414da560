/* An exporter that cannot do without version 1.9 of the boundary. Compiled with SILENT, its metadata
 * says nothing of that, as with a header whose macro does not know it. See new.h. */
#include "new.h"

SECTION const char spandrel_metadata_v1[] =
    "spandrel_abi = \"1.9\"\nname = \"exporter_needs_newer\"\nversion = \"9.0.0\"\nkind = \"exporter\"\n"
#ifndef SILENT
    "spandrel_abi_min = \"1.9\"\n"
#endif
    ;

static int32_t create(const create_arguments *arguments, const host *host, instance *instance, error *error) {
    (void)arguments, (void)host, (void)instance, (void)error;
    return never_called(NULL);
}

static const descriptor described = {
    .magic = MAGIC,
    .size = sizeof described,
    .abi_major = 1,
    .abi_minor = 9,
    .abi_minor_min = 9,
    .kind = KIND_EXPORTER,
    .name = TEXT("exporter_needs_newer"),
    .version = TEXT("9.0.0"),
    .create = create,
};

const descriptor *spandrel_plugin_v1(void);
const descriptor *spandrel_plugin_v1(void) {
    return &described;
}
