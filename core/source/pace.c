/* What a server allows is not published and may change by the minute, so it is found by trying:
 * half the speed at each complaint, twice the speed after a while without one. A server that allows
 * less than full speed for good would be provoked by each try; so tries that fail become rarer. */
#include "source/pace.h"

#define HOLD_FIRST 5 /* intervals */
#define HOLD_MOST 60

void tg_pace_init(struct tg_pace *pace, int64_t interval_ms, int64_t max_ms)
{
    *pace = (struct tg_pace){.interval_ms = interval_ms,
                             .max_ms = max_ms < interval_ms ? interval_ms : max_ms};
}

int64_t tg_pace_ms(const struct tg_pace *pace)
{
    int64_t ms = pace->interval_ms;
    if (!pace->level) return 0;
    for (int i = 0; i < pace->level && ms < pace->max_ms; i++)
        ms *= 2;
    return ms < pace->max_ms ? ms : pace->max_ms;
}

void tg_pace_busy(struct tg_pace *pace, int64_t now_ms)
{
    bool early = pace->lowered && now_ms - pace->changed_ms < pace->hold_ms;
    int64_t most = HOLD_MOST * pace->interval_ms;
    if (!pace->hold_ms) pace->hold_ms = HOLD_FIRST * pace->interval_ms;
    if (early) pace->hold_ms = pace->hold_ms * 2 < most ? pace->hold_ms * 2 : most;
    if (!pace->level || tg_pace_ms(pace) < pace->max_ms) pace->level++;
    pace->lowered = false;
    pace->changed_ms = now_ms;
}

bool tg_pace_ok(struct tg_pace *pace, int64_t now_ms)
{
    int64_t held = now_ms - pace->changed_ms;
    if (!pace->level) {
        if (held >= HOLD_MOST * pace->interval_ms) pace->hold_ms = 0;
        return false;
    }
    if (held < pace->hold_ms || held < tg_pace_ms(pace)) return false;
    pace->level--;
    pace->lowered = true;
    pace->changed_ms = now_ms;
    return true;
}

bool tg_pace_settled(const struct tg_pace *pace, int64_t now_ms)
{
    return !pace->level && now_ms - pace->changed_ms >= pace->hold_ms;
}
