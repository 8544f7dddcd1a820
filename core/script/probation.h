/* Probation: the first minute of a fresh generation, in which it is compared with the one before.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tg_probation_policy {
    int seconds;          /* how long it lasts; 0: there is none */
    int faults;           /* of one rule, that had none before; 0: faults do not matter */
    double events_factor; /* times the rate before; 0: the rate does not matter */
    int events_minimum;   /* so many are never too many */
};

#define TG_PROBATION_SECONDS 60 /* of the past that make the rate */
#define TG_PROBATION_KNOWN 10   /* fewer make none */

/* Zero-initialise, set the policy. */
struct tg_probation {
    struct tg_probation_policy policy;
    uint64_t seconds[TG_PROBATION_SECONDS]; /* events in each, a ring */
    uint32_t filled, at;
    uint64_t total; /* events when last noted */
    int64_t begun_ms, until_ms;
    uint64_t begun_total;
    double rate; /* events a second before the swap; negative: not known */
};

/* Once a second: `total` is the number of events since the start. */
void tg_probation_note(struct tg_probation *probation, uint64_t total);

/* A generation went live; any probation before is over. */
void tg_probation_begin(struct tg_probation *probation, uint64_t total, int64_t mono_ms);

/* It was rolled back: what it said is no measure for the next. */
void tg_probation_revert(struct tg_probation *probation);
bool tg_probation_runs(const struct tg_probation *probation, int64_t mono_ms);

/* How many events the fresh generation may have made by now: each of the `accounts` may be told
 * once by a rule that is new. UINT64_MAX: any number. */
uint64_t tg_probation_allows(const struct tg_probation *probation, uint32_t accounts,
                             int64_t mono_ms);
