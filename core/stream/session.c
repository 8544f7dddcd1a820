/* The life of a session: it starts, is offered events, ends. What it does with messages is in
 * session_message.c, its deadlines are in session_timers.c.
 *
 * The promise "connected, snapshot with seq S, then S+1, S+2, … without a gap" is kept here and
 * nowhere else: an event is queued only in the state OPEN, and OPEN begins in the same call that
 * queues the snapshot, so no event can fall between the two.
 *
 * The host may free the session whenever it is told something. Therefore telling is always the last
 * thing a function does. */
#include "stream/session.h"

#include "base/err.h"
#include "stream/session_inner.h"

#include <string.h>

int tg_session_queue(struct tg_session *session, const struct tg_buf *text, bool snapshot)
{
    struct tg_blob *frame = text->failed ? NULL : session->host->frame(text->data, text->len);
    if (!frame) return -TG_ENOMEM;
    int rc = snapshot ? tg_outbox_put_snapshot(session->outbox, frame)
                      : tg_outbox_put(session->outbox, frame);
    tg_blob_unref(frame);
    return rc;
}

void tg_session_queued(struct tg_session *session, int rc)
{
    if (rc == -TG_ECLOSED)
        tg_session_close(session, 4004, "state reset", false);
    else if (rc == -TG_ELIMIT)
        tg_session_close(session, 4002, "too slow: the send queue is over its bound", true);
    else if (rc) /* 4002 as well: what is lost here is still in the log, and can be resumed */
        tg_session_close(session, 4002, "no memory for the send queue", true);
    else
        session->host->outgoing(session);
}

void tg_session_say(struct tg_session *session, struct tg_buf *text)
{
    int rc = tg_session_queue(session, text, false);
    tg_buf_fini(text);
    tg_session_queued(session, rc);
}

int tg_session_queue_snapshot(struct tg_session *session)
{
    struct tg_buf text = {0};
    int rc = session->host->snapshot(session, &text);
    if (!rc) rc = tg_session_queue(session, &text, true);
    tg_buf_fini(&text);
    if (!rc) {
        session->awaits_snapshot = false;
        session->state = TG_SESSION_OPEN;
    }
    return rc;
}

static int queue_connected(struct tg_session *session, const struct tg_session_options *options)
{
    struct tg_buf text = {0};
    int64_t age_ms = -1;
    struct tg_connected connected = {
        .account_id = options->account_id,
        .connection_id = options->connection_id,
        .interval_ms = options->interval_ms,
        .epoch = tg_channel_epoch(options->channel),
        .seq = tg_channel_seq(options->channel),
        .ping_seconds = options->ping_seconds,
        .timeout_seconds = options->timeout_seconds,
        .token_expires_in_ms = options->token_expires_ms - tg_wall_ms(options->clock),
        .rules_name = options->rules_name,
        .rules_version = options->rules_version,
        .rules_generation = options->rules_generation,
        .status = session->host->status(session, &age_ms),
    };
    tg_message_connected(&text, &connected);
    int rc = tg_session_queue(session, &text, false);
    tg_buf_fini(&text);
    return rc;
}

static int32_t milliseconds(int seconds)
{
    return seconds > INT32_MAX / 1000 ? INT32_MAX : seconds * 1000;
}

struct tg_session *tg_session_new(const struct tg_session_options *options)
{
    struct tg_session_inner *inner = calloc(1, sizeof *inner);
    if (!inner) return NULL;
    struct tg_session *session = &inner->session;
    session->channel = options->channel;
    session->host = options->host;
    session->owner = options->owner;
    session->inner = inner;
    session->awaits_snapshot = true;
    inner->clock = options->clock;
    inner->wheel = options->wheel;
    inner->alive_ms = tg_mono_ms(inner->clock);
    inner->token_expires_ms = options->token_expires_ms;
    inner->timeout_ms = milliseconds(options->timeout_seconds);
    inner->recheck_ms = milliseconds(options->recheck_seconds);
    inner->warning_ms = milliseconds(options->expiry_warning_seconds);
    inner->bad_limit = options->bad_messages;
    tg_limiter_init(&inner->limiter, options->messages_per_second,
                    2 * (int64_t)options->messages_per_second, inner->alive_ms);
    tg_channel_join(session->channel, session);
    tg_session_timers_start(inner);
    session->outbox = tg_outbox_new(options->queue_bytes);
    if (options->events) inner->events = strdup(options->events);
    int rc = session->outbox && (inner->events || !options->events) ? 0 : -TG_ENOMEM;
    if (!rc) rc = queue_connected(session, options);
    if (!rc) rc = tg_session_queue_snapshot(session);
    if (!rc || rc == -TG_EAGAIN) return session;
    tg_session_free(session);
    return NULL;
}

void tg_session_free(struct tg_session *session)
{
    if (!session) return;
    tg_session_timers_stop(session->inner);
    tg_channel_leave(session->channel, session);
    tg_outbox_free(session->outbox);
    free(session->inner->events);
    free(session->inner);
}

bool tg_session_wants(const struct tg_session *session, const char *type)
{
    return tg_events_match(session->inner->events, type);
}

void tg_session_send(struct tg_session *session, const char *text, size_t len)
{
    struct tg_buf copy = {0};
    if (session->state == TG_SESSION_CLOSING) return;
    tg_buf_add(&copy, text, len);
    tg_session_say(session, &copy);
}

void tg_session_snapshot_ready(struct tg_session *session)
{
    if (session->state != TG_SESSION_CONNECTING) return;
    int rc = tg_session_queue_snapshot(session);
    if (rc != -TG_EAGAIN) tg_session_queued(session, rc);
}

void tg_session_snapshot_again(struct tg_session *session)
{
    if (session->state != TG_SESSION_OPEN) return;
    int rc = tg_session_queue_snapshot(session);
    if (rc != -TG_EAGAIN) tg_session_queued(session, rc);
}

void tg_session_going_away(struct tg_session *session, int64_t reconnect_after_ms)
{
    struct tg_buf text = {0};
    if (session->state == TG_SESSION_CLOSING) return;
    tg_message_going_away(&text, reconnect_after_ms);
    tg_session_say(session, &text);
}

void tg_session_close(struct tg_session *session, int code, const char *reason, bool cut)
{
    if (session->state == TG_SESSION_CLOSING) return;
    session->state = TG_SESSION_CLOSING;
    session->awaits_snapshot = false;
    tg_session_timers_stop(session->inner);
    session->host->close(session, code, reason, cut);
}

void tg_session_offer(struct tg_session *session, const struct tg_offer *offer)
{
    struct tg_session_inner *inner = session->inner;
    const struct tg_publication *p = offer->publication;
    if (session->state != TG_SESSION_OPEN || inner->failed) return;
    if (!tg_session_wants(session, p->type)) return;
    if (p->permits && !p->permits(p->ctx, session)) return;
    if (p->latest) {
        struct tg_outbox_latest latest = {offer->frame, offer->text, offer->head, p->names->payload,
                                          p->frame};
        inner->failed = tg_outbox_put_latest(session->outbox, &latest);
    } else {
        inner->failed = tg_outbox_put(session->outbox, offer->frame);
        session->sent += !inner->failed;
    }
    inner->offered = true;
}

void tg_session_doom(struct tg_session *session)
{
    session->inner->failed = -TG_ECLOSED;
    session->inner->offered = true;
}

void tg_session_settle(struct tg_session *session)
{
    struct tg_session_inner *inner = session->inner;
    if (session->state == TG_SESSION_CLOSING || !inner->offered) return;
    inner->offered = false;
    tg_session_queued(session, inner->failed);
}
