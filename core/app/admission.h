/* Admission: how many connections whom may have, and how fast they may come. */
#pragma once

#include "base/map.h"

#include <stdbool.h>
#include <stdint.h>

/* Counts by name; a name that is down to none is forgotten. Zero-initialise. */
struct tg_tally {
    struct tg_map map;
};

/* The count of a name; 0 when it has none. */
int tg_tally_of(const struct tg_tally *tally, const char *name);

/* One more, one less. Adding gives 0 or -TG_ENOMEM. */
int tg_tally_add(struct tg_tally *tally, const char *name);
void tg_tally_remove(struct tg_tally *tally, const char *name);
void tg_tally_fini(struct tg_tally *tally);

/* At most `per_second` a second, with a burst of as many. Zero-initialise; full at the start. */
struct tg_rate {
    int64_t tokens_milli; /* thousandths of one */
    int64_t at_ms;
    bool begun;
};

/* Whether one more may pass now; `per_second` 0 = no limit. */
bool tg_rate_pass(struct tg_rate *rate, int per_second, int64_t now_ms);
