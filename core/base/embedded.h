/* Files that are compiled into the binary: the Lua runtime and the default rules. */
#pragma once

#include "base/buf.h"

#include <stddef.h>

struct tg_embedded {
    const char *path; /* as in the repository: "lua/boot.lua", "plugins/rules/default/…" */
    const char *text; /* NUL-terminated */
    size_t len;
};

/* Sorted by path; ends with a NULL path. */
extern const struct tg_embedded tg_embedded_files[];

/* The file of that path, or NULL. */
const struct tg_embedded *tg_embedded_find(const char *path);

/* The names of the files in a folder, without its path and the ending, NULL-terminated: at most
 * `max` - 1. Their text is kept in `room`, which is cleared. */
void tg_embedded_names(const char *folder, const char *ending, const char **names, int max,
                       struct tg_buf *room);
