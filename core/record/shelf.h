/* The shelf: the folder that recordings are kept in. */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define TG_SHELF_NAME 64

/* A tape on the shelf. */
struct tg_shelf_tape {
    char name[TG_SHELF_NAME];
    int64_t bytes;
};

struct tg_shelf {
    struct tg_shelf_tape *tapes; /* by name, which is by time */
    size_t count, cap;
    int64_t bytes; /* of all */
};

/* The name of a new tape: when it was begun, its run, its number. */
void tg_shelf_name(char out[TG_SHELF_NAME], int64_t wall_ms, uint64_t run, uint64_t number);

/* Lists the files whose names tg_shelf_name could have made. 0, -TG_EIO with errno, -TG_ENOMEM; in
 * any case tg_shelf_fini afterwards. */
int tg_shelf_list(const char *folder, struct tg_shelf *shelf);
void tg_shelf_fini(struct tg_shelf *shelf);

/* Removes the oldest tapes, never the one of that name, until all together have at most so many
 * bytes; how many were removed, or -1 with errno when one could not be. */
int tg_shelf_trim(const char *folder, const char *but, int64_t bytes);

/* Free bytes for us on the folder's file system; -1 with errno. */
int64_t tg_shelf_free(const char *folder);
