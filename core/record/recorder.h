/* The recorder: what happens at a gateway, kept on tapes, without the gateway waiting for a disk.
 */
#pragma once

#include "base/clock.h"
#include "record/press.h"

#include <uv.h>

struct tg_recorder;

struct tg_recorder_options {
    const char *const *accounts; /* globs; only what they name is recorded */
    int accounts_count;
    int flush_ms;         /* a block is written at least so often */
    int64_t buffer_bytes; /* what may wait for the disk; beyond it, recording pauses */
    int retry_ms;         /* after a fault it is tried again so often */
    struct tg_press_options press;
};

/* Starts a thread that writes. The options are copied. 0, or -TG_ENOMEM, -TG_EIO (no thread). A
 * folder that cannot be written to is no reason not to start: it is retried. */
int tg_recorder_open(uv_loop_t *loop, const struct tg_clock *clock,
                     const struct tg_recorder_options *options, struct tg_recorder **out,
                     struct tg_err *err);

/* Writes what is left, ends the thread, and frees when the loop has closed the timer. NULL is
 * allowed, here and below. */
void tg_recorder_close(struct tg_recorder *recorder);

/* Takes a note, unless it is of an account that is not recorded, or recording pauses. A TURN is
 * taken only when polls were. Never fails: what is lost is counted and told. */
void tg_recorder_note(struct tg_recorder *recorder, const struct tg_note *note);

/* Whether polls were taken since the last TURN. */
bool tg_recorder_polled(const struct tg_recorder *recorder);

struct tg_recorder_status {
    const char *fault;    /* why it pauses; "" while it records. Lives as long as the recorder */
    uint64_t polls, lost; /* polls taken, and polls that were not or whose block was lost */
    uint64_t bytes, tapes, faults;
};
void tg_recorder_status(const struct tg_recorder *recorder, struct tg_recorder_status *out);
