/* The inside of a tape, shared by what reads its blocks and what reads the notes in them. */
#pragma once

#include "base/buf.h"
#include "record/layout.h"
#include "record/tape.h"

#include <stdio.h>

/* What the tape has told of an account so far. */
struct tg_tape_account {
    char *id;
    int suspect_polls, interval_ms;
    struct tg_records records;
};

struct tg_tape {
    char *path;
    FILE *file;
    int64_t offset, block_at; /* of what is read next, and of the block that is being read */
    struct tg_tape_facts facts;
    struct tg_layout layout;
    struct tg_buf packed, block;
    struct tg_bytes in; /* what is left of the block */
    int64_t wall_ms, mono_ms;
    bool begun; /* a block was read */
    struct tg_tape_account *accounts;
    uint32_t count, cap;
    struct tg_records records; /* the poll that is given out */
    char text[TG_NOTE_TEXT + 1];
};

/* Forgets all accounts: what follows says everything again. */
void tg_tape_forget(struct tg_tape *tape);

/* Reads the head of a block of notes. False: it cannot stand here. */
bool tg_tape_begin_block(struct tg_tape *tape);

/* Reads the next note of the block. 0, -TG_EINVAL or -TG_ENOMEM; `tape->in.bad` may be set, too. */
int tg_tape_note(struct tg_tape *tape, struct tg_note *note);
