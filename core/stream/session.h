/* A session: one client's side of protocol.md as a state machine. It does no I/O: it takes messages
 * and the time, and asks its host to send and to close. */
#pragma once

#include "base/clock.h"
#include "base/list.h"
#include "base/wheel.h"
#include "stream/channel.h"
#include "stream/events.h"
#include "stream/message_out.h"
#include "stream/outbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tg_session;

/* CONNECTING until `connected` and the first snapshot are queued; CLOSING from the first close on:
 * nothing is taken in and nothing is queued any more. */
enum tg_session_state { TG_SESSION_CONNECTING, TG_SESSION_OPEN, TG_SESSION_CLOSING };

/* What the gateway answers to a new token (`auth` message). */
struct tg_session_auth {
    bool ok;
    int64_t expires_ms;  /* wall */
    const char *message; /* for the client when not ok; no part of the token */
};

/* What a session needs of the gateway. `outgoing` and `close` tell it something, and may free the
 * session: it is not touched after them. The others only answer: they neither close nor free it nor
 * publish. `snapshot` and `status` are called also from inside tg_session_new, when the session is
 * half made (its `owner` is set); `outgoing` and `close` never are. */
struct tg_session_host {
    /* Frames a message for the wire; the session owns the reference. NULL: memory is short. */
    struct tg_blob *(*frame)(const char *text, size_t len);
    /* Something is in the outbox now. */
    void (*outgoing)(struct tg_session *session);
    /* Close the connection with this code; `cut` = do not wait for what is queued. Called once. */
    void (*close)(struct tg_session *session, int code, const char *reason, bool cut);
    /* Verify a new token (same subject and still the owner) and fill `answer`, which comes zeroed:
     * refused. */
    void (*auth)(struct tg_session *session, const char *token, size_t len,
                 struct tg_session_auth *answer);
    /* Append the account's snapshot message (tg_channel_snapshot). -TG_EAGAIN: there is none yet.
     */
    int (*snapshot)(struct tg_session *session, struct tg_buf *out);
    /* The source as clients see it: "live", "connecting", "reconnecting", "cached", "down", and the
     * age of the newest good poll (< 0: there was none). */
    const char *(*status)(struct tg_session *session, int64_t *age_ms);
    /* Ownership is due to be checked again (auth.recheck_seconds); false = lost. */
    bool (*recheck)(struct tg_session *session);
};

struct tg_session_options {
    const struct tg_session_host *host; /* outlives the session, like clock, wheel and channel */
    void *owner;
    const struct tg_clock *clock;
    struct tg_wheel *wheel;
    struct tg_channel *channel;
    const char *account_id;
    const char *connection_id; /* NULL: `connected` does not tell one */
    int64_t token_expires_ms;  /* wall */
    int ping_seconds, timeout_seconds, recheck_seconds, expiry_warning_seconds;
    int bad_messages, messages_per_second; /* the burst is twice as many; 0 = no limit */
    size_t queue_bytes;
    int interval_ms;    /* poll interval, for `monitoring_interval` */
    const char *events; /* the `events` query parameter (tg_events_valid), or NULL: all */
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
 * The host is not told: the caller sends what is in the outbox when it has the session. NULL when
 * memory is short. */
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

/* The account has more to show than the snapshots before could: sends another to a session that was
 * sent one. */
void tg_session_snapshot_again(struct tg_session *session);

/* Announces the end of the gateway (`going_away`), without closing. */
void tg_session_going_away(struct tg_session *session, int64_t reconnect_after_ms);

/* Ends the session with a close code; later calls change nothing. */
void tg_session_close(struct tg_session *session, int code, const char *reason, bool cut);

/* For the channel: an event that was composed and framed, on its way to one session after the
 * other.
 */
struct tg_offer {
    const struct tg_publication *publication;
    struct tg_blob *frame;
    struct tg_blob *text; /* latest lane only */
    size_t head;          /* see tg_outbox_latest */
};

/* Queues the event when the session is open, wants it and may have it; tells nobody. */
void tg_session_offer(struct tg_session *session, const struct tg_offer *offer);

/* Instead of an offer: the epoch is over. Nothing is queued any more; tg_session_settle closes. */
void tg_session_doom(struct tg_session *session);

/* Tells the host what came of the offer: something to send, a client that was too slow (4002), an
 * epoch that is over (4004). */
void tg_session_settle(struct tg_session *session);
