/* The HTTP stage: requests one after the other, each answered inside its callback, so answers are
 * in order by nature. A client that pipelines and does not read is held back: what it sent is kept,
 * at most one read of it, until its answers have gone. */
#include "base/err.h"
#include "base/log.h"
#include "net/connection_inner.h"
#include "net/handshake.h"
#include "net/http_target.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What a client is told that came when all places were taken. */
#define RETRY_AFTER_S 5

struct tg_conn_http {
    struct tg_http_head *head;
    struct tg_handshake handshake;
    struct tg_buf held;
    bool in_request, answered;
    bool idle; /* between two requests */
};

struct tg_conn_http *tg_conn_http_new(const struct tg_conn_env *env)
{
    struct tg_conn_http *http = calloc(1, sizeof *http);
    if (!http) return NULL;
    http->head = tg_http_head_new(env->head_bytes, env->body_bytes);
    if (http->head) return http;
    free(http);
    return NULL;
}

void tg_conn_http_free(struct tg_conn_http *http)
{
    if (!http) return;
    tg_http_head_free(http->head);
    tg_handshake_fini(&http->handshake);
    tg_buf_fini(&http->held);
    free(http);
}

static void put_buf(struct tg_conn *conn, struct tg_buf *buf)
{
    tg_conn_put(conn, buf->failed ? NULL : tg_blob_new(buf->data, buf->len));
    tg_buf_fini(buf);
}

static void put_answer(struct tg_conn *conn, const struct tg_answer *answer,
                       const struct tg_answer_manner *manner)
{
    struct tg_buf out = {0};
    tg_answer_write(&out, answer, manner);
    put_buf(conn, &out);
}

/* A refusal of our own, in the protocol's shape. */
static void put_error(struct tg_conn *conn, int status, const char *code, const char *message,
                      int retry_after_s, const struct tg_answer_manner *manner)
{
    struct tg_buf body = {0};
    char reference[24];
    (void)snprintf(reference, sizeof reference, "%llu", (unsigned long long)conn->id);
    tg_answer_error(&body, code, message, retry_after_s, reference);
    struct tg_answer answer = {.status = status,
                               .body = body.failed ? "" : body.data,
                               .len = body.failed ? 0 : body.len,
                               .retry_after_s = retry_after_s,
                               .no_store = true};
    put_answer(conn, &answer, manner);
    tg_buf_fini(&body);
}

/* Refuses what cannot be understood; nothing after it could be either, so the connection ends. The
 * request itself is never logged: its target may hold a token. */
static void refuse(struct tg_conn *conn, int status, const char *reason)
{
    const char *code = status == 413 || status == 431 ? "TOO_LARGE"
                       : status == 503                ? "SERVICE_OVERLOADED"
                                                      : "INVALID_REQUEST";
    conn->env->counters->bad_requests++;
    tg_warn("net", "request_refused", tg_i("connection", (int64_t)conn->id),
            tg_s("address", conn->address), tg_i("status", status), tg_s("reason", reason));
    put_error(conn, status, code, reason, status == 503 ? RETRY_AFTER_S : 0,
              &(struct tg_answer_manner){.close = true});
    tg_conn_drain(conn);
}

void tg_conn_turn_away(struct tg_conn *conn)
{
    put_error(conn, 503, "SERVICE_OVERLOADED", "the gateway is at capacity", RETRY_AFTER_S,
              &(struct tg_answer_manner){.close = true});
    tg_conn_drain(conn);
}

/* How this request's answer is to be sent. */
static struct tg_answer_manner manner_of(const struct tg_conn *conn, bool close)
{
    const struct tg_http_head *head = conn->http->head;
    struct tg_answer_manner manner = {
        .head_only = strcmp(tg_http_head_method(head), "HEAD") == 0,
        .close = close || !tg_http_head_keep_alive(head),
    };
    manner.say_alive = !manner.close && !tg_http_head_is_11(head);
    return manner;
}

void tg_conn_answer(struct tg_conn *conn, const struct tg_answer *answer)
{
    struct tg_conn_http *http = conn->http;
    if (conn->state == TG_CONN_ENDED) return;
    tg_must(http && http->in_request && !http->answered);
    http->answered = true;
    struct tg_answer_manner manner = manner_of(conn, answer->close);
    put_answer(conn, answer, &manner);
    if (manner.close) tg_conn_drain(conn);
}

void tg_conn_upgrade(struct tg_conn *conn, void *data)
{
    struct tg_conn_http *http = conn->http;
    if (conn->state == TG_CONN_ENDED) return;
    tg_must(http && http->in_request && !http->answered && http->handshake.key);
    http->answered = true;
    struct tg_buf out = {0};
    tg_handshake_answer(&out, &http->handshake, NULL);
    put_buf(conn, &out);
    tg_conn_open(conn, data);
}

