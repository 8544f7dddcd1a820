/* A shadow: a candidate that runs beside the live generation on the same input, sends nothing, and
 * is compared with it. */
#pragma once

#include "script/class.h"
#include "script/generation.h"

struct tg_shadow;

struct tg_shadow_options {
    const struct tg_script_options *script; /* borrowed */
    struct tg_classes *classes;             /* whose `to` is asked; borrowed */
    int ms_per_second;                      /* of the loop's time; accounts beyond are left out */
    const char *const *paths;               /* for the report */
    int paths_count;
};

/* Builds the candidate, with what the live rules remember. Takes the set over in any case. 0, or
 * with the sentence why not: -TG_EINVAL, -TG_ENOMEM. */
int tg_shadow_new(const struct tg_shadow_options *options, struct tg_ruleset *set,
                  struct tg_generation *live, struct tg_shadow **out, struct tg_err *err);
void tg_shadow_free(struct tg_shadow *shadow);

/* Another generation is live: the comparison begins anew. 0 or -TG_ENOMEM. */
int tg_shadow_face(struct tg_shadow *shadow, const struct tg_generation *live);

/* Silences a rule of the candidate as the operator silenced that of the live set, or no longer. */
void tg_shadow_hush(struct tg_shadow *shadow, const char *rule, bool on);

/* Whether the newest poll could make a rule of the candidate speak. */
bool tg_shadow_wakes(const struct tg_shadow *shadow, const struct tg_account *account,
                     int64_t wall_ms);

/* Around a run of the live generation: `mark` before; every event of it in between; then the same
 * for the candidate, and the comparison. Runs nest. */
uint32_t tg_shadow_mark(const struct tg_shadow *shadow);
void tg_shadow_hear(struct tg_shadow *shadow, struct tg_generation *live,
                    const struct tg_script_event *event);
void tg_shadow_run(struct tg_shadow *shadow, uint32_t mark, const struct tg_generation *live,
                   struct tg_account *const *accounts, uint32_t count);
void tg_shadow_due(struct tg_shadow *shadow, uint32_t mark, const struct tg_generation *live,
                   struct tg_account *account);
void tg_shadow_told(struct tg_shadow *shadow, uint32_t mark, const struct tg_generation *live,
                    struct tg_account *account, int kind, const char *what);

/* The candidate's snapshot of an account beside the live one's. */
void tg_shadow_snapshot(struct tg_shadow *shadow, const struct tg_generation *live,
                        struct tg_account *account, const char *text, size_t len);

/* Drops what it knows of an account that is freed. */
void tg_shadow_forget(struct tg_shadow *shadow, const struct tg_account *account);

/* The candidate's set. */
const struct tg_ruleset *tg_shadow_set(const struct tg_shadow *shadow);

/* Whether the candidate's files have changed since they were read, or last seen; sees them. */
bool tg_shadow_stale(const struct tg_shadow *shadow);
void tg_shadow_seen(struct tg_shadow *shadow);
const char *const *tg_shadow_paths(const struct tg_shadow *shadow, int *count);

/* See tg_script_candidate. */
void tg_shadow_status(const struct tg_shadow *shadow, struct tg_candidate_status *out);

/* Appends the report as a JSON object. */
void tg_shadow_report(const struct tg_shadow *shadow, const struct tg_generation *live,
                      struct tg_buf *out);
