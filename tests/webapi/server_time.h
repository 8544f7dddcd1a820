/* The server's clock: broker wall clock written as an epoch. */
#pragma once

#include <stdint.h>

#define MT_TIME_CHANGES 16

/* Since `from` (UTC ms) the server's clock is this much ahead of UTC. */
struct mt_time_change {
    int64_t from, offset_ms;
};

struct mt_time {
    int32_t zone_minutes, daylight, daylight_state;
    struct mt_time_change changes[MT_TIME_CHANGES];
    int count;
};

/* Sets the zone (minutes east of GMT) and whether summer time is on, from a moment on. What was
 * stamped before keeps its stamp. */
void mt_time_set(struct mt_time *time, int64_t from, int32_t zone_minutes, int32_t daylight,
                 int32_t daylight_state);

/* UTC milliseconds as the server's clock shows or showed them. 0 stays 0: it means "never". */
int64_t mt_time_of(const struct mt_time *time, int64_t utc_ms);

/* The present offset. */
int64_t mt_time_offset(const struct mt_time *time);
