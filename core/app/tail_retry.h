/* When a tail that lost its connection comes back, and whether it may. */
#pragma once

#include "base/rand.h"

#include <stdbool.h>
#include <stdint.h>

#define TG_TAIL_RETRY_FIRST_MS 500
#define TG_TAIL_RETRY_MAX_MS 30000

struct tg_tail_retry {
    struct tg_rng rng; /* seed it, so that many clients do not come back at once */
    int failures;      /* in a row; set to 0 by a connection that opened */
};

/* The wait before the next attempt: doubling from the first to the most, drawn from the upper half
 * (jitter), and at least `least_ms`. */
int64_t tg_tail_retry_wait(struct tg_tail_retry *retry, int64_t least_ms);

/* Whether a connection that ended with this close code may be opened again as it was (protocol,
 * section 5): not after 1000, and not after 4500–4999. */
bool tg_tail_retry_close(int code);

/* Whether a request that was refused with this HTTP status may be made again: 408, 429 and 5xx. */
bool tg_tail_retry_status(int status);
