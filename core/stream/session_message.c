/* What a client says and what it is answered. Every answer goes through the outbox, behind all that
 * was queued before it: that is what makes a pong a proof. */
#include "base/err.h"
#include "stream/message_in.h"
#include "stream/session_inner.h"

#include <string.h>

/* Answers a message that cannot be used. The last one that is allowed is answered too, so that the
 * author of the client learns why he was closed. */
static void refuse(struct tg_session *session, const char *code, const char *message)
{
    struct tg_session_inner *inner = session->inner;
    struct tg_buf text = {0};
    tg_message_error(&text, code, message, -1);
    int rc = tg_session_queue(session, &text, false);
    tg_buf_fini(&text);
    if (!rc && ++inner->bad >= inner->bad_limit)
        tg_session_close(session, 4505, "too many bad or too frequent messages", false);
    else
        tg_session_queued(session, rc);
}

static void answer_ping(struct tg_session *session, const struct tg_message_in *message)
{
    struct tg_buf text = {0};
    int64_t age_ms = -1;
    tg_session_ping(session);
    const char *status = session->host->status(session, &age_ms);
    tg_message_pong(&text, tg_channel_seq(session->channel), session->sent, age_ms, status,
                    message->text.data, message->text.len);
    tg_session_say(session, &text);
}

static void answer_auth(struct tg_session *session, const struct tg_message_in *message)
{
    struct tg_session_inner *inner = session->inner;
    struct tg_buf text = {0};
    struct tg_session_auth answer = {0};
    session->host->auth(session, message->text.data, message->text.len, &answer);
    if (answer.ok) {
        tg_session_token_set(inner, answer.expires_ms);
        tg_message_authenticated(&text, answer.expires_ms - tg_wall_ms(inner->clock));
    } else {
        tg_message_error(&text, "AUTH_FAILED", answer.message ? answer.message : "token refused",
                         -1);
    }
    tg_session_say(session, &text);
}

/* A session that still awaits its first snapshot is not answered: the one it awaits is the answer.
 */
static void answer_snapshot(struct tg_session *session)
{
    struct tg_buf text = {0};
    int rc = tg_session_queue_snapshot(session);
    if (rc != -TG_EAGAIN) {
        tg_session_queued(session, rc);
    } else if (session->state == TG_SESSION_OPEN) {
        tg_message_error(&text, "SNAPSHOT_UNAVAILABLE", "there is no state to show now", -1);
        tg_session_say(session, &text);
    }
}

static void answer_events(struct tg_session *session, struct tg_message_in *message)
{
    struct tg_session_inner *inner = session->inner;
    struct tg_buf text = {0};
    char *events = strndup(message->text.len ? message->text.data : "", message->text.len);
    if (!events) {
        tg_session_queued(session, -TG_ENOMEM);
        return;
    }
    free(inner->events);
    inner->events = events;
    tg_message_events(&text, events);
    tg_session_say(session, &text);
}

static void answer(struct tg_session *session, struct tg_message_in *message)
{
    switch (message->kind) {
    case TG_MESSAGE_PING: answer_ping(session, message); break;
    case TG_MESSAGE_AUTH: answer_auth(session, message); break;
    case TG_MESSAGE_SNAPSHOT: answer_snapshot(session); break;
    case TG_MESSAGE_EVENTS: answer_events(session, message); break;
    }
}

void tg_session_message(struct tg_session *session, bool text, const char *data, size_t len)
{
    struct tg_message_in message = {0};
    struct tg_err err = {0};
    if (session->state == TG_SESSION_CLOSING) return;
    if (!tg_limiter_take(&session->inner->limiter, tg_mono_ms(session->inner->clock))) {
        refuse(session, "RATE_LIMITED", "too many messages; this one was not read");
        return;
    }
    if (!text) {
        refuse(session, "INVALID_MESSAGE", "messages are text, one JSON object each");
        return;
    }
    int rc = tg_message_in_parse(&message, data, len, &err);
    if (!rc)
        answer(session, &message);
    else if (rc == -TG_EINVAL)
        refuse(session, "INVALID_MESSAGE", err.text);
    else
        tg_session_queued(session, rc);
    tg_message_in_fini(&message);
}

void tg_session_ping(struct tg_session *session)
{
    session->inner->alive_ms = tg_mono_ms(session->inner->clock);
}
