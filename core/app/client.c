/* A client ties a connection to a session: the socket's backpressure on one side, the outbox on the
 * other. Frames move from the outbox to the connection only while the connection has room, so what
 * waits for a slow reader waits where it can still be merged or counted. */
#include "app/client_class.h"
#include "app/gateway_inner.h"
#include "base/log.h"
#include "stream/message_out.h"

#include <stdlib.h>
#include <string.h>

struct tg_client {
    struct tg_list node;
    struct tg_gateway *gateway;
    struct tg_conn *conn;
    struct tg_session *session;
    struct tg_watch *watch;
    struct tg_identity identity;
    uint32_t script_class;
    char *query; /* a new token makes a new class of it */
    char id[24], address[64];
};

static struct tg_client *client_of(const struct tg_session *session)
{
    return session->owner;
}

/* Moves frames to the connection while it has room. */
static void pump(struct tg_client *client)
{
    struct tg_blob *frame;
    while (tg_conn_has_room(client->conn) && (frame = tg_outbox_take(client->session->outbox))) {
        tg_conn_send(client->conn, frame);
        tg_blob_unref(frame);
    }
}

static struct tg_blob *on_frame(const char *text, size_t len)
{
    return tg_frame_new(false, text, len);
}

static void on_outgoing(struct tg_session *session)
{
    struct tg_client *client = client_of(session);
    if (client->session) pump(client);
}

static void on_close(struct tg_session *session, int code, const char *reason, bool cut)
{
    struct tg_client *client = client_of(session);
    struct tg_blob *frame;
    while (!cut && (frame = tg_outbox_take(session->outbox))) {
        tg_conn_send(client->conn, frame);
        tg_blob_unref(frame);
    }
    tg_info("client", "closing", tg_s("connection", client->id), tg_i("code", code),
            tg_s("reason", reason));
    if (cut)
        tg_conn_cut(client->conn, code, reason);
    else
        tg_conn_close(client->conn, code, reason);
}

/* Filters judge by the claims of the token in force, not of the one that opened the door. */
static bool reclass(struct tg_client *client, const struct tg_identity *identity)
{
    struct tg_script *script = client->gateway->script;
    uint32_t fresh = tg_client_class(script, identity->subject, identity->claims, client->query);
    if (!fresh) return false;
    tg_script_class_leave(script, client->script_class);
    client->script_class = fresh;
    return true;
}

static void on_auth(struct tg_session *session, const char *token, size_t len,
                    struct tg_session_auth *answer)
{
    struct tg_client *client = client_of(session);
    struct tg_gateway *gateway = client->gateway;
    struct tg_identity fresh = {0};
    struct tg_err err = {0};
    enum tg_auth_result result = tg_auth_verify(gateway->auth, token, len, &fresh, &err);
    answer->message = "the token is not valid";
    if (result == TG_AUTH_EXPIRED) answer->message = "the token has expired";
    if (result == TG_AUTH_OK && strcmp(fresh.subject, client->identity.subject) != 0) {
        result = TG_AUTH_FAILED;
        answer->message = "the token is of another subject";
    } else if (result == TG_AUTH_OK) {
        result = tg_auth_owns(gateway->auth, &fresh, client->watch->account->id);
        answer->message = "the account is not the token's";
    }
    if (result == TG_AUTH_OK && !reclass(client, &fresh)) {
        result = TG_AUTH_UNAVAILABLE;
        answer->message = "the token cannot be taken now";
    }
    tg_audit("auth", result == TG_AUTH_OK ? "token_replaced" : "token_refused",
             tg_s("connection", client->id), tg_s("subject", client->identity.subject),
             tg_s("reason", err.text));
    if (result != TG_AUTH_OK) {
        tg_identity_fini(&fresh);
        return;
    }
    answer->ok = true;
    answer->expires_ms = fresh.accepted_until_ms;
    tg_identity_fini(&client->identity);
    client->identity = fresh;
}

static int on_snapshot(struct tg_session *session, struct tg_buf *out)
{
    struct tg_client *client = client_of(session);
    return tg_events_snapshot(client->gateway, client->watch, out);
}

static const char *on_status(struct tg_session *session, int64_t *age_ms)
{
    const struct tg_client *client = client_of(session);
    *age_ms = tg_watch_age_ms(client->watch);
    return tg_watch_status(client->watch);
}

