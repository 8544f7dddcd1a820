/* The scan of gateway.lua: on which line each key of the returned table stands. */
#pragma once

#include "base/buf.h"
#include "base/map.h"

#include <stddef.h>

/* A key that is written out in a table constructor. */
struct tg_config_place {
    char *path; /* "auth.keys[1].secret" */
    int line;
    int again;         /* line where the same key is written once more; 0 = it is not */
    size_t begin, end; /* bytes of its value in the source */
};

struct tg_config_scan {
    const char *source; /* borrowed */
    struct tg_config_place *places;
    int count, cap;
    struct tg_map by_path; /* path → index + 1: lists of accounts may be long */
    bool failed;           /* out of memory */
};

/* Reads the table that follows the file's one top-level `return`. A file that is built otherwise (a
 * variable is returned, several returns) yields no places: no line is better than a wrong one. 0 or
 * -TG_ENOMEM. `scan` is zeroed first and freed with tg_config_scan_fini. */
int tg_config_scan_read(struct tg_config_scan *scan, const char *source, size_t len);
void tg_config_scan_fini(struct tg_config_scan *scan);

/* The line of a key, or of the nearest table around it that is written out; 0 when none is. */
int tg_config_scan_line(const struct tg_config_scan *scan, const char *path);

/* The innermost key whose value holds `text` on that line of the source, or NULL. */
const char *tg_config_scan_holder(const struct tg_config_scan *scan, int line, const char *text);

/* Append a key or a list index to a path: `.port`, `["X-API-Key"]`, `[1]`. */
void tg_config_path_key(struct tg_buf *path, const char *key, size_t len);
void tg_config_path_index(struct tg_buf *path, int index);
