/* A plugin for another major version of the boundary, of which nothing is known but that its symbol has
 * another name. Compiled with LIES, its metadata says otherwise. */
#include <stdlib.h>

#if defined(__APPLE__)
#define SECTION __attribute__((section("__DATA,__spandrel"), used))
#else
#define SECTION __attribute__((section(".spandrel"), used))
#endif

SECTION const char spandrel_metadata_v1[] =
#ifdef LIES
    "spandrel_abi = \"1.0\"\n"
#else
    "spandrel_abi = \"2.0\"\n"
#endif
    "name = \"exporter_v2\"\nversion = \"20.1.0\"\nkind = \"exporter\"\n";

const void *spandrel_plugin_v2(void);
const void *spandrel_plugin_v2(void) {
    abort();
}
