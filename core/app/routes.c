/* Requests are judged before anything is promised, in the order of the protocol: well-formed, path
 * and id, capacity and rate, token, ownership. What a refusal looks like is the same whatever
 * refused, and an account that does not exist looks like one that is somebody else's. */
#include "app/admin.h"
#include "app/gateway_inner.h"
#include "base/log.h"
#include "base/text.h"
#include "stream/events.h"

#include <openssl/crypto.h>
#include <string.h>

#define TOKEN_MAX 16384

/* One request on its way through the checks. */
struct visit {
    struct tg_gateway *gateway;
    struct tg_conn *conn;
    const struct tg_request *request;
    char id[TG_ACCOUNT_ID_MAX + 1];
    char reference[24];
};

/* What is allowed at the path of a request that was refused for its method. */
static const char *allowed(const struct visit *visit)
{
    return strncmp(visit->request->path, "/ws/", 4) == 0 ? "GET" : "GET, HEAD";
}

static void refuse(struct visit *visit, enum tg_refusal refusal, int retry_after_s)
{
    struct tg_gateway *gateway = visit->gateway;
    const struct tg_refusal_row *row = tg_refusal_row(refusal);
    struct tg_buf body = {0};
    gateway->counters.refused[refusal]++;
    tg_info("http", "refused", tg_s("reference", visit->reference), tg_s("code", row->code),
            tg_i("status", row->status), tg_s("path", visit->request->path),
            tg_s("address", visit->request->address));
    bool judged = refusal >= TG_REFUSE_AUTH_REQUIRED && refusal <= TG_REFUSE_NOT_OWNER;
    if (judged && visit->request->websocket && gateway->config->auth.reject_by_close) {
        tg_conn_upgrade(visit->conn, NULL);
        tg_conn_close(visit->conn, row->close_code, row->code);
        return;
    }
    tg_refusal_body(&body, refusal, retry_after_s, visit->reference);
    tg_conn_answer(visit->conn,
                   &(struct tg_answer){
                       .status = row->status,
                       .body = body.data,
                       .len = body.len,
                       .retry_after_s = retry_after_s,
                       .allow = refusal == TG_REFUSE_METHOD_NOT_ALLOWED ? allowed(visit) : NULL,
                       .no_store = true,
                   });
    tg_buf_fini(&body);
}

static void answer(struct visit *visit, int status, const char *type, struct tg_buf *body)
{
    tg_conn_answer(visit->conn, &(struct tg_answer){.status = body->failed ? 503 : status,
                                                    .content_type = type,
                                                    .body = body->data,
                                                    .len = body->len,
                                                    .no_store = true});
    tg_buf_fini(body);
}

/* The account id between `prefix` and `suffix` of the path; the length, or -TG_EINVAL. */
static int path_id(struct visit *visit, const char *prefix, const char *suffix)
{
    const char *path = visit->request->path;
    size_t p = strlen(prefix), s = strlen(suffix), len = strlen(path);
    if (len < p + s) return -TG_EINVAL;
    size_t n = len - p - s;
    if (!n || n > TG_ACCOUNT_ID_MAX) return -TG_EINVAL;
    memcpy(visit->id, path + p, n);
    visit->id[n] = '\0';
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return strspn(visit->id, alphabet) == n ? (int)n : -TG_EINVAL;
}

static enum tg_refusal refusal_of(enum tg_auth_result result)
{
    switch (result) {
    case TG_AUTH_MISSING: return TG_REFUSE_AUTH_REQUIRED;
    case TG_AUTH_EXPIRED: return TG_REFUSE_TOKEN_EXPIRED;
    case TG_AUTH_NOT_OWNER: return TG_REFUSE_NOT_OWNER;
    case TG_AUTH_UNAVAILABLE: return TG_REFUSE_OWNERSHIP_UNAVAILABLE;
    default: return TG_REFUSE_AUTH_FAILED;
    }
}

