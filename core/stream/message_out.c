/* These shapes are frozen where the protocol says so: members may be added at the end, never taken
 * away or renamed, and the rules' envelope does not touch them. */
#include "stream/message_out.h"

#include "base/clock.h"
#include "base/json.h"
#include "stream/events.h"

#define PROTOCOL_VERSION 1

static void start(struct tg_buf *out, const char *type)
{
    tg_json_open(out, '{');
    tg_json_key(out, "type");
    tg_json_text(out, type);
}

static void put_age(struct tg_buf *out, int64_t age_ms)
{
    tg_json_key(out, "age_ms");
    if (age_ms < 0)
        tg_json_text(out, NULL);
    else
        tg_json_i64(out, age_ms);
}

/* What is left of a token is never told longer than it is. */
static void put_expiry(struct tg_buf *out, int64_t in_ms)
{
    tg_json_member_i64(out, "token_expires_in_seconds", in_ms > 0 ? in_ms / 1000 : 0);
}

/* "1s", "500ms", "1.5s". */
static void put_interval(struct tg_buf *out, int interval_ms)
{
    char text[32];
    if (interval_ms < 1000)
        (void)snprintf(text, sizeof text, "%dms", interval_ms);
    else
        (void)snprintf(text, sizeof text, "%.10gs", interval_ms / 1000.0);
    tg_json_member_text(out, "monitoring_interval", text);
}

void tg_message_connected(struct tg_buf *out, const struct tg_connected *connected)
{
    start(out, "connected");
    tg_json_member_text(out, "account_id", connected->account_id);
    if (connected->connection_id)
        tg_json_member_text(out, "connection_id", connected->connection_id);
    put_interval(out, connected->interval_ms);
    tg_json_member_i64(out, "protocol", PROTOCOL_VERSION);
    tg_json_member_text(out, "epoch", connected->epoch);
    tg_json_member_u64(out, "seq", connected->seq);
    tg_json_member_bool(out, "recovered", false);
    tg_json_key(out, "heartbeat");
    tg_json_open(out, '{');
    tg_json_member_i64(out, "ping_seconds", connected->ping_seconds);
    tg_json_member_i64(out, "timeout_seconds", connected->timeout_seconds);
    tg_json_close(out, '}');
    put_expiry(out, connected->token_expires_in_ms);
    tg_json_key(out, "rules");
    tg_json_open(out, '{');
    tg_json_member_text(out, "name", connected->rules_name);
    tg_json_member_i64(out, "generation", connected->rules_generation);
    tg_json_member_text(out, "version", connected->rules_version);
    tg_json_close(out, '}');
    tg_json_member_text(out, "status", connected->status);
    tg_json_close(out, '}');
}

void tg_message_pong(struct tg_buf *out, uint64_t seq, uint64_t sent, int64_t age_ms,
                     const char *status, const char *id, size_t id_len)
{
    start(out, "pong");
    if (id_len) {
        tg_json_key(out, "id");
        tg_json_raw(out, id, id_len);
    }
    tg_json_member_u64(out, "seq", seq);
    tg_json_member_u64(out, "sent", sent);
    put_age(out, age_ms);
    tg_json_member_text(out, "status", status);
    tg_json_close(out, '}');
}

void tg_message_token_expiring(struct tg_buf *out, int64_t in_ms)
{
    start(out, "token_expiring");
    tg_json_member_i64(out, "in_seconds", (in_ms + 999) / 1000);
    tg_json_close(out, '}');
}

void tg_message_authenticated(struct tg_buf *out, int64_t expires_in_ms)
{
    start(out, "authenticated");
    put_expiry(out, expires_in_ms);
    tg_json_close(out, '}');
}

void tg_message_events(struct tg_buf *out, const char *globs)
{
    start(out, "events");
    tg_json_key(out, "include");
    tg_events_write(out, globs);
    tg_json_close(out, '}');
}

void tg_message_going_away(struct tg_buf *out, int64_t reconnect_after_ms)
{
    start(out, "going_away");
    tg_json_member_i64(out, "reconnect_after_ms", reconnect_after_ms);
    tg_json_close(out, '}');
}

void tg_message_error(struct tg_buf *out, const char *code, const char *message,
                      int64_t retry_in_seconds)
{
    start(out, "error");
    tg_json_member_text(out, "error_code", code);
    tg_json_member_text(out, "message", message);
    if (retry_in_seconds >= 0) tg_json_member_i64(out, "retry_in_seconds", retry_in_seconds);
    tg_json_close(out, '}');
}

void tg_message_status(struct tg_buf *out, const char *status, int64_t since_wall_ms,
                       int64_t age_ms)
{
    char iso[TG_ISO8601_SIZE];
    tg_iso8601_write(iso, since_wall_ms);
    start(out, "status");
    tg_json_member_text(out, "status", status);
    tg_json_member_text(out, "since", iso);
    put_age(out, age_ms);
    tg_json_close(out, '}');
}
