/* A note: one thing that happened at a gateway, as it is recorded and read again. */
#pragma once

#include "model/record.h"

#include <stdint.h>

enum tg_note_kind {
    TG_NOTE_RESTART,      /* never on tape: what follows has no connection with what was before */
    TG_NOTE_POLL,         /* a good poll was applied to the account: `records` */
    TG_NOTE_TURN,         /* the rules run over the accounts that were polled since the last */
    TG_NOTE_TICK,         /* what rules held back and is due is told */
    TG_NOTE_STATUS,       /* the status of the account's source was told: `text` */
    TG_NOTE_ENDED,        /* the account is not watched any more */
    TG_NOTE_CONNECTED,    /* a client came: `text` is its subject */
    TG_NOTE_DISCONNECTED, /* a client left: `text` is its subject */
    TG_NOTE_SNAPSHOT,     /* a snapshot was made: it takes a `rev` */
    TG_NOTE_KINDS,
};

/* All borrowed. */
struct tg_note {
    int kind; /* enum tg_note_kind */
    int64_t wall_ms, mono_ms;
    const char *account;        /* NULL for TURN, TICK and RESTART */
    const char *text;           /* NULL where none is told */
    struct tg_records *records; /* POLL; a reader may sort and change what it was given */
    int suspect_polls;          /* POLL: by what policy it was judged … */
    int interval_ms;            /* … and how often the account was polled */
};

#define TG_NOTE_TEXT 512   /* bytes of the longest text */
#define TG_NOTE_ROWS 65536 /* rows of one part of a poll */
