/* The loop writes notes into memory; a thread of the recorder's own packs and writes them, one
 * block at a time, while the loop fills the next. It is not libuv's pool: four lookups of names
 * that do not answer would keep that busy for seconds.
 *
 * Whatever goes wrong with a disk ends in one place: what waits is dropped, recording pauses, one
 * line is logged, and after a while a new tape is tried. Accounts are then written in full, and the
 * tape's number shows that something is missing before it. The stream never knows. */
#include "record/recorder.h"

#include "base/log.h"
#include "base/text.h"
#include "record/scribe.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (256 << 10)

/* What passes between the loop and the thread; under `mutex`. */
struct desk {
    uv_mutex_t mutex;
    uv_cond_t cond;
    bool stop;
    bool busy; /* the block waits or is being written */
    struct tg_buf block;
    bool fresh, gap;
    int64_t wall_ms;
    bool done; /* the result below was not looked at yet */
    int rc;
    struct tg_err err;
    bool full;
    uint64_t bytes, tapes;
};

struct tg_recorder {
    struct tg_recorder_options options;
    const struct tg_clock *clock;
    char **accounts;
    bool everything;
    uv_timer_t timer;
    uv_thread_t thread;
    struct tg_press *press; /* the thread's */
    struct desk desk;
    struct tg_scribe scribe;
    bool fresh, gap; /* of the block that is being filled */
    bool polled;
    bool paused;
    int64_t retry_at_ms;
    uint64_t waiting, writing; /* polls in the scribe's block, and in the desk's */
    struct tg_err fault;
    struct tg_recorder_status counters;
};

static void on_thread(void *arg)
{
    struct tg_recorder *recorder = arg;
    struct desk *desk = &recorder->desk;
    struct tg_err err;
    sigset_t all;
    (void)sigfillset(&all); /* signals are for the thread that runs the rules */
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    uv_mutex_lock(&desk->mutex);
    for (;;) {
        while (!desk->busy && !desk->stop)
            uv_cond_wait(&desk->cond, &desk->mutex);
        if (!desk->busy) break;
        bool fresh = desk->fresh, gap = desk->gap;
        int64_t wall_ms = desk->wall_ms;
        uv_mutex_unlock(&desk->mutex);
        err.text[0] = '\0';
        int rc = tg_press_write(recorder->press, desk->block.data, desk->block.len, fresh, gap,
                                wall_ms, &err);
        uv_mutex_lock(&desk->mutex);
        desk->rc = rc;
        desk->err = err;
        desk->full = tg_press_full(recorder->press);
        desk->bytes = (uint64_t)tg_press_bytes(recorder->press);
        desk->tapes = tg_press_tapes(recorder->press);
        desk->busy = false;
        desk->done = true;
        uv_cond_broadcast(&desk->cond);
    }
    uv_mutex_unlock(&desk->mutex);
}

/* Begins a new tape with the next note. */
static void begin_anew(struct tg_recorder *recorder, bool gap)
{
    tg_scribe_restart(&recorder->scribe);
    recorder->counters.lost += recorder->waiting;
    recorder->waiting = 0;
    recorder->fresh = true;
    recorder->gap |= gap;
}

static void pause_for(struct tg_recorder *recorder, const char *why)
{
    bool told = *recorder->fault.text != '\0';
    begin_anew(recorder, true);
    recorder->counters.faults++;
    recorder->paused = true;
    recorder->retry_at_ms = tg_mono_ms(recorder->clock) + recorder->options.retry_ms;
    tg_copy(recorder->fault.text, sizeof recorder->fault.text, why, strlen(why));
    if (!told)
        tg_error("record", "paused", tg_s("reason", why),
                 tg_i("retry_ms", recorder->options.retry_ms));
}

/* Looks at what became of the block before. */
static void collect(struct tg_recorder *recorder)
{
    struct desk *desk = &recorder->desk;
    uv_mutex_lock(&desk->mutex);
    bool done = desk->done;
    int rc = desk->rc;
    struct tg_err err = desk->err;
    bool full = desk->full;
    recorder->counters.bytes = desk->bytes;
    recorder->counters.tapes = desk->tapes;
    desk->done = false;
    uv_mutex_unlock(&desk->mutex);
    if (!done) return;
    if (rc) {
        recorder->counters.lost += recorder->writing;
        recorder->writing = 0;
        pause_for(recorder, err.text);
        return;
    }
    recorder->writing = 0;
    if (*recorder->fault.text && !recorder->paused) {
        tg_info("record", "recording_again", tg_s("folder", recorder->options.press.folder));
        recorder->fault.text[0] = '\0';
    }
    /* The block that is being filled goes on the old tape; the one behind it on a new one. */
    if (full) recorder->fresh = true;
}

/* Gives the block to the thread, if that is free. */
static void hand_over(struct tg_recorder *recorder)
{
    struct desk *desk = &recorder->desk;
    struct tg_scribe *scribe = &recorder->scribe;
    if (!scribe->block.len) return;
    uv_mutex_lock(&desk->mutex);
    bool free = !desk->busy && !desk->done;
    if (free) {
        desk->fresh = !scribe->goes_on;
        desk->gap = desk->fresh && recorder->gap;
        desk->wall_ms = scribe->wall_ms;
        tg_scribe_take(scribe, &desk->block);
        desk->busy = true;
        uv_cond_broadcast(&desk->cond);
    }
    uv_mutex_unlock(&desk->mutex);
    if (!free) return;
    recorder->writing = recorder->waiting;
    recorder->waiting = 0;
    if (desk->fresh) recorder->fresh = recorder->gap = false;
    if (recorder->fresh) tg_scribe_restart(scribe);
}

