/* A server stamps its records with the wall clock of the moment. When summer time begins, old
 * stamps stay as they were, so the offset belongs to a moment and not to the server. */
#include "server_time.h"

#include <string.h>

void mt_time_set(struct mt_time *time, int64_t from, int32_t zone_minutes, int32_t daylight,
                 int32_t daylight_state)
{
    int64_t offset_ms = (int64_t)zone_minutes * 60000 + (daylight_state ? 3600000 : 0);
    time->zone_minutes = zone_minutes;
    time->daylight = daylight;
    time->daylight_state = daylight_state;
    if (time->count == MT_TIME_CHANGES) {
        memmove(time->changes, time->changes + 1, sizeof time->changes - sizeof *time->changes);
        time->count--;
    }
    if (!time->count) from = 0;
    time->changes[time->count++] = (struct mt_time_change){from, offset_ms};
}

int64_t mt_time_of(const struct mt_time *time, int64_t utc_ms)
{
    if (!utc_ms || !time->count) return utc_ms;
    int i = time->count - 1;
    while (i > 0 && time->changes[i].from > utc_ms)
        i--;
    return utc_ms + time->changes[i].offset_ms;
}

int64_t mt_time_offset(const struct mt_time *time)
{
    return time->count ? time->changes[time->count - 1].offset_ms : 0;
}
