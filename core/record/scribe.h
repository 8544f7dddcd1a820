/* The scribe: notes in, blocks of bytes out. It knows no file. */
#pragma once

#include "base/buf.h"
#include "base/map.h"
#include "record/note.h"

/* Zero-initialise. */
struct tg_scribe {
    struct tg_map accounts; /* by id: what was last written of it */
    uint32_t count;         /* accounts that this tape has named */
    struct tg_buf block;    /* the one that is being written */
    int64_t wall_ms, mono_ms;
    bool goes_on; /* the block continues the one before */
};

void tg_scribe_fini(struct tg_scribe *scribe);

/* Appends a note. 0, -TG_ELIMIT (more rows than TG_NOTE_ROWS) or -TG_ENOMEM: then what was
 * written so far in this block is lost, and tg_scribe_restart was done. */
int tg_scribe_add(struct tg_scribe *scribe, const struct tg_note *note);

/* Gives away the block (in exchange for `*out`, whose memory is reused) and begins the next. */
void tg_scribe_take(struct tg_scribe *scribe, struct tg_buf *out);

/* Drops the block and begins anew, with a block that a tape can start with: every account is
 * written in full again. */
void tg_scribe_restart(struct tg_scribe *scribe);