static void on_timer(uv_timer_t *timer)
{
    struct tg_recorder *recorder = timer->data;
    collect(recorder);
    hand_over(recorder);
}

static bool wanted(const struct tg_recorder *recorder, const char *account)
{
    if (recorder->everything || !account) return true;
    for (int i = 0; i < recorder->options.accounts_count; i++) {
        const char *glob = recorder->accounts[i];
        if (tg_glob_match(glob, strlen(glob), account, strlen(account))) return true;
    }
    return false;
}

/* Whether notes are taken; a pause that has lasted its time ends here. */
static bool takes(struct tg_recorder *recorder)
{
    if (!recorder->paused) return true;
    if (tg_mono_ms(recorder->clock) < recorder->retry_at_ms) return false;
    recorder->paused = false;
    return true;
}

void tg_recorder_note(struct tg_recorder *recorder, const struct tg_note *note)
{
    if (!recorder || !wanted(recorder, note->account)) return;
    if (note->kind == TG_NOTE_TURN && !recorder->polled) return;
    bool poll = note->kind == TG_NOTE_POLL;
    if (!takes(recorder)) {
        recorder->counters.lost += poll;
        recorder->polled = false;
        return;
    }
    int rc = tg_scribe_add(&recorder->scribe, note);
    if (rc) {
        recorder->counters.lost += poll;
        pause_for(recorder,
                  rc == -TG_ELIMIT ? "a poll has more rows than can be recorded" : "out of memory");
        return;
    }
    recorder->counters.polls += poll;
    recorder->waiting += poll;
    if (poll || note->kind == TG_NOTE_TURN) recorder->polled = poll;
    if (recorder->scribe.block.len < BLOCK_BYTES) return;
    collect(recorder);
    hand_over(recorder);
    if ((int64_t)recorder->scribe.block.len > recorder->options.buffer_bytes)
        pause_for(recorder, "the disk is slower than what is to be recorded (record.buffer_mb)");
}

bool tg_recorder_polled(const struct tg_recorder *recorder)
{
    return recorder && recorder->polled;
}

void tg_recorder_status(const struct tg_recorder *recorder, struct tg_recorder_status *out)
{
    *out = recorder->counters;
    out->fault = recorder->fault.text;
}

static void release(struct tg_recorder *recorder)
{
    for (int i = 0; recorder->accounts && i < recorder->options.accounts_count; i++)
        free(recorder->accounts[i]);
    free(recorder->accounts);
    tg_scribe_fini(&recorder->scribe);
    tg_buf_fini(&recorder->desk.block);
    tg_press_free(recorder->press);
    free(recorder);
}

static bool copy_accounts(struct tg_recorder *recorder)
{
    int count = recorder->options.accounts_count;
    recorder->accounts = calloc((size_t)count + 1, sizeof *recorder->accounts);
    for (int i = 0; recorder->accounts && i < count; i++) {
        recorder->accounts[i] = strdup(recorder->options.accounts[i]);
        if (!recorder->accounts[i]) return false;
        if (!strcmp(recorder->accounts[i], "*")) recorder->everything = true;
    }
    recorder->options.accounts = NULL;
    return recorder->accounts != NULL;
}

int tg_recorder_open(uv_loop_t *loop, const struct tg_clock *clock,
                     const struct tg_recorder_options *options, struct tg_recorder **out,
                     struct tg_err *err)
{
    struct tg_recorder *recorder = calloc(1, sizeof *recorder);
    if (!recorder) return tg_fail(err, TG_ENOMEM, "no memory for the recorder");
    recorder->options = *options;
    recorder->clock = clock;
    recorder->fresh = true;
    recorder->press = tg_press_new(&options->press);
    if (!recorder->press || !copy_accounts(recorder)) {
        release(recorder);
        return tg_fail(err, TG_ENOMEM, "no memory for the recorder");
    }
    struct desk *desk = &recorder->desk;
    if (uv_mutex_init(&desk->mutex)) {
        release(recorder);
        return tg_fail(err, TG_EIO, "the recorder's thread cannot be started");
    }
    if (uv_cond_init(&desk->cond) || uv_thread_create(&recorder->thread, on_thread, recorder)) {
        uv_mutex_destroy(&desk->mutex);
        release(recorder);
        return tg_fail(err, TG_EIO, "the recorder's thread cannot be started");
    }
    (void)uv_timer_init(loop, &recorder->timer);
    recorder->timer.data = recorder;
    (void)uv_timer_start(&recorder->timer, on_timer, (uint64_t)options->flush_ms,
                         (uint64_t)options->flush_ms);
    *out = recorder;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    release(handle->data);
}

/* The last block waits for the one before; a disk that hangs holds the end of the process. */
static void write_the_rest(struct tg_recorder *recorder)
{
    struct desk *desk = &recorder->desk;
    for (int i = 0; i < 2; i++) {
        uv_mutex_lock(&desk->mutex);
        while (desk->busy)
            uv_cond_wait(&desk->cond, &desk->mutex);
        uv_mutex_unlock(&desk->mutex);
        collect(recorder);
        hand_over(recorder);
    }
}

void tg_recorder_close(struct tg_recorder *recorder)
{
    if (!recorder) return;
    struct desk *desk = &recorder->desk;
    write_the_rest(recorder);
    uv_mutex_lock(&desk->mutex);
    desk->stop = true;
    uv_cond_broadcast(&desk->cond);
    uv_mutex_unlock(&desk->mutex);
    (void)uv_thread_join(&recorder->thread);
    collect(recorder);
    uv_cond_destroy(&desk->cond);
    uv_mutex_destroy(&desk->mutex);
    uv_close((uv_handle_t *)&recorder->timer, on_closed);
}
