/* Thousandths of a token, because `rate` tokens a second are exactly `rate` thousandths a
 * millisecond: no rounding, so no rate is ever a little too generous. A long pause cannot overflow:
 * the refill is cut to the time that fills the bucket before it is multiplied. */
#include "stream/limiter.h"

void tg_limiter_init(struct tg_limiter *limiter, int per_second, int64_t burst, int64_t now_ms)
{
    limiter->per_second = per_second;
    limiter->burst = burst < 1 ? 1 : burst;
    limiter->level = limiter->burst * 1000;
    limiter->last_ms = now_ms;
}

bool tg_limiter_take(struct tg_limiter *limiter, int64_t now_ms)
{
    int64_t full = limiter->burst * 1000, rate = limiter->per_second;
    if (rate <= 0) return true;
    int64_t passed = now_ms - limiter->last_ms, needed = (full - limiter->level) / rate + 1;
    if (passed > needed) passed = needed;
    if (passed > 0) limiter->level += passed * rate;
    if (limiter->level > full) limiter->level = full;
    if (passed >= 0) limiter->last_ms = now_ms;
    if (limiter->level < 1000) return false;
    limiter->level -= 1000;
    return true;
}
