/* The driver `replay`: a recording served as if it happened now. */
#pragma once

#include "source/source.h"

struct tg_replay_source_options {
    const char *const *paths; /* tapes and folders of tapes */
    int paths_count;
    double speed; /* seconds of the recording in one second */
    bool loop;    /* begins again at the end; else the last state stays */
};

#define TG_REPLAY_SPEED_MIN 0.01
#define TG_REPLAY_SPEED_MAX 1000

/* The recording is read once from end to end to learn which accounts it has, and begins to play at
 * the first poll. The options are copied. 0, or with a sentence in `err` as tg_reel_open, and
 * -TG_EINVAL when no account can be read from it. */
int tg_replay_source_open(uv_loop_t *loop, const struct tg_clock *clock,
                          const struct tg_replay_source_options *options, struct tg_source **out,
                          struct tg_err *err);
