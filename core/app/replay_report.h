/* A report: what a replay has to say, as text for people or as JSON, one object a line. */
#pragma once

#include "app/replay.h"
#include "base/buf.h"

#include <stdio.h>

/* How the events of two rule sets fare against each other, by rule. */
struct tg_report_row {
    char *rule;
    uint64_t events; /* of one set; of two: the same in both */
    uint64_t added, removed, changed;
    uint64_t faults;
};

/* Zero-initialise, set the first members. */
struct tg_report {
    FILE *out;
    bool json;
    int64_t from_ms, to_ms; /* only events of this time are shown and counted; 0: no bound */
    struct tg_report_row *rows;
    size_t count, cap;
    uint64_t faults; /* of all rules and sets */
    struct tg_buf line;
    bool failed;
};

void tg_report_fini(struct tg_report *report);

/* Whether an event of this time is asked for. */
bool tg_report_covers(const struct tg_report *report, int64_t wall_ms);

/* The rule's row, made when it is new. NULL without memory, and `failed` is set. */
struct tg_report_row *tg_report_row(struct tg_report *report, const char *rule);

/* Shows one event of one set. */
void tg_report_event(struct tg_report *report, const struct tg_replay_event *event);

/* Shows a difference: `a` NULL: added by B; `b` NULL: removed by B; else changed. */
void tg_report_difference(struct tg_report *report, const struct tg_replay_event *a,
                          const struct tg_replay_event *b, const struct tg_account *account);

/* Shows a fault; `set` is "A" or "B", or NULL when there is one set alone. */
void tg_report_fault(struct tg_report *report, const char *set,
                     const struct tg_replay_fault *fault);

/* Shows the sums. `two`: of a comparison. */
void tg_report_summary(struct tg_report *report, const struct tg_replay_totals *totals, bool two);
