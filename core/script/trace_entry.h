/* How a trace's entries lie in its ring: shared by who writes and who explains. */
#pragma once

#include "script/trace.h"

enum tg_trace_kind {
    TG_TRACE_PAD, /* the rest of the ring's end: nothing */
    TG_TRACE_RUN,
    TG_TRACE_TOLD,
};

/* An entry. Behind it: its changes, its moments, its steps, the events, then the text. Every part
 * is a multiple of 8 bytes. */
struct tg_trace_head {
    uint32_t size; /* of the whole entry, bytes */
    uint8_t kind, changes, moments, moments_more;
    int64_t wall_ms;
    uint64_t account; /* hash of the id */
    uint32_t generation;
    uint16_t steps, spoken;
    uint16_t text;  /* bytes, padding not counted */
    uint8_t told;   /* TOLD: the kind of moment */
    uint8_t digits; /* of the account's currency */
    uint32_t spare;
};

struct tg_trace_change {
    uint64_t field;  /* index */
    double old, new; /* NaN: not known, or no number */
};

struct tg_trace_moment {
    uint64_t position_id, ticket; /* of the position, deal or order */
    uint64_t changed;
    uint8_t kind, estimated, synthetic, spare[5];
};

struct tg_trace_step {
    uint16_t rule;
    int16_t moment;  /* index, or a TGL_STEP_ */
    uint8_t verdict; /* enum tgl_verdict */
    uint8_t spare;
    uint16_t text; /* bytes of the entry's text that are this step's, in order */
};

struct tg_trace_spoken {
    uint64_t number; /* seq or rev; 0: not sent (yet) */
    uint16_t rule, step, yes, no;
    uint32_t listeners, spare;
};

/* A rule as it was in a generation. */
struct tg_trace_role {
    char *name, *type, *where;
    uint64_t watch;
    uint32_t on;
    bool latest, filtered, muted;
    double every_s;
    int32_t lines[TGL_PLACES]; /* of its functions; 0 = it has none */
};

struct tg_trace_cast {
    uint32_t generation, count;
    struct tg_trace_role *roles;
};

#define TG_TRACE_CASTS 8
#define TG_TRACE_STEPS 256 /* of an entry; further ones are left out of it */

struct tg_trace {
    char *ring;
    uint64_t size;       /* bytes of the ring */
    uint64_t head, tail; /* positions ever written: the newest entry's end, the oldest's begin */
    int seconds;
    uint64_t dropped; /* entries that did not fit */
    struct tg_trace_cast casts[TG_TRACE_CASTS];
    uint32_t next_cast;
};

uint64_t tg_trace_hash(const char *account_id);
