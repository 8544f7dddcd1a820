/* What only the session's own files see of a session. */
#pragma once

#include "stream/limiter.h"
#include "stream/session.h"

/* One allocation holds both; `session` is first and its `inner` points here. */
struct tg_session_inner {
    struct tg_session session;
    const struct tg_clock *clock;
    struct tg_wheel *wheel;
    struct tg_timer heartbeat, token, recheck;
    int64_t alive_ms; /* monotonic: the last proof of life */
    int64_t token_expires_ms;
    int32_t timeout_ms, recheck_ms, warning_ms;
    int32_t bad, bad_limit;
    struct tg_limiter limiter;
    char *events; /* NULL: all */
    int failed;   /* of an offer: the error that tg_session_settle acts on */
    bool offered; /* something was queued by an offer */
    bool warned;  /* token_expiring was sent for this token */
};

/* Frames and queues a message without telling the host. 0, -TG_ELIMIT or -TG_ENOMEM. */
int tg_session_queue(struct tg_session *session, const struct tg_buf *text, bool snapshot);

/* Acts on the outcome of tg_session_queue: tells the host, or closes (4002; 4004 for
 * -TG_ECLOSED). The session may be gone afterwards. */
void tg_session_queued(struct tg_session *session, int rc);

/* tg_session_queue and tg_session_queued; frees the text. */
void tg_session_say(struct tg_session *session, struct tg_buf *text);

/* Composes and queues a snapshot; -TG_EAGAIN when there is none. */
int tg_session_queue_snapshot(struct tg_session *session);

/* The timers: heartbeat, token, recheck. */
void tg_session_timers_start(struct tg_session_inner *inner);
void tg_session_timers_stop(struct tg_session_inner *inner);

/* A new token is in force until `expires_ms` (wall). */
void tg_session_token_set(struct tg_session_inner *inner, int64_t expires_ms);
