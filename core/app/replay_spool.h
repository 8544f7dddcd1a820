/* A spool: the events of one replay, kept on the disk in the order in which they were told. */
#pragma once

#include "app/replay.h"
#include "base/buf.h"

#include <stdio.h>

/* Zero-initialise. */
struct tg_spool {
    FILE *file; /* nameless; gone with the process */
    bool failed;
    bool ahead; /* `next` is good */
    struct tg_replay_event next;
    struct tg_buf text; /* what `next` points into */
};

/* 0, or -TG_EIO with the reason. */
int tg_spool_open(struct tg_spool *spool, struct tg_err *err);
void tg_spool_close(struct tg_spool *spool);

/* Appends one; what goes wrong sets `failed`. */
void tg_spool_put(struct tg_spool *spool, const struct tg_replay_event *event);

/* From the beginning. */
void tg_spool_rewind(struct tg_spool *spool);

/* The next event, which stays until tg_spool_skip; NULL at the end. */
const struct tg_replay_event *tg_spool_peek(struct tg_spool *spool);
void tg_spool_skip(struct tg_spool *spool);
