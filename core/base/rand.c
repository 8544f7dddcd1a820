/* SplitMix64 (Steele, Lea, Flood 2014): eight bytes of state, passes the usual batteries, and any
 * seed is a good seed, which matters because seeds are often 0, 1, 2. */
#include "base/rand.h"

#include "base/err.h"

#include <errno.h>
#include <sys/random.h>

void tg_random_bytes(void *out, size_t len)
{
    char *at = out;
    while (len) {
        ssize_t n = getrandom(at, len, 0);
        if (n < 0 && errno == EINTR) continue;
        tg_must(n > 0);
        at += n;
        len -= (size_t)n;
    }
}

uint64_t tg_rng_next(struct tg_rng *rng)
{
    uint64_t z = (rng->state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t tg_rng_below(struct tg_rng *rng, uint64_t bound)
{
    return bound ? tg_rng_next(rng) % bound : 0;
}

double tg_rng_unit(struct tg_rng *rng)
{
    return (double)(tg_rng_next(rng) >> 11) * 0x1p-53;
}