/* Token and ownership. On success `*identity` is filled; else the request has been refused. */
static bool judged(struct visit *visit, struct tg_identity *identity)
{
    static char token[TOKEN_MAX];
    const struct tg_request *request = visit->request;
    const char *found = NULL;
    struct tg_err err = {0};
    int n = tg_query_get(request->query, "token", token, sizeof token);
    if (n >= 0)
        found = token;
    else if (!(found = request->bearer))
        found = request->subprotocol_token;
    enum tg_auth_result result = TG_AUTH_FAILED;
    if (n == -TG_EINVAL)
        (void)tg_fail(&err, TG_EINVAL, "the token parameter cannot be decoded, or is too long");
    else
        result =
            tg_auth_verify(visit->gateway->auth, found, found ? strlen(found) : 0, identity, &err);
    OPENSSL_cleanse(token, sizeof token);
    if (result == TG_AUTH_OK) {
        result = tg_auth_owns(visit->gateway->auth, identity, visit->id);
        if (result != TG_AUTH_OK) {
            (void)snprintf(err.text, sizeof err.text, "subject %s", identity->subject);
            tg_identity_fini(identity);
        }
    }
    if (result == TG_AUTH_OK) return true;
    tg_audit("auth", "refused", tg_s("reference", visit->reference),
             tg_s("code", tg_refusal_row(refusal_of(result))->code), tg_s("account", visit->id),
             tg_s("address", request->address), tg_s("reason", err.text));
    refuse(visit, refusal_of(result), result == TG_AUTH_UNAVAILABLE ? 5 : 0);
    return false;
}

/* Capacity and rate limits; false: refused. */
static bool admitted(struct visit *visit)
{
    struct tg_gateway *gateway = visit->gateway;
    const struct tg_config *config = gateway->config;
    if (gateway->draining) {
        refuse(visit, TG_REFUSE_DRAINING, 5);
        return false;
    }
    if (!tg_rate_pass(&gateway->handshakes, config->limits.handshakes_per_second,
                      tg_mono_ms(gateway->clock))) {
        refuse(visit, TG_REFUSE_RATE_LIMITED, 1);
        return false;
    }
    if (tg_tally_of(&gateway->addresses, visit->request->address) >= config->limits.per_address) {
        refuse(visit, TG_REFUSE_TOO_MANY_CONNECTIONS, 30);
        return false;
    }
    return true;
}

/* The query without the token, which rules may see. */
static void public_query(const char *query, char *out, size_t size)
{
    size_t len = 0;
    while (*query) {
        size_t n = strcspn(query, "&");
        char name[16];
        /* "%74oken" is "token" as well: the name is compared decoded. */
        char one[64];
        (void)snprintf(one, sizeof one, "%.*s", (int)(n < sizeof one ? n : sizeof one - 1), query);
        bool secret = tg_query_get(one, "token", name, sizeof name) != -TG_ENOTFOUND;
        if (!secret && len + n + 2 < size) {
            if (len) out[len++] = '&';
            memcpy(out + len, query, n);
            len += n;
        }
        query += n + (query[n] == '&');
    }
    out[len] = '\0';
}

/* What is judged when the account is known to be the caller's: limits, and whether it exists. */
static bool refused_by_account(struct visit *visit, const struct tg_identity *identity)
{
    const struct tg_gateway *gateway = visit->gateway;
    const struct tg_config *config = gateway->config;
    const struct tg_watch *watch = tg_scheduler_find(gateway->scheduler, visit->id);
    if (tg_tally_of(&gateway->subjects, identity->subject) >= config->limits.per_subject ||
        (watch && watch->viewers >= (uint32_t)config->limits.per_account)) {
        refuse(visit, TG_REFUSE_TOO_MANY_CONNECTIONS, 30);
        return true;
    }
    if (watch && watch->unknown && (watch->gone || !watch->account->known)) {
        refuse(visit, config->auth.hide_unknown ? TG_REFUSE_NOT_OWNER : TG_REFUSE_UNKNOWN_ACCOUNT,
               0);
        return true;
    }
    return false;
}

static void websocket(struct visit *visit)
{
    struct tg_gateway *gateway = visit->gateway;
    struct tg_identity identity = {0};
    char events[2200], query[2048];
    if (strcmp(visit->request->method, "GET") != 0) {
        refuse(visit, TG_REFUSE_METHOD_NOT_ALLOWED, 0);
        return;
    }
    if (!visit->request->websocket) {
        bool malformed = visit->request->upgrade && visit->request->handshake_status == 400;
        refuse(visit, malformed ? TG_REFUSE_INVALID_REQUEST : TG_REFUSE_UPGRADE_REQUIRED, 0);
        return;
    }
    if (path_id(visit, "/ws/account/", "") < 0) {
        refuse(visit, TG_REFUSE_INVALID_ACCOUNT_ID, 0);
        return;
    }
    int n = tg_query_get(visit->request->query, "events", events, sizeof events);
    if (n == -TG_EINVAL || (n >= 0 && !tg_events_valid(events))) {
        refuse(visit, TG_REFUSE_INVALID_PARAMETERS, 0);
        return;
    }
    if (!admitted(visit) || !judged(visit, &identity)) return;
    if (!refused_by_account(visit, &identity)) {
        public_query(visit->request->query, query, sizeof query);
        struct tg_client_start start = {
            visit->conn, visit->request, visit->id, n >= 0 ? events : NULL, query, &identity};
        if (tg_client_open(gateway, &start)) refuse(visit, TG_REFUSE_OVERLOADED, 10);
    }
    tg_identity_fini(&identity);
}