static const char *bearer_of(const struct tg_http_headers *headers)
{
    const char *value = tg_http_headers_get(headers, "Authorization");
    if (!value || strncasecmp(value, "Bearer ", 7) != 0) return NULL;
    value += 7;
    return value + strspn(value, " ");
}

/* Shows a complete request to the owner and sees that it is answered. */
static void dispatch(struct tg_conn *conn)
{
    struct tg_conn_http *http = conn->http;
    const struct tg_handshake *handshake = &http->handshake;
    struct tg_request request = {
        .method = tg_http_head_method(http->head),
        .address = conn->address,
        .listener = conn->listener,
        .headers = tg_http_head_headers(http->head),
    };
    if (tg_target_split(tg_http_head_target(http->head), &request.path, &request.query)) {
        refuse(conn, 400, "malformed request target");
        return;
    }
    if (tg_handshake_read(&http->handshake, http->head)) {
        conn->failed = true;
        conn->env->changed(conn);
        return;
    }
    request.bearer = bearer_of(request.headers);
    request.subprotocol_token = handshake->token.data;
    request.websocket = handshake->key != NULL;
    request.upgrade = handshake->asked;
    request.offers_tidegate = handshake->offers_tidegate;
    request.handshake_status = handshake->status;
    request.handshake_fault = handshake->fault;
    request.body = tg_http_head_body(http->head, &request.body_len);
    conn->env->counters->requests++;
    http->in_request = true;
    http->answered = false;
    conn->env->handler.request(conn->env->ctx, conn, &request);
    if (!http->answered && conn->state == TG_CONN_HTTP) {
        http->answered = true;
        struct tg_answer_manner manner = manner_of(conn, false);
        put_error(conn, 404, "NOT_FOUND", "there is nothing here", 0, &manner);
        if (manner.close) tg_conn_drain(conn);
    }
    http->in_request = false;
}

/* Makes ready for the next request, or ends the stage. */
static void after_request(struct tg_conn *conn)
{
    struct tg_conn_http *http = conn->http;
    if (conn->state == TG_CONN_HTTP) {
        tg_http_head_reset(http->head);
        http->idle = true;
        tg_conn_deadline(conn, conn->env->idle_ms);
    } else {
        conn->http = NULL;
        tg_conn_http_free(http);
    }
}

/* Parses up to the end of one request; how many bytes it took. */
static size_t take_request(struct tg_conn *conn, const char *bytes, size_t len)
{
    struct tg_conn_http *http = conn->http;
    size_t used = len;
    if (http->idle) {
        http->idle = false;
        tg_conn_deadline(conn, conn->env->handshake_ms);
    }
    int rc = tg_http_head_feed(http->head, bytes, len, &used);
    if (rc == -TG_EPROTO) {
        refuse(conn, tg_http_head_status(http->head), tg_http_head_reason(http->head));
    } else if (rc == 0) {
        dispatch(conn);
        after_request(conn);
    } else if (tg_http_head_take_continue(http->head)) {
        static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
        tg_conn_put(conn, tg_blob_new(text, sizeof text - 1));
    }
    return used;
}

void tg_conn_http_input(struct tg_conn *conn, const char *bytes, size_t len)
{
    while (len && conn->state == TG_CONN_HTTP && !conn->failed) {
        struct tg_conn_http *http = conn->http;
        if (conn->full && !tg_http_head_begun(http->head)) {
            tg_buf_add(&http->held, bytes, len);
            if (http->held.failed) conn->failed = true;
            return;
        }
        size_t used = take_request(conn, bytes, len);
        bytes += used;
        len -= used;
    }
    if (len && conn->state == TG_CONN_OPEN) tg_conn_websocket_input(conn, bytes, len);
}

void tg_conn_http_resume(struct tg_conn *conn)
{
    struct tg_buf held = conn->http->held;
    if (!held.len) return;
    conn->http->held = (struct tg_buf){0};
    tg_conn_http_input(conn, held.data, held.len);
    tg_buf_fini(&held);
}

/* A client that has begun a request is told; one that said nothing, or waits for something to ask,
 * just sees the end. */
void tg_conn_http_timeout(struct tg_conn *conn)
{
    bool begun = tg_http_head_begun(conn->http->head);
    if (!conn->http->idle) conn->env->counters->handshake_timeouts++;
    if (begun)
        refuse(conn, 408, "the request took too long");
    else
        tg_conn_drain(conn);
}
