/* The difference between what two rule sets make of one recording. */
#pragma once

#include "app/replay_report.h"
#include "app/replay_spool.h"

/* Zero-initialise, set the first two. */
struct tg_replay_diff {
    struct tg_report *report;
    struct tg_spool *a;         /* the events of A, rewound */
    struct tg_replay_events *b; /* those of B at the step that is played */
    uint64_t differences;
};

void tg_replay_diff_fini(struct tg_replay_diff *diff);

/* For a replay of B: takes an event; compares what both said of a step. */
void tg_replay_diff_event(struct tg_replay_diff *diff, const struct tg_replay_event *event);
void tg_replay_diff_step(struct tg_replay_diff *diff, uint64_t step, const struct tg_store *store);
