/* A session: one client's side of protocol.md as a state machine. It does no I/O: it takes messages
 * and the time, and asks its host to send and to close. */
#pragma once

#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/wheel.h"
#include "stream/channel.h"
#include "stream/outbox.h"

#include <stdbool.h>
#include <stdint.h>

struct tg_session;

enum tg_session_state { TG_SESSION_CONNECTING, TG_SESSION_OPEN, TG_SESSION_CLOSING };

/* What the gateway answers to a new token (`auth` message). */
struct tg_session_auth {
    bool ok;
    int64_t expires_ms;  /* wall */
    const char *message; /* for the client when not ok; no part of the token */
};

/* What a session needs of the gateway. All are called from inside tg_session_* calls or timers. */
struct tg_session_host {
    struct tg_blob *(*frame)(const char *text, size_t len);
    /* Something is in the outbox now. */
    void (*outgoing)(struct tg_session *session);
    /* Close the connection with this code; `cut` = do not wait for what is queued. */
    void (*close)(struct tg_session *session, int code, const char *reason, bool cut);
    /* Verify a new token: same subject and still the owner. */
    struct tg_session_auth (*auth)(struct tg_session *session, const char *token, size_t len);
    /* Append the account's snapshot message; -TG_EAGAIN: there is none yet. */
    int (*snapshot)(struct tg_session *session, struct tg_buf *out);
    /* The source as clients see it: "live", "connecting", "reconnecting", "cached", "down". */
    const char *(*status)(struct tg_session *session, int64_t *age_ms);
    /* Ownership is due to be checked again (auth.recheck_seconds); false = lost. */
    bool (*recheck)(struct tg_session *session);
};

struct tg_session_options {
    const struct tg_session_host *host;
    void *owner;
    const struct tg_clock *clock;
    struct tg_wheel *wheel;
    struct tg_channel *channel;
    const char *account_id;
    int64_t token_expires_ms; /* wall */
    int ping_seconds, timeout_seconds, recheck_seconds, expiry_warning_seconds;
    int bad_messages, messages_per_second;
    size_t queue_bytes;
    int interval_ms;    /* poll interval, for `monitoring_interval` */
    const char *events; /* the `events` query parameter: globs with commas, or NULL */
    const char *rules_name, *rules_version;
    uint32_t rules_generation;
};

struct tg_session {
    struct tg_list node; /* in its channel */
    enum tg_session_state state;
    struct tg_channel *channel;
    struct tg_outbox *outbox;
    const struct tg_session_host *host;
    void *owner;
    uint64_t sent;        /* ordered events put into the outbox since `connected` */
    bool awaits_snapshot; /* the account has no state yet; it follows the first good poll */
    struct tg_session_inner *inner;
};

/* Starts a session: joins the channel, queues `connected` and, when there is a state, `snapshot`.
 * NULL when memory is short. */
struct tg_session *tg_session_new(const struct tg_session_options *options);

/* Leaves the channel, stops the timers, frees. */
void tg_session_free(struct tg_session *session);

/* A data message came. */
void tg_session_message(struct tg_session *session, bool text, const char *data, size_t len);

/* A Ping frame came: proof of life. */
void tg_session_ping(struct tg_session *session);

/* Whether the client wants events of this type (its `events` globs). */
bool tg_session_wants(const struct tg_session *session, const char *type);

/* Queues a control message (text of one JSON object). */
void tg_session_send(struct tg_session *session, const char *text, size_t len);

/* The first state has come: sends the snapshot to a session that awaits it. */
void tg_session_snapshot_ready(struct tg_session *session);

/* Announces the end of the gateway (`going_away`), without closing. */
void tg_session_going_away(struct tg_session *session, int64_t reconnect_after_ms);

/* Ends the session with a close code; later calls change nothing. */
void tg_session_close(struct tg_session *session, int code, const char *reason, bool cut);

/* `error` and `status` messages of the source, as JSON text. */
void tg_message_error(struct tg_buf *out, const char *code, const char *message,
                      int64_t retry_in_seconds); /* < 0: null left out */
void tg_message_status(struct tg_buf *out, const char *status, int64_t since_wall_ms,
                       int64_t age_ms); /* age < 0: null */
