/* A limiter: a token bucket that says whether one more may pass now. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Embed it; no memory of its own. */
struct tg_limiter {
    int64_t level; /* thousandths of a token */
    int64_t last_ms;
    int64_t burst;
    int32_t per_second;
};

/* A full bucket of `burst` tokens that refills at `per_second`; 0 or less per second: no limit. */
void tg_limiter_init(struct tg_limiter *limiter, int per_second, int64_t burst, int64_t now_ms);

/* Takes a token; false when there is none. Time (monotonic, ms) that goes back counts as none
 * passed. */
bool tg_limiter_take(struct tg_limiter *limiter, int64_t now_ms);
