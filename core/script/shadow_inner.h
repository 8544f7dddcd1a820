/* The shadow's inside, shared by the run and the report. */
#pragma once

#include "base/clock.h"
#include "script/shadow.h"

#define TG_SHADOW_SAMPLES 4
#define TG_SHADOW_CLASSES 16 /* client classes whose filters are compared */

/* How an event of one side relates to the other side. */
enum tg_likeness {
    TG_LIKE_SAME,
    TG_LIKE_ONLY_LIVE,
    TG_LIKE_ONLY_CANDIDATE,
    TG_LIKE_DIFFERENT,
    TG_LIKENESSES,
};

/* A rule's name, in whichever set it is. */
struct tg_shadow_row {
    char *name;
    uint64_t counts[TG_LIKENESSES];
    char *samples[TG_SHADOW_SAMPLES]; /* of differences, as JSON; a ring */
    uint32_t sampled;
    int live, candidate; /* indexes of the rule, -1 = not in that set */
    bool filtered;       /* it has a `to` in one of them */
};

/* An event of either side. */
struct tg_heard {
    const struct tg_account *account; /* NULL: gone, or compared */
    uint32_t row;
    const char *type; /* the rule's */
    enum tg_lane lane;
    uint64_t audience; /* bits of classes that may have it; all when it has no filter */
    size_t text, len;
};

struct tg_hearing {
    struct tg_heard *rows;
    uint32_t count, cap;
    struct tg_buf text;
};

/* An account by its slot. */
struct tg_follow {
    uint64_t birth; /* 0: never seen */
    int64_t wake_wall_ms;
    bool left_out;
};

struct tg_shadow {
    struct tg_shadow_options options;
    struct tg_script_options engine; /* of the candidate */
    struct tg_generation *generation;
    struct tg_clock_virtual clock; /* stands where the live run stood */
    char **paths;
    uint64_t signature;
    int64_t started_wall_ms, faced_wall_ms;
    uint32_t faced; /* the live generation it is compared with */
    struct tg_shadow_row *rows;
    uint32_t rows_count, rows_cap;
    uint32_t *row_of_live, *row_of_candidate; /* by rule index */
    struct tg_hearing live, candidate;
    struct tg_follow *follows;
    uint32_t follows_cap;
    uint32_t followed, left_out;
    int64_t second_us; /* when this second of the budget began */
    int64_t second_spent_us;
    uint64_t spent_us;
    uint64_t runs; /* of one account */
};

/* Keeps an event of either side until it is compared. Without memory it is lost, which shows as a
 * difference. */
void tg_shadow_keep(struct tg_shadow *shadow, struct tg_hearing *hearing,
                    struct tg_generation *generation, const struct tg_script_event *event,
                    uint32_t row);

/* The live events of one account: rows `first` to `end`, which is not one of them. */
struct tg_shadow_part {
    uint32_t first, end;
};

/* Lays them beside all that the candidate said. `told`: what was told, NULL for a poll. */
void tg_shadow_compare(struct tg_shadow *shadow, struct tg_shadow_part part,
                       const struct tg_account *account, const char *told);

/* Notes a difference of a row, as JSON. Either event may be NULL. */
void tg_shadow_sample(struct tg_shadow *shadow, enum tg_likeness likeness,
                      const struct tg_account *account, const struct tg_heard *live,
                      const struct tg_heard *candidate, const char *told);
