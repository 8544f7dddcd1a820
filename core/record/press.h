/* The press: blocks in, tapes on the shelf out. It blocks while it writes, so it has a thread. */
#pragma once

#include "record/tape.h"

#include <stdbool.h>
#include <stddef.h>

struct tg_press;

struct tg_press_options {
    const char *folder;         /* made (one level, 0700) when it is not there */
    int64_t file_bytes;         /* a tape that has so many is followed by a new one */
    int64_t total_bytes;        /* of all tapes in the folder; the oldest are removed */
    int64_t min_free_bytes;     /* that must be left on the file system */
    struct tg_tape_facts facts; /* of every tape; the press counts `number` itself */
};

/* The options are copied. NULL when memory is short. */
struct tg_press *tg_press_new(const struct tg_press_options *options);
void tg_press_free(struct tg_press *press);

/* Writes one block of the scribe. `fresh`: it begins a tape; `gap`: something was lost before it.
 * 0, or with a sentence in `err` -TG_EIO (the system's reason), -TG_ELIMIT (min_free_bytes),
 * -TG_ENOMEM: then nothing of the block is on the tape, the tape is closed, and the next block must
 * be a fresh one. */
int tg_press_write(struct tg_press *press, const void *block, size_t len, bool fresh, bool gap,
                   int64_t wall_ms, struct tg_err *err);

/* Whether the next block should begin a new tape. */
bool tg_press_full(const struct tg_press *press);

/* Bytes written since the beginning, and tapes begun. */
int64_t tg_press_bytes(const struct tg_press *press);
uint64_t tg_press_tapes(const struct tg_press *press);
