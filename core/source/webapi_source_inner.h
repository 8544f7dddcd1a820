/* The inside of the mt5_webapi driver, shared by its source and its queue. */
#pragma once

#include "source/pace.h"
#include "source/session_stats.h"
#include "source/webapi_batch.h"
#include "source/webapi_link.h"
#include "source/webapi_session.h"

struct tg_webapi_source {
    struct tg_source source;
    const struct tg_clock *clock;
    uv_loop_t *loop;
    uv_timer_t timer;
    int handles; /* the timer and links that are not gone yet */
    bool closing, started;
    char *login, *agent, *groups;
    char version[12];
    struct tg_webapi_endpoint *endpoints;
    struct tg_webapi_session_options session_options;
    struct tg_webapi_batch_options batch_options;
    struct tg_webapi_session session;
    struct tg_webapi_trust *trust; /* NULL: no endpoint is https */
    struct tg_webapi_link *link;
    struct tg_webapi_clients clients;
    struct tg_webapi_batch batch;
    struct tg_webapi_job **picked;
    uint32_t picked_cap;
    bool running; /* a batch is */
    struct tg_list waiting, finished, spare;
    uint32_t waiting_count, spare_count;
    int64_t gather_ms, poll_timeout_ms;
    int64_t gather_due_ms;
    struct tg_pace pace;
    int64_t pace_due_ms; /* no round begins before this */
    int64_t round_ms;    /* when the round under way, or the last one, began */
    bool in_round;       /* a round is under way: batches until nobody waits */
    int64_t swept_ms;
    int64_t armed_ms;   /* when the timer is due; 0: never armed */
    int64_t patient_ms; /* no poll fails for having waited before this: we stood still */
    int64_t wall_ms;    /* our UTC time of the newest state that the server's clock vouches for */
    struct {
        uint64_t batches, batch_accounts, slowed;
        uint64_t batch_sizes[TG_SESSION_SIZES];
    } counters;
};

/* Counts a batch (webapi_stats.c); tells how the session fares. */
void tg_webapi_note_batch(struct tg_webapi_source *source, uint32_t accounts);
void tg_webapi_stats(const struct tg_source *base, struct tg_session_stats *out);
void tg_webapi_describe(const struct tg_source *base, struct tg_buf *out);

/* A job for a poll, in no list. NULL when memory is short. */
struct tg_webapi_job *tg_webapi_queue_take(struct tg_webapi_source *source, struct tg_poll *poll);

/* Parts a job from its poll; it stands in no list. */
void tg_webapi_queue_give(struct tg_webapi_source *source, struct tg_webapi_job *job);

/* Puts a job into the queue. */
void tg_webapi_queue_add(struct tg_webapi_source *source, struct tg_webapi_job *job);

/* Ends a job that has a verdict before it was in any batch. */
void tg_webapi_queue_refuse(struct tg_webapi_source *source, struct tg_webapi_job *job);

/* Takes a job out of wherever it stands, without telling its poll. */
void tg_webapi_queue_cancel(struct tg_webapi_source *source, struct tg_webapi_job *job);

/* All of them, for closing. */
void tg_webapi_queue_drop(struct tg_webapi_source *source);

/* Tells the ends of some polls: `done` is called, and may start and cancel polls. */
void tg_webapi_queue_tell(struct tg_webapi_source *source);

/* Does what can be done now: asks on, begins batches, fails what waited too long. */
void tg_webapi_queue_pump(struct tg_webapi_source *source);

/* When there is something to do again, on the monotonic clock. */
int64_t tg_webapi_queue_due(struct tg_webapi_source *source);

/* The session's events as far as they concern the batch that runs. */
void tg_webapi_queue_down(struct tg_webapi_source *source);
void tg_webapi_queue_answer(struct tg_webapi_source *source, const struct tg_webapi_answer *answer);
