/* Randomness: from the system where it must be unguessable, from a seed where it must repeat. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Fills `out` from getrandom(2). Cannot fail on a running Linux; aborts if it does. */
void tg_random_bytes(void *out, size_t len);

/* A deterministic generator (SplitMix64). The same seed gives the same numbers everywhere. */
struct tg_rng {
    uint64_t state;
};

uint64_t tg_rng_next(struct tg_rng *rng);

/* An integer in [0, bound); 0 when `bound` is 0. */
uint64_t tg_rng_below(struct tg_rng *rng, uint64_t bound);

/* A real in [0, 1). */
double tg_rng_unit(struct tg_rng *rng);
