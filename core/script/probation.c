/* The rate before is the mean over the last minute, whatever generations ran in it: two edits in a
 * row are judged by the market of the minute, not by each other's first second. Without ten seconds
 * of it there is nothing to compare with, and the rate is not judged. */
#include "script/probation.h"

void tg_probation_note(struct tg_probation *probation, uint64_t total)
{
    probation->seconds[probation->at] = total - probation->total;
    probation->total = total;
    probation->at = (probation->at + 1) % TG_PROBATION_SECONDS;
    if (probation->filled < TG_PROBATION_SECONDS) probation->filled++;
}

void tg_probation_begin(struct tg_probation *probation, uint64_t total, int64_t mono_ms)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < probation->filled; i++)
        sum += probation->seconds[i];
    probation->rate =
        probation->filled >= TG_PROBATION_KNOWN ? (double)sum / probation->filled : -1;
    probation->begun_ms = mono_ms;
    probation->until_ms =
        probation->policy.seconds ? mono_ms + (int64_t)probation->policy.seconds * 1000 : 0;
    probation->begun_total = total;
}

void tg_probation_revert(struct tg_probation *probation)
{
    probation->until_ms = 0;
    for (uint32_t i = 0; i < probation->filled; i++)
        probation->seconds[i] = probation->rate > 0 ? (uint64_t)(probation->rate + 0.5) : 0;
}

bool tg_probation_runs(const struct tg_probation *probation, int64_t mono_ms)
{
    return probation->until_ms && mono_ms < probation->until_ms;
}

uint64_t tg_probation_allows(const struct tg_probation *probation, uint32_t accounts,
                             int64_t mono_ms)
{
    const struct tg_probation_policy *policy = &probation->policy;
    if (!(policy->events_factor > 0) || probation->rate < 0) return UINT64_MAX;
    double seconds = (double)(mono_ms - probation->begun_ms) / 1000;
    return (uint64_t)(policy->events_minimum + (double)accounts +
                      policy->events_factor * probation->rate * (seconds > 1 ? seconds : 1));
}