static bool on_recheck(struct tg_session *session)
{
    struct tg_client *client = client_of(session);
    enum tg_auth_result result =
        tg_auth_owns(client->gateway->auth, &client->identity, client->watch->account->id);
    if (result == TG_AUTH_NOT_OWNER)
        tg_audit("auth", "ownership_lost", tg_s("connection", client->id),
                 tg_s("subject", client->identity.subject),
                 tg_s("account", client->watch->account->id));
    return result != TG_AUTH_NOT_OWNER;
}

static const struct tg_session_host host = {on_frame,    on_outgoing, on_close,  on_auth,
                                            on_snapshot, on_status,   on_recheck};

/* Frees what a client holds; its connection is on its way out or was never upgraded. */
static void client_free(struct tg_client *client)
{
    struct tg_gateway *gateway = client->gateway;
    if (client->session) tg_session_free(client->session);
    if (client->watch) tg_scheduler_leave(client->watch);
    if (client->script_class) tg_script_class_leave(gateway->script, client->script_class);
    tg_identity_fini(&client->identity);
    free(client->query);
    free(client);
}

/* The session and what it needs; the connection is not touched. */
static int client_prepare(struct tg_client *client, const struct tg_client_start *start)
{
    struct tg_gateway *gateway = client->gateway;
    const struct tg_config *config = gateway->config;
    const char *subject = start->identity->subject;
    int rc = tg_scheduler_view(gateway->scheduler, start->account_id, subject, &client->watch);
    if (rc) return rc;
    struct tg_channel *channel = tg_events_channel(gateway, client->watch);
    client->query = strdup(start->query);
    if (!channel || !client->query) return -TG_ENOMEM;
    client->script_class =
        tg_client_class(gateway->script, subject, start->identity->claims, start->query);
    if (!client->script_class) return -TG_ENOMEM;
    struct tg_script_status rules;
    tg_script_status(gateway->script, &rules);
    struct tg_session_options options = {
        .host = &host,
        .owner = client,
        .clock = gateway->clock,
        .wheel = &gateway->wheel,
        .channel = channel,
        .account_id = start->account_id,
        .connection_id = client->id,
        .token_expires_ms = start->identity->accepted_until_ms,
        .ping_seconds = config->protocol.ping_seconds,
        .timeout_seconds = config->protocol.timeout_seconds,
        .recheck_seconds = config->auth.recheck_seconds,
        .expiry_warning_seconds = config->auth.expiry_warning_seconds,
        .bad_messages = config->limits.bad_messages,
        .messages_per_second = config->limits.messages_per_second,
        .queue_bytes = (size_t)config->limits.queue_bytes,
        .interval_ms = (int)client->watch->upstream->interval_ms,
        .events = start->events,
        .rules_name = rules.name,
        .rules_version = rules.version,
        .rules_generation = rules.generation,
    };
    client->session = tg_session_new(&options);
    return client->session ? 0 : -TG_ENOMEM;
}

int tg_client_open(struct tg_gateway *gateway, const struct tg_client_start *start)
{
    struct tg_client *client = calloc(1, sizeof *client);
    if (!client) return -TG_ENOMEM;
    tg_events_flush(gateway); /* a newcomer's snapshot shows only what was told */
    client->gateway = gateway;
    client->conn = start->conn;
    (void)snprintf(client->id, sizeof client->id, "%llu",
                   (unsigned long long)tg_conn_id(start->conn));
    (void)snprintf(client->address, sizeof client->address, "%s", start->request->address);
    int rc = client_prepare(client, start);
    if (!rc) rc = tg_tally_add(&gateway->subjects, start->identity->subject);
    if (!rc && (rc = tg_tally_add(&gateway->addresses, client->address)))
        tg_tally_remove(&gateway->subjects, start->identity->subject);
    if (rc) {
        client_free(client);
        return rc;
    }
    client->identity = *start->identity;
    *start->identity = (struct tg_identity){0};
    tg_list_append(&gateway->clients, &client->node);
    gateway->clients_count++;
    tg_conn_upgrade(start->conn, client);
    pump(client);
    tg_info("client", "connected", tg_s("connection", client->id),
            tg_s("account", client->watch->account->id), tg_s("subject", client->identity.subject),
            tg_s("address", client->address));
    tg_events_client(gateway, client->watch, true, client->identity.subject);
    return 0;
}

