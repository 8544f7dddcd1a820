/* A pace: how often a source may be asked that wants to be asked less often. Pure: time is an
 * argument. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tg_pace {
    int64_t interval_ms; /* full speed: a round so often */
    int64_t max_ms;      /* the slowest */
    int level;           /* rounds are `interval_ms` doubled so many times apart; 0: full speed */
    bool lowered;        /* the newest change was a step back to full speed */
    int64_t changed_ms;  /* when the level changed last */
    int64_t hold_ms;     /* how long a level must go well before the next; 0: it never changed */
};

/* Full speed. `interval_ms` at least 1; a `max_ms` below it counts as it. */
void tg_pace_init(struct tg_pace *pace, int64_t interval_ms, int64_t max_ms);

/* The least time from round to round; 0 at full speed. */
int64_t tg_pace_ms(const struct tg_pace *pace);

/* The source said that it is asked too often: half the speed, down to `max_ms`. One that says so
 * within the hold of a step up makes the hold twice as long, from 5 intervals up to 60. */
void tg_pace_busy(struct tg_pace *pace, int64_t now_ms);

/* A round went well: twice the speed, when the level was held for long enough. Whether it changed.
 */
bool tg_pace_ok(struct tg_pace *pace, int64_t now_ms);

/* Whether the source may be called undisturbed: full speed, and that for as long as the hold. */
bool tg_pace_settled(const struct tg_pace *pace, int64_t now_ms);