static void snapshot(struct visit *visit)
{
    struct tg_gateway *gateway = visit->gateway;
    struct tg_identity identity = {0};
    struct tg_buf body = {0};
    if (path_id(visit, "/api/account/", "/snapshot") < 0) {
        refuse(visit, TG_REFUSE_INVALID_ACCOUNT_ID, 0);
        return;
    }
    if (!admitted(visit) || !judged(visit, &identity)) return;
    if (refused_by_account(visit, &identity)) {
        tg_identity_fini(&identity);
        return;
    }
    tg_events_flush(gateway);
    struct tg_watch *watch = NULL;
    int rc = tg_scheduler_view(gateway->scheduler, visit->id, identity.subject, &watch);
    tg_identity_fini(&identity);
    if (!rc) {
        /* An account nobody watched is polled now and answers at the next try. */
        rc = tg_events_channel(gateway, watch) ? tg_events_snapshot(gateway, watch, &body)
                                               : -TG_ENOMEM;
        tg_scheduler_leave(watch);
    }
    if (!rc) {
        answer(visit, 200, NULL, &body);
        return;
    }
    tg_buf_fini(&body);
    refuse(visit, rc == -TG_EAGAIN ? TG_REFUSE_NO_STATE : TG_REFUSE_OVERLOADED, 1);
}

static void operate(struct visit *visit, bool admin)
{
    struct tg_gateway *gateway = visit->gateway;
    const char *path = visit->request->path;
    struct tg_buf body = {0};
    if (!admin && !tg_rate_pass(&gateway->health, gateway->config->limits.health_per_second,
                                tg_mono_ms(gateway->clock))) {
        refuse(visit, TG_REFUSE_RATE_LIMITED, 1);
    } else if (!strcmp(path, "/health")) {
        bool well = tg_health_write(gateway, &body);
        answer(visit, well ? 200 : 503, NULL, &body);
    } else if (!strcmp(path, "/ready")) {
        bool ready = gateway->ready && !gateway->draining;
        tg_buf_printf(&body, "{\"ready\":%s}", ready ? "true" : "false");
        answer(visit, ready ? 200 : 503, NULL, &body);
    } else {
        tg_metrics_write(gateway, &body);
        answer(visit, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
    }
}

/* Whether the admin listener's token, when there is one, was given. */
static bool admin_allowed(const struct visit *visit)
{
    const char *token = visit->gateway->config->admin.token, *given = visit->request->bearer;
    if (!token) return true;
    return given && strlen(given) == strlen(token) && !CRYPTO_memcmp(given, token, strlen(token));
}

static bool starts(const char *text, const char *prefix)
{
    return !strncmp(text, prefix, strlen(prefix));
}

static bool ends(const char *text, const char *suffix)
{
    size_t n = strlen(text), k = strlen(suffix);
    return n >= k && !strcmp(text + n - k, suffix);
}

void tg_routes_request(void *ctx, struct tg_conn *conn, const struct tg_request *request)
{
    struct visit visit = {.gateway = ctx, .conn = conn, .request = request};
    bool admin = !strcmp(request->listener, "admin");
    const char *path = request->path;
    (void)snprintf(visit.reference, sizeof visit.reference, "%llu",
                   (unsigned long long)tg_conn_id(conn));
    bool page =
        !strcmp(path, "/health") || !strcmp(path, "/ready") || (admin && !strcmp(path, "/metrics"));
    bool call = admin && tg_admin_owns(path);
    bool rest = !admin && starts(path, "/api/account/") && ends(path, "/snapshot");
    bool socket = !admin && starts(path, "/ws/account/");
    if (!page && !rest && !socket && !call) {
        refuse(&visit, TG_REFUSE_NOT_FOUND, 0);
    } else if (call && !admin_allowed(&visit)) {
        tg_audit("admin", "refused", tg_s("path", path), tg_s("address", request->address),
                 tg_s("reason", "without the token"));
        refuse(&visit, TG_REFUSE_AUTH_REQUIRED, 0);
    } else if (call) {
        tg_admin_request(ctx, conn, request, visit.reference);
    } else if (socket) {
        websocket(&visit);
    } else if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
        refuse(&visit, TG_REFUSE_METHOD_NOT_ALLOWED, 0);
    } else if (rest) {
        snapshot(&visit);
    } else if (admin && !admin_allowed(&visit)) {
        refuse(&visit, TG_REFUSE_AUTH_REQUIRED, 0);
    } else {
        operate(&visit, admin);
    }
}
