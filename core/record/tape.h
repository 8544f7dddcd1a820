/* A tape: one file of a recording (`*.tgr`). */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "record/note.h"

#include <stdbool.h>

/* What the head of a file says. */
struct tg_tape_facts {
    char version[32]; /* of the gateway that made it */
    uint64_t run;     /* random: tapes of one life of one gateway have it in common … */
    uint64_t number;  /* … and count from 1; a number is left out where something was lost */
    int64_t begun_ms; /* UTC */
    bool ids_as_text;
};

/* Appends the head of a file: the magic and the block that follows it. 0 or -TG_ENOMEM. */
struct tg_packer;
int tg_tape_head(struct tg_packer *packer, const struct tg_tape_facts *facts, struct tg_buf *out);

struct tg_tape;

/* Opens a file and reads its head. 0, or with file, offset and reason in `err`: -TG_EIO, -TG_EINVAL
 * (no recording, a damaged one, or of a later format), -TG_ECLOSED (it ends within its head),
 * -TG_ENOMEM. Freed with tg_tape_close, also after a fault. */
int tg_tape_open(const char *path, struct tg_tape **out, struct tg_err *err);
void tg_tape_close(struct tg_tape *tape);

const struct tg_tape_facts *tg_tape_facts(const struct tg_tape *tape);

/* The next note; it is good until the next call. 1, 0 at the end, or with file, offset and reason
 * in `err`: -TG_ECLOSED (the file ends within a block: its gateway was writing or was killed),
 * -TG_EINVAL (damaged from there on), -TG_EIO, -TG_ENOMEM. After anything but 1, call it no more.
 */
int tg_tape_next(struct tg_tape *tape, struct tg_note *note, struct tg_err *err);