void tg_client_message(void *ctx, struct tg_conn *conn, bool text, const char *data, size_t len)
{
    struct tg_client *client = tg_conn_data(conn);
    tg_events_flush(ctx);
    if (client) tg_session_message(client->session, text, data, len);
}

void tg_client_ping(void *ctx, struct tg_conn *conn)
{
    struct tg_client *client = tg_conn_data(conn);
    (void)ctx;
    if (client) tg_session_ping(client->session);
}

void tg_client_writable(void *ctx, struct tg_conn *conn)
{
    struct tg_client *client = tg_conn_data(conn);
    (void)ctx;
    if (client) pump(client);
}

void tg_client_closed(void *ctx, struct tg_conn *conn, int code)
{
    struct tg_gateway *gateway = ctx;
    struct tg_client *client = tg_conn_data(conn);
    if (!client) return;
    tg_info("client", "disconnected", tg_s("connection", client->id),
            tg_s("account", client->watch->account->id), tg_i("code", code),
            tg_i("sent", (int64_t)client->session->sent));
    tg_list_remove(&client->node);
    gateway->clients_count--;
    tg_tally_remove(&gateway->subjects, client->identity.subject);
    tg_tally_remove(&gateway->addresses, client->address);
    char subject[257];
    (void)snprintf(subject, sizeof subject, "%s", client->identity.subject);
    tg_session_free(client->session);
    client->session = NULL;
    tg_events_client(gateway, client->watch, false, subject);
    client_free(client);
}

/* Runs over a watch's sessions; the current one may end inside the body. */
#define EACH_SESSION(watch, session)                                                           \
    tg_list_each(node_, tg_channel_sessions(                                                   \
                            (watch)->channel)) for (struct tg_session *session =               \
                                                        tg_of(node_, struct tg_session, node); \
                                                    session; session = NULL)

void tg_client_tell(struct tg_watch *watch, const char *text, size_t len)
{
    if (!watch->channel || !text) return;
    EACH_SESSION(watch, session) tg_session_send(session, text, len);
}

void tg_client_end_all(struct tg_watch *watch, int code, const char *reason)
{
    if (!watch->channel) return;
    EACH_SESSION(watch, session) tg_session_close(session, code, reason, false);
}

void tg_client_going_away(struct tg_gateway *gateway, int64_t within_ms)
{
    tg_list_each(node, &gateway->clients)
    {
        struct tg_client *client = tg_of(node, struct tg_client, node);
        uint64_t jitter = 0;
        tg_random_bytes(&jitter, sizeof jitter);
        int64_t after = 1000 + (int64_t)(jitter % (uint64_t)(within_ms > 0 ? within_ms : 1));
        tg_session_going_away(client->session, after);
    }
}

bool tg_client_drain_next(struct tg_gateway *gateway)
{
    tg_list_each(node, &gateway->clients)
    {
        struct tg_client *client = tg_of(node, struct tg_client, node);
        if (client->session->state == TG_SESSION_CLOSING) continue;
        tg_session_close(client->session, 4003, "draining", false);
        return true;
    }
    return false;
}

bool tg_client_permits(void *ctx, const struct tg_session *session)
{
    void *const *offer = ctx;
    struct tg_gateway *gateway = offer[0];
    const struct tg_client *client = client_of(session);
    return tg_script_permits(gateway->script, offer[1], client->script_class);
}

void tg_client_recheck_all(struct tg_gateway *gateway)
{
    tg_list_each(node, &gateway->clients)
    {
        struct tg_client *client = tg_of(node, struct tg_client, node);
        if (client->session->state != TG_SESSION_CLOSING && !on_recheck(client->session))
            tg_session_close(client->session, 4501, "not the owner any more", true);
    }
}

uint64_t tg_client_queued_bytes(const struct tg_gateway *gateway)
{
    uint64_t bytes = 0;
    for (const struct tg_list *node = gateway->clients.next; node != &gateway->clients;
         node = node->next) {
        const struct tg_client *client = tg_of(node, struct tg_client, node);
        bytes += tg_outbox_bytes(client->session->outbox) + tg_conn_pending(client->conn);
    }
    return bytes;
}
