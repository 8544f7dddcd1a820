/* Waits: deals that are listed and neither told nor forgotten, and since when. */
#pragma once

#include "model/deals.h"

struct tg_wait {
    uint64_t key;     /* as tg_deal_key has it */
    int64_t time_ms;  /* when the deal was made, UTC; 0 = not told */
    int64_t since_ms; /* when it was first listed, on the monotonic clock */
};

/* Those of the newest answer that told deals. Zero-initialise. */
struct tg_waits {
    struct tg_wait *rows;
    uint32_t count, cap;
};

void tg_waits_fini(struct tg_waits *waits);

/* The row of that deal, or NULL. */
const struct tg_wait *tg_waits_find(const struct tg_waits *waits, const struct tgl_deal *deal);

/* Empties it and makes room for so many rows. 0 or -TG_ENOMEM. */
int tg_waits_reserve(struct tg_waits *waits, uint32_t count);

/* Adds a deal; needs the room of one row. */
void tg_waits_add(struct tg_waits *waits, const struct tgl_deal *deal, int64_t since_ms);

/* When the oldest of them was made, UTC; INT64_MAX when none waits. */
int64_t tg_waits_oldest(const struct tg_waits *waits);
