/* The gateway says by the class of a code whether coming back is of use. A client that comes back
 * although it was told not to is an attack with good intentions. */
#include "app/tail_retry.h"

int64_t tg_tail_retry_wait(struct tg_tail_retry *retry, int64_t least_ms)
{
    int64_t wait = TG_TAIL_RETRY_FIRST_MS;
    for (int i = 0; i < retry->failures && wait < TG_TAIL_RETRY_MAX_MS; i++)
        wait *= 2;
    if (wait > TG_TAIL_RETRY_MAX_MS) wait = TG_TAIL_RETRY_MAX_MS;
    wait = wait / 2 + (int64_t)tg_rng_below(&retry->rng, (uint64_t)wait / 2 + 1);
    retry->failures++;
    return wait > least_ms ? wait : least_ms;
}

bool tg_tail_retry_close(int code)
{
    return code != 1000 && !(code >= 4500 && code <= 4999);
}

bool tg_tail_retry_status(int status)
{
    return status == 408 || status == 429 || (status >= 500 && status <= 599);
}
