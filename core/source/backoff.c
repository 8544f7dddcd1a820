/* Two ladders that never share a counter: an ill upstream is asked again soon, because it is
 * usually back soon; refused credentials are asked again late, because brokers lock accounts and
 * ban addresses that keep trying. A transport failure between two refusals must not reset the
 * second ladder, or a flaky network would turn it into a fast one; only a good poll does. */
#include "source/backoff.h"

/* `first` doubled `times` times, at most `max`. */
static int64_t doubled(int64_t first, int times, int64_t max)
{
    int64_t wait = first;
    while (times-- > 0 && wait < max)
        wait = wait > max / 2 ? max : wait * 2;
    return wait < max ? wait : max;
}

static int64_t stretched(int64_t ms, struct tg_rng *rng)
{
    return ms + (int64_t)tg_rng_below(rng, (uint64_t)(ms / 10) + 1);
}

static int64_t refused(struct tg_backoff *backoff, const struct tg_backoff_policy *policy,
                       struct tg_rng *rng)
{
    int64_t wait = doubled(policy->refused_first_ms, backoff->refusals, policy->refused_max_ms);
    if (backoff->refusals < INT32_MAX) backoff->refusals++;
    backoff->state = TG_BACKOFF_REFUSED;
    return stretched(wait, rng);
}

/* Asked again soon, and at most so many times the first wait apart: one account's question costs
 * little, and whoever gives a permission waits for the effect. */
#define DENIED_FACTOR 8

static int64_t denied(const struct tg_backoff_policy *policy, struct tg_rng *rng, int before)
{
    int64_t most = policy->first_ms * DENIED_FACTOR;
    return stretched(
        doubled(policy->first_ms, before, most < policy->probe_ms ? most : policy->probe_ms), rng);
}

static int64_t failed(struct tg_backoff *backoff, const struct tg_backoff_policy *policy,
                      struct tg_rng *rng, enum tg_poll_end end)
{
    int before = backoff->failures;
    if (before < INT32_MAX) backoff->failures++;
    bool probing = before >= policy->retries || end == TG_POLL_UNKNOWN || end == TG_POLL_DENIED;
    backoff->state = probing ? TG_BACKOFF_PROBING : TG_BACKOFF_RETRYING;
    if (end == TG_POLL_DENIED) return denied(policy, rng, before);
    if (probing) return stretched(policy->probe_ms, rng);
    return doubled(policy->first_ms, before, INT64_MAX);
}

int64_t tg_backoff_fail(struct tg_backoff *backoff, const struct tg_backoff_policy *policy,
                        struct tg_rng *rng, enum tg_poll_end end, int64_t retry_after_ms,
                        int64_t now_ms)
{
    tg_must(end != TG_POLL_OK && end != TG_POLL_BUSY);
    int64_t wait =
        end == TG_POLL_REFUSED ? refused(backoff, policy, rng) : failed(backoff, policy, rng, end);
    int64_t asked =
        retry_after_ms < policy->refused_max_ms ? retry_after_ms : policy->refused_max_ms;
    backoff->wait_ms = wait > asked ? wait : asked;
    backoff->due_ms = now_ms + backoff->wait_ms;
    return backoff->due_ms;
}

bool tg_backoff_ok(struct tg_backoff *backoff)
{
    bool was = backoff->state != TG_BACKOFF_CLEAR;
    *backoff = (struct tg_backoff){0};
    return was;
}

int64_t tg_backoff_hasten(struct tg_backoff *backoff, int64_t due_ms)
{
    bool may = backoff->state == TG_BACKOFF_RETRYING || backoff->state == TG_BACKOFF_PROBING;
    if (may && due_ms < backoff->due_ms) backoff->due_ms = due_ms;
    return backoff->due_ms;
}
