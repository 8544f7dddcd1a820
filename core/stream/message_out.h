/* Control messages: the texts that the gateway itself says to a client (protocol.md, 2 to 4). */
#pragma once

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* The first message of a connection. */
struct tg_connected {
    const char *account_id;
    const char *connection_id; /* NULL: left out */
    int interval_ms;           /* poll interval */
    const char *epoch;
    uint64_t seq;
    int ping_seconds, timeout_seconds;
    int64_t token_expires_in_ms;
    const char *rules_name, *rules_version;
    uint32_t rules_generation;
    const char *status;
};

/* Each appends one JSON object; like every writer of JSON with a comma before it unless the buffer
 * is empty, so give each message a buffer of its own. */
void tg_message_connected(struct tg_buf *out, const struct tg_connected *connected);

/* `id` is JSON text that is echoed as it is, "" = none. Age < 0: null. */
void tg_message_pong(struct tg_buf *out, uint64_t seq, uint64_t sent, int64_t age_ms,
                     const char *status, const char *id, size_t id_len);

/* Rounded up to seconds, so that a warning one tick late still names its configured time. */
void tg_message_token_expiring(struct tg_buf *out, int64_t in_ms);
void tg_message_authenticated(struct tg_buf *out, int64_t expires_in_ms);

/* The globs in force, as tg_events_write takes them. */
void tg_message_events(struct tg_buf *out, const char *globs);

void tg_message_going_away(struct tg_buf *out, int64_t reconnect_after_ms);

/* `retry_in_seconds` < 0: left out. */
void tg_message_error(struct tg_buf *out, const char *code, const char *message,
                      int64_t retry_in_seconds);

/* State of the source; age < 0: null. */
void tg_message_status(struct tg_buf *out, const char *status, int64_t since_wall_ms,
                       int64_t age_ms);
