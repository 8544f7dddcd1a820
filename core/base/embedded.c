/* The table itself is generated at build time by embed.cmake. */
#include "base/embedded.h"

#include <string.h>

const struct tg_embedded *tg_embedded_find(const char *path)
{
    for (const struct tg_embedded *file = tg_embedded_files; file->path; file++)
        if (!strcmp(file->path, path)) return file;
    return NULL;
}
