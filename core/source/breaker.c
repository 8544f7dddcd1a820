/* Why beside the backoff of each account: a dead upstream with 5 000 accounts would still get 5 000
 * connection attempts a second at first and 170 a second for ever. Open, it gets one.
 *
 * What would break it: counting the failures of polls that were under way when it opened. There are
 * as many of those as the driver has requests in flight, so while open they change nothing; a late
 * success does, because a success is proof whenever it comes. */
#include "source/breaker.h"

bool tg_breaker_allows(struct tg_breaker *breaker, const struct tg_breaker_policy *policy,
                       int64_t now_ms)
{
    if (breaker->state == TG_BREAKER_CLOSED) return true;
    if (now_ms < breaker->due_ms) return false;
    breaker->state = TG_BREAKER_HALF_OPEN;
    breaker->due_ms = now_ms + policy->probe_ms;
    return true;
}

static void open_for(struct tg_breaker *breaker, int64_t ms, int64_t now_ms)
{
    breaker->state = TG_BREAKER_OPEN;
    breaker->wait_ms = ms;
    breaker->due_ms = now_ms + ms;
}

static bool worked(struct tg_breaker *breaker)
{
    bool was = breaker->state != TG_BREAKER_CLOSED;
    *breaker = (struct tg_breaker){0};
    return was;
}

/* A failed probe: open again, for twice as long. */
static void reopened(struct tg_breaker *breaker, const struct tg_breaker_policy *policy,
                     int64_t now_ms)
{
    int64_t wait = breaker->wait_ms;
    wait = wait > policy->max_ms / 2 ? policy->max_ms : wait * 2;
    open_for(breaker, wait, now_ms);
}

bool tg_breaker_note(struct tg_breaker *breaker, const struct tg_breaker_policy *policy,
                     enum tg_poll_end end, int64_t now_ms)
{
    bool answers = end == TG_POLL_OK || end == TG_POLL_STALE || end == TG_POLL_UNKNOWN ||
                   end == TG_POLL_DENIED;
    if (answers) return worked(breaker);
    if (breaker->state == TG_BREAKER_HALF_OPEN) reopened(breaker, policy, now_ms);
    if (breaker->state != TG_BREAKER_CLOSED || end == TG_POLL_BUSY || !policy->failures)
        return false;
    if (++breaker->failures < policy->failures) return false;
    int64_t first = policy->first_ms < policy->max_ms ? policy->first_ms : policy->max_ms;
    open_for(breaker, first, now_ms);
    return true;
}
